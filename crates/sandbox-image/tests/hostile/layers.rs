//! Whiteouts: what they hide, and what they don't.

use sandbox_image::unpack::Options;

use super::fixture::{Place, Tar, message, says};

fn lower() -> Vec<u8> {
    Tar::default()
        .dir("d")
        .file("d/old", "1")
        .file("d/both", "1")
        .dir("d/sub")
        .file("d/sub/old", "1")
        .file("file", "1")
        .symlink("link", "d")
        .end()
}

#[track_caller]
fn over(upper: Tar, wanted: &[&str]) -> Place {
    let place = Place::new();
    place.layers(&[&lower(), &upper.end()], Options::for_layers()).unwrap();
    assert_eq!(place.names(), wanted);
    place
}

#[test]
fn without_whiteouts_all_is_there() {
    over(
        Tar::default().file("new", ""),
        &["d/", "d/both", "d/old", "d/sub/", "d/sub/old", "file", "link", "new"],
    );
}

#[test]
fn names_of_lower_layers_go() {
    over(Tar::default().file(".wh.d", "").file(".wh.missing", ""), &["file", "link"]);
    over(
        Tar::default().file("d/.wh.sub", "").file(".wh.file", "").file("x/y/.wh.z", ""),
        &["d/", "d/both", "d/old", "link"],
    );
    // A link goes, not what it leads to.
    over(
        Tar::default().file(".wh.link", "").file("file/.wh.x", ""),
        &["d/", "d/both", "d/old", "d/sub/", "d/sub/old", "file"],
    );
}

#[test]
fn what_the_same_layer_has_put_stays_in_either_order() {
    let opaque = "d/.wh..wh..opq";
    let place = over(
        Tar::default().file("d/both", "2").file("d/sub/new", "2").file(opaque, ""),
        &["d/", "d/both", "d/sub/", "d/sub/new", "file", "link"],
    );
    assert_eq!(place.read("d/both"), "2");
    let place = over(
        Tar::default().file(opaque, "").file("d/both", "2").file("d/sub/new", "2"),
        &["d/", "d/both", "d/sub/", "d/sub/new", "file", "link"],
    );
    assert_eq!(place.read("d/both"), "2");
    for upper in [
        Tar::default().file(".wh.file", "").file("file", "2"),
        Tar::default().file("file", "2").file(".wh.file", ""),
    ] {
        let place = Place::new();
        place.layers(&[&lower(), &upper.end()], Options::for_layers()).unwrap();
        assert_eq!(place.read("file"), "2");
    }
    for upper in [
        Tar::default().file(".wh.d", "").file("d/new", "2"),
        Tar::default().file("d/new", "2").file(".wh.d", ""),
    ] {
        over(upper, &["d/", "d/new", "file", "link"]);
    }
}

#[test]
fn the_top_directory_can_be_opaque() {
    over(Tar::default().file("new", "").file(".wh..wh..opq", ""), &["new"]);
    // Then a directory that was opaque before goes with all the others, as it is from below.
    over(Tar::default().file("d/.wh..wh..opq", "").file(".wh..wh..opq", ""), &[]);
}

#[test]
fn files_of_aufs_are_skipped() {
    over(
        Tar::default().dir(".wh..wh.plnk").file(".wh..wh.aufs", "").file(".wh.d", ""),
        &["file", "link"],
    );
}

#[test]
fn whiteouts_of_nothing() {
    for name in [".wh.", ".wh..", ".wh...", "d/.wh...", "d/.wh.."] {
        let place = Place::new();
        let upper = Tar::default().file(name, "").end();
        let error = place.layers(&[&lower(), &upper], Options::for_layers()).unwrap_err();
        says(&message(&error), &[name, "whiteout"]);
    }
}

/// They are resolved inside, as other names.
#[test]
fn whiteouts_through_links() {
    for target in ["../outside", "/outside", "../../outside"] {
        let place = Place::new();
        let tar = Tar::default()
            .symlink("l", target)
            .file("l/.wh.canary", "")
            .file("l/.wh..wh..opq", "")
            .file("l/nest/.wh..wh..opq", "");
        let _ = place.unpack_with(&tar.end(), Options::for_layers());
        place.unharmed();
    }
    // An opaque link leads nowhere either.
    let place = Place::new();
    let tar = Tar::default().symlink("outside", "../outside").file("outside/.wh..wh..opq", "");
    let _ = place.unpack_with(&tar.end(), Options::for_layers());
    place.unharmed();
}

/// Looking through all of it each time would take a layer of some KB many hours.
#[test]
fn a_directory_is_looked_through_once() {
    let put = (0..10_000).fold(Tar::default(), |tar, at| tar.file(format!("d/{at}"), ""));
    // It, the directories above it, and as a whiteout of its name.
    let tar = (0..5_000).fold(put, |tar, _| {
        tar.file("d/.wh..wh..opq", "").file(".wh..wh..opq", "").file(".wh.d", "")
    });
    let begin = std::time::Instant::now();
    let place = Place::new();
    place.layers(&[&lower(), &tar.end()], Options::for_layers()).unwrap();
    assert!(begin.elapsed() < std::time::Duration::from_mins(1), "{:?}", begin.elapsed());
    assert_eq!(place.names().len(), 10_001);
    // What is put there afterwards stays, and what comes from below still goes.
    let tar = Tar::default().file("d/.wh..wh..opq", "").file("d/new", "");
    over(
        tar.file("d/sub/new", "").file("d/.wh..wh..opq", ""),
        &["d/", "d/new", "d/sub/", "d/sub/new", "file", "link"],
    );
}

#[test]
fn a_deep_tree_is_replaced() {
    let deep = Tar::default().file(format!("d/{}f", "a/".repeat(600)), "").end();
    let place = Place::new();
    let file = Tar::default().file("d", "now a file").end();
    place.layers(&[&deep, &file], Options::for_layers()).unwrap();
    assert_eq!(place.read("d"), "now a file");
}
