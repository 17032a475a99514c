//! Who an app is.

use sandbox_image::app::App;

use crate::run::{is_privileged, options, output, script, tree};

fn ids(user: &str, group: Option<&str>) -> App {
    let mut app = script("id -u; id -g");
    user.clone_into(&mut app.user);
    app.group = group.map(str::to_owned);
    app
}

#[test]
fn an_app_is_the_user_that_its_image_names() {
    let Some(tree) = tree() else { return };
    for (user, group, expected) in [
        ("", None, "0\n0\n"),
        ("root", None, "0\n0\n"),
        ("web", None, "33\n34\n"),
        ("33", Some("www"), "33\n40\n"),
        ("77", Some("78"), "77\n78\n"),
        ("0", Some("40"), "0\n40\n"),
    ] {
        assert_eq!(output(&tree, &ids(user, group), &options()), expected, "{user} {group:?}");
    }
}

#[test]
fn with_privilege_files_are_held_against_the_real_user() {
    let Some(tree) = tree() else { return };
    let mut app = ids("web", None);
    app.exec = script("cat /etc/secret 2> /dev/null || echo denied").exec;
    std::fs::write(tree.inside("etc/secret"), "secret\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(tree.inside("etc/secret"), mode).unwrap();
    let expected = if is_privileged() { "denied\n" } else { "secret\n" };
    assert_eq!(output(&tree, &app, &options()), expected);
    app.user = "0".to_owned();
    assert_eq!(output(&tree, &app, &options()), "secret\n");
}
