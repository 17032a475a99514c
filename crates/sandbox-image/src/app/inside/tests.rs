//! Links, `..` and what is missing, in a root and never outside of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn path(text: &str) -> InsidePath {
    InsidePath::absolute(text, "test").unwrap()
}

fn root() -> (tempfile::TempDir, RootDirectory) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/file"), "content").unwrap();
    fs::write(directory.path().join("secret"), "outside").unwrap();
    fs::create_dir(directory.path().join("outside")).unwrap();
    for (to, at) in [
        ("/a", "absolute"),
        ("b/../b", "a/relative"),
        ("../../../../secret", "a/up"),
        ("/a/file", "file"),
        ("loop", "loop"),
        ("/gone/x", "dangling"),
    ] {
        symlink(to, root.join(at)).unwrap();
    }
    let opened = RootDirectory::open(RootSource::Directory(root)).unwrap();
    (directory, opened)
}

#[test]
fn what_is_found_and_where() {
    let (_directory, root) = root();
    let found = |text: &str| match root.find(&path(text)) {
        Err(AppError::Inside { source, .. }) => source.to_string(),
        Err(error) => error.to_string(),
        Ok(Found { real, node: Node::Directory(_) }) => format!("{real} directory"),
        Ok(Found { real, node: Node::Other { .. } }) => format!("{real} other"),
        Ok(Found { real, node: Node::Missing { names, .. } }) => {
            format!("{real} missing {}", names.len())
        }
    };
    for (given, expected) in [
        ("/", "/ directory"),
        ("/../..", "/ directory"),
        ("/absolute/b", "/a/b directory"),
        ("/absolute/relative", "/a/b directory"),
        ("/file", "/a/file other"),
        // Above the root is the root.
        ("/a/up", "/secret missing 1"),
        ("/../outside", "/outside missing 1"),
        ("/dangling", "/gone/x missing 2"),
        ("/dangling/y", "/gone/x/y missing 3"),
        ("/new/../a", "No such file or directory (os error 2)"),
        ("/a/file/x", "Not a directory (os error 20)"),
    ] {
        assert_eq!(found(given), expected, "{given}");
    }
    assert!(found("/loop").contains("symbolic link"), "{}", found("/loop"));
}

#[test]
fn the_root_itself_may_be_a_link() {
    let (directory, _) = root();
    let link = directory.path().join("link");
    symlink("root", &link).unwrap();
    let root = RootDirectory::open(RootSource::Directory(link)).unwrap();
    assert_eq!(root.read(&path("/file")).unwrap(), b"content");
    let file = RootSource::Directory(directory.path().join("secret"));
    assert!(RootDirectory::open(file).is_err());
}

#[test]
fn what_is_read_is_inside_regular_and_bounded() {
    let (_directory, root) = root();
    assert_eq!(root.read(&path("/file")).unwrap(), b"content");
    assert_eq!(root.read(&path("/a/up")).unwrap(), b"");
    assert!(root.read(&path("/a")).is_err());
    let unpacked = root.source().unpacked();
    std::process::Command::new("mkfifo").arg(unpacked.join("fifo")).status().unwrap();
    let error = root.read(&path("/fifo")).unwrap_err().to_string();
    assert!(error.ends_with("it is no regular file"), "{error}");
    let huge = File::create(unpacked.join("huge")).unwrap();
    huge.set_len(LARGEST_FILE + 1).unwrap();
    let error = root.read(&path("/huge")).unwrap_err().to_string();
    assert!(error.ends_with("it has more than 8388608 bytes"), "{error}");
}

#[test]
fn what_is_made_has_its_mode_and_replaces_files() {
    let (_directory, root) = root();
    let unpacked = root.source().unpacked();
    let Node::Missing { parent, names } = root.find(&path("/dangling/y")).unwrap().node else {
        panic!("it is there")
    };
    make_directories(parent, &names).unwrap();
    for made in ["gone", "gone/x", "gone/x/y"] {
        let metadata = fs::symlink_metadata(unpacked.join(made)).unwrap();
        assert!(metadata.is_dir());
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o755);
    }
    let Node::Directory(made) = root.find(&path("/gone/x/y")).unwrap().node else { panic!() };
    assert!(is_empty(&made).unwrap());
    let Node::Directory(used) = root.find(&path("/a")).unwrap().node else { panic!() };
    assert!(!is_empty(&used).unwrap());
    let Node::Other { parent, name } = root.find(&path("/file")).unwrap().node else { panic!() };
    replace_by_directory(parent, &name).unwrap();
    assert!(fs::symlink_metadata(unpacked.join("a/file")).unwrap().is_dir());
    let Node::Missing { parent, names } = root.find(&path("/n/e/w")).unwrap().node else {
        panic!()
    };
    make_file(parent, &names).unwrap();
    assert!(unpacked.join("n/e/w").is_file());
}
