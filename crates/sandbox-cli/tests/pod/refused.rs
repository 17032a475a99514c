//! What cannot be a pod.

use crate::images::{point, with_images};

#[test]
fn the_same_image_twice_has_a_name_twice() {
    with_images(|i| {
        let image = i.script("one", "echo no");
        i.pod(&[], &[image.clone(), image]).refused(&["name", "\"one\"", "used once"]);
    });
}

#[test]
fn a_mount_point_without_a_volume_is_named() {
    with_images(|i| {
        let image = i.image("one", "echo $(busybox ls /db)", point("database", "/db"));
        let images = [image];
        i.pod(&[], &images).refused(&["one", "database", "/db"]);
        let missing = format!("database={}", i.f.text("none"));
        i.pod(&["--volume", &missing], &images).refused(&[&i.f.text("none"), "No such file"]);
        let ran = i.pod(&["--volume", "database=empty"], &images);
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), "\n"), "{ran:?}");
    });
}

#[test]
fn what_is_no_image_is_named() {
    with_images(|i| {
        let tree = i.f.text("source/file");
        i.pod(&[], std::slice::from_ref(&tree)).refused(&[&tree]);
        i.pod(&[], &[i.f.text("none")]).refused(&["none", "No such file"]);
    });
}
