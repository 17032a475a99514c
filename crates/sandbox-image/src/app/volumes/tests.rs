//! The rules of volumes, on trees without a sandbox.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::app::Rules;

struct Place {
    directory: tempfile::TempDir,
    app: App,
}

impl Place {
    /// A root in `root` with `/full/file`, `/empty`, `/plain` and `/run -> /empty`, and a `source`.
    fn new(points: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir_all(root.join("full")).unwrap();
        fs::create_dir(root.join("empty")).unwrap();
        fs::write(root.join("full/file"), "").unwrap();
        fs::write(root.join("plain"), "").unwrap();
        symlink("/empty", root.join("run")).unwrap();
        fs::create_dir(directory.path().join("source")).unwrap();
        fs::write(directory.path().join("source/data"), "").unwrap();
        let mut app = App::new("app", Vec::new());
        app.mount_points = points
            .iter()
            .map(|(name, path)| MountPoint {
                name: (*name).to_owned(),
                path: InsidePath::absolute(path, "test").unwrap(),
                read_only: *name == "fixed",
            })
            .collect();
        Self { directory, app }
    }

    fn host(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn volume(&self, name: &str) -> Volume {
        let source = VolumeSource::HostPath(self.host("source"));
        Volume { name: name.to_owned(), source, read_only: false }
    }

    fn source(&self) -> RootSource {
        RootSource::Directory(self.host("root"))
    }

    fn mount(&self, volumes: Vec<Volume>) -> Result<Mounted, String> {
        self.mount_on(self.source(), volumes, SourceLinks::Refused)
    }

    fn mount_on(
        &self,
        source: RootSource,
        volumes: Vec<Volume>,
        source_links: SourceLinks,
    ) -> Result<Mounted, String> {
        let root = RootDirectory::open(source).unwrap();
        let mut options = Options::new(Rules::app_container());
        let empty = |name: &str| {
            let path = self.host(&format!("empty-{name}"));
            fs::create_dir(&path).map(|()| path)
        };
        options.empty_volumes = &empty;
        options.volumes = volumes;
        options.source_links = source_links;
        mount(&self.app, &root, &options).map_err(|error| error.to_string())
    }
}

fn lines<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn a_missing_target_is_made_with_its_parents() {
    let place = Place::new(&[("data", "/new/deep/data"), ("fixed", "/new/deep/fixed")]);
    let mounted = place.mount(vec![place.volume("data"), place.volume("fixed")]).unwrap();
    assert_eq!(lines(&mounted.targets), ["/new/deep/data", "/new/deep/fixed"]);
    assert_eq!(lines(&mounted.writable), ["/new/deep/data"]);
    assert_eq!(lines(&mounted.warnings), [""; 0]);
    let source = place.host("source");
    assert_eq!(
        mounted.mounts,
        [
            Mount::bind(&source, "/new/deep/data").unwrap(),
            Mount::bind(&source, "/new/deep/fixed").unwrap().with(MountFlag::ReadOnly),
        ]
    );
    for made in ["root/new", "root/new/deep", "root/new/deep/data"] {
        let mode = fs::symlink_metadata(place.host(made)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "{made}");
    }
}

#[test]
fn what_a_volume_covers_is_told() {
    for (path, expected) in [
        ("/full", vec!["volume \"data\" hides the files that the image has in /full"]),
        ("/empty", vec![]),
        ("/run", vec![]),
        ("/plain", vec!["volume \"data\" takes the place of the file /plain of the image"]),
    ] {
        let place = Place::new(&[("data", path)]);
        let mounted = place.mount(vec![place.volume("data")]).unwrap();
        assert_eq!(lines(&mounted.warnings), expected);
        let real = if path == "/run" { "/empty" } else { path };
        assert_eq!(lines(&mounted.targets), [real]);
        assert!(fs::symlink_metadata(place.host(&format!("root{real}"))).unwrap().is_dir());
    }
}

#[test]
fn a_file_goes_on_a_file() {
    let file = |place: &Place| Volume {
        name: "data".to_owned(),
        source: VolumeSource::HostPath(place.host("source/data")),
        read_only: true,
    };
    for (path, expected) in [
        ("/new/file", Ok(0)),
        ("/plain", Ok(1)),
        ("/empty", Err("on /empty: one is a directory, the other is not")),
    ] {
        let place = Place::new(&[("data", path)]);
        match (place.mount(vec![file(&place)]), expected) {
            (Ok(mounted), Ok(warnings)) => {
                assert_eq!(mounted.warnings.len(), warnings);
                assert!(place.host(&format!("root{path}")).is_file());
                assert_eq!(mounted.writable, []);
            }
            (Err(error), Err(expected)) => assert!(error.ends_with(expected), "{error}"),
            (other, expected) => panic!("{other:?}, not {expected:?}"),
        }
    }
}

#[test]
fn each_mount_point_has_a_volume_and_each_volume_a_mount_point() {
    let place = Place::new(&[("data", "/data"), ("logs", "/logs"), ("conf", "/conf")]);
    for (volumes, expected) in [
        (
            vec!["logs"],
            "mountPoints data, conf of app have no volume: give --volume data=PATH --volume conf=PATH",
        ),
        (
            vec!["data", "log"],
            "volume \"log\": app has no mount point of this name: there are data, logs, conf",
        ),
        (vec!["data", "data"], "volume \"data\" is given twice: give one for each name"),
    ] {
        let volumes = volumes.into_iter().map(|name| place.volume(name)).collect();
        assert_eq!(place.mount(volumes).unwrap_err(), expected);
    }
    // Nothing was made.
    assert!(!place.host("root/data").exists());
}

#[test]
fn targets_that_overlap_where_they_really_are() {
    for (first, second) in
        [("/a", "/a"), ("/a", "/a/b"), ("/a/b", "/a"), ("/run/x", "/empty/x"), ("/run", "/empty/x")]
    {
        let place = Place::new(&[("one", first), ("two", second)]);
        let error = place.mount(vec![place.volume("one"), place.volume("two")]).unwrap_err();
        assert!(error.starts_with("mountPoints \"one\" on "), "{error}");
        assert!(error.contains("\"two\" on ") && error.contains("overlap"), "{error}");
    }
    let place = Place::new(&[("one", "/run/..")]);
    let error = place.mount(vec![place.volume("one")]).unwrap_err();
    assert!(error.starts_with("path of mount point one is `/`"), "{error}");
    let place = Place::new(&[("one", "/ab"), ("two", "/a")]);
    assert!(place.mount(vec![place.volume("one"), place.volume("two")]).is_ok());
}

#[test]
fn sources_exist_and_have_no_links_unless_allowed() {
    let place = Place::new(&[("data", "/data")]);
    symlink("source", place.host("link")).unwrap();
    fs::create_dir(place.host("source/below")).unwrap();
    let volume = |name: &str| Volume {
        name: "data".to_owned(),
        source: VolumeSource::HostPath(place.host(name)),
        read_only: false,
    };
    for name in ["link", "link/below"] {
        let error = place.mount(vec![volume(name)]).unwrap_err();
        assert!(error.contains("passes through the symbolic link"), "{error}");
        assert!(error.contains(&place.host("link").display().to_string()), "{error}");
        place.mount_on(place.source(), vec![volume(name)], SourceLinks::Followed).unwrap();
    }
    place.mount(vec![volume("source/below")]).unwrap();
    let error = place.mount(vec![volume("gone")]).unwrap_err();
    assert!(error.starts_with("volume \"data\": cannot use "), "{error}");
    assert!(error.ends_with("No such file or directory (os error 2)"), "{error}");
    assert!(!place.host("gone").exists());
}

#[test]
fn an_empty_volume_is_a_directory_of_the_run() {
    let place = Place::new(&[("data", "/data")]);
    let empty =
        |read_only| Volume { name: "data".to_owned(), source: VolumeSource::Empty, read_only };
    let mounted = place.mount(vec![empty(false)]).unwrap();
    assert_eq!(mounted.mounts, [Mount::bind(place.host("empty-data"), "/data").unwrap()]);
    // It is there by now.
    let error = place.mount(vec![empty(false)]).unwrap_err();
    assert!(error.starts_with("volume \"data\": cannot make an empty directory for it"), "{error}");
}

#[test]
fn what_others_share_is_not_changed() {
    let shared = |place: &Place| RootSource::TemporaryOverlay { lower: place.host("root") };
    let place = Place::new(&[("data", "/new/data")]);
    let volumes = vec![place.volume("data")];
    let mounted = place.mount_on(shared(&place), volumes, SourceLinks::Refused).unwrap();
    assert_eq!(lines(&mounted.mounts)[0], "directory on /new/data");
    assert_eq!(mounted.mounts.len(), 2);
    assert!(!place.host("root/new").exists());
    let place = Place::new(&[("data", "/plain")]);
    let volumes = vec![place.volume("data")];
    let error = place.mount_on(shared(&place), volumes, SourceLinks::Refused).unwrap_err();
    assert!(error.ends_with("one is a directory, the other is not"), "{error}");
    assert!(place.host("root/plain").is_file());
}
