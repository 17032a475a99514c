//! From manifests to what is run.

use sandbox_core::InsidePath;
use sandbox_image::aci::app::app;
use sandbox_image::app::{MountPoint, Port};

use super::{image, image_with_app, parse};

fn inside(path: &str) -> InsidePath {
    InsidePath::absolute(path, "path").unwrap()
}

#[test]
fn all_of_it() {
    let manifest = image(
        r#""app": {
            "exec": ["/bin/app", "-x", "$HOME"],
            "user": "daemon",
            "group": "/etc/hosts",
            "supplementaryGIDs": [7, 8],
            "workingDirectory": "/opt//work/",
            "environment": [{"name": "A", "value": "1"}, {"name": "B"}],
            "eventHandlers": [
                {"name": "post-stop", "exec": ["/stop"]},
                {"name": "pre-start", "exec": ["/start", "now"]}
            ],
            "mountPoints": [{"name": "db", "path": "/var/db", "readOnly": true}, {"name": "x", "path": "x"}],
            "ports": [{"name": "http", "protocol": "tcp", "port": 80, "socketActivated": true},
                      {"name": "many", "protocol": "udp", "port": 1, "count": 65535}],
            "isolators": [{"name": "os/linux/no-new-privileges", "value": true}]
        }"#,
    );
    let app = app(&parse(&manifest)).unwrap();
    assert_eq!(app.name, "test");
    assert_eq!(app.exec, ["/bin/app", "-x", "$HOME"]);
    assert_eq!((app.user.as_str(), app.group.as_deref()), ("daemon", Some("/etc/hosts")));
    assert_eq!(app.supplementary_gids, [7, 8]);
    assert_eq!(app.working_directory, inside("/opt/work"));
    assert_eq!(app.environment, [("A".into(), "1".into()), ("B".into(), "".into())]);
    assert_eq!(app.pre_start, Some(vec!["/start".into(), "now".into()]));
    assert_eq!(app.post_stop, Some(vec!["/stop".into()]));
    assert_eq!(
        app.mount_points,
        [
            MountPoint { name: "db".into(), path: inside("/var/db"), read_only: true },
            MountPoint { name: "x".into(), path: inside("/x"), read_only: false },
        ]
    );
    assert_eq!(
        app.ports,
        [
            Port {
                name: "http".into(),
                protocol: "tcp".into(),
                port: 80,
                count: 1,
                socket_activated: true,
            },
            Port {
                name: "many".into(),
                protocol: "udp".into(),
                port: 1,
                count: 65535,
                socket_activated: false,
            },
        ]
    );
    assert_eq!(app.isolators.len(), 1);
}

#[test]
fn as_little_as_there_can_be() {
    let least =
        app(&parse(&image_with_app(r#""eventHandlers": [{"name": "pre-start"}]"#))).unwrap();
    assert_eq!(least.exec, ["/app"]);
    assert!(least.working_directory.is_root());
    assert_eq!(least.pre_start, None);
    let none = app(&parse(&image(""))).unwrap();
    assert!(none.exec.is_empty());
    assert_eq!((none.name.as_str(), none.user.as_str(), none.group), ("test", "", None));
}

#[test]
fn a_path_with_a_nul_byte_names_its_field() {
    let manifest = parse(&image_with_app(r#""workingDirectory": "/a\u0000""#));
    let error = app(&manifest).unwrap_err().to_string();
    assert!(error.starts_with(r#"app.workingDirectory: "/a\0" is not valid"#), "{error}");
}
