//! What a manifest says of its app: each rule, by a manifest that keeps it and one that does not.

use super::{error, errors, image, image_with_app, parse};

#[test]
fn apps() {
    for good in [
        r#""exec": ["/bin/httpd"], "user": "0", "group": "0""#,
        r#""exec": ["app", "arg1"], "user": "root", "group": "/bin/ping""#,
        r#""exec": [], "user": "0", "group": "0""#,
        r#""user": "0", "group": "0""#,
        r#""user": "0", "group": "0", "workingDirectory": """#,
    ] {
        parse(&image(&format!(r#""app": {{{good}}}"#)));
    }
    let app = |fields: &str| image(&format!(r#""app": {{{fields}}}"#));
    errors(&[
        (app(r#""exec": ["/app"]"#), "app: missing field `user`"),
        (app(r#""exec": ["/app"], "user": "0""#), "app: missing field `group`"),
        (app(r#""user": "", "group": "0""#), r#"app.user: "" is not valid: a name, a number"#),
        (app(r#""user": "0", "group": """#), r#"app.group: "" is not valid"#),
        (app(r#""user": null, "group": "0""#), "app.user: invalid type: null"),
        (app(r#""user": 0, "group": "0""#), "app.user: invalid type: integer"),
        (image(r#""app": []"#), "app: "),
        (
            image_with_app(r#""workingDirectory": "opt""#),
            r#"app.workingDirectory: "opt" is not valid: an absolute path"#,
        ),
        (
            image_with_app(r#""supplementaryGIDs": [1, -1]"#),
            "app.supplementaryGIDs[1]: invalid value",
        ),
        (
            image_with_app(r#""supplementaryGIDs": [4294967296]"#),
            "app.supplementaryGIDs[0]: invalid value",
        ),
        (app(r#""exec": "/app", "user": "0", "group": "0""#), "app.exec: invalid type: string"),
        (
            app(r#""exec": ["/app", 1], "user": "0", "group": "0""#),
            "app.exec[1]: invalid type: integer",
        ),
        (image_with_app(r#""userLabels": {"a": 1}"#), "app.userLabels.a: invalid type: integer"),
        (image_with_app(r#""userAnnotations": []"#), "app.userAnnotations: invalid type: sequence"),
    ]);
}

#[test]
fn what_can_be_run() {
    parse(&image_with_app("")).runnable().unwrap();
    let error = parse(&image("")).runnable().unwrap_err().to_string();
    assert_eq!(error, "app: the image does not say what it runs: give a command");
    let empty = image(r#""app": {"exec": [], "user": "0", "group": "0"}"#);
    let error = parse(&empty).runnable().unwrap_err().to_string();
    assert!(error.starts_with("app.exec: it is empty"), "{error}");
}

#[test]
fn event_handlers() {
    let handlers = |names: &[&str]| {
        let names = names.iter().map(|name| format!(r#"{{"name": {name}, "exec": ["/x"]}}"#));
        image_with_app(&format!(r#""eventHandlers": [{}]"#, names.collect::<Vec<_>>().join(",")))
    };
    let (start, stop) = (r#""pre-start""#, r#""post-stop""#);
    parse(&handlers(&[start, stop]));
    errors(&[
        (
            handlers(&[start, start]),
            r#"app.eventHandlers[1].name: "pre-start" is the name at app.eventHandlers[0].name"#,
        ),
        (
            handlers(&[stop, start, stop]),
            r#"app.eventHandlers[2].name: "post-stop" is the name at app.eventHandlers[0].name"#,
        ),
        (
            handlers(&[r#""""#]),
            "app.eventHandlers[0].name: unknown variant ``, expected `pre-start` or `post-stop`",
        ),
        (
            handlers(&[start, r#""prestart""#]),
            "app.eventHandlers[1].name: unknown variant `prestart`",
        ),
        (
            image_with_app(r#""eventHandlers": [{"exec": ["/x"]}]"#),
            "app.eventHandlers[0]: missing field `name`",
        ),
    ]);
}

#[test]
fn environments() {
    let environment = |names: &[&str]| {
        let names = names.iter().map(|name| format!(r#"{{"name": "{name}", "value": "true"}}"#));
        image_with_app(&format!(r#""environment": [{}]"#, names.collect::<Vec<_>>().join(",")))
    };
    for good in ["DEBUG", "_0_DEBUG_0_", "DEBUG.0", "DEBUG-0", "a", "_"] {
        parse(&environment(&[good]));
    }
    for bad in ["", "0DEBUG", "VERBOSE|DEBUG", "A=B", "A B", ".A", "-A", "\u{e9}"] {
        let error = error(&environment(&["GOOD", bad]));
        assert!(
            error.starts_with(&format!("app.environment[1].name: {bad:?} is not valid")),
            "{error}"
        );
    }
    errors(&[
        (
            environment(&["A", "B", "A"]),
            r#"app.environment[2].name: "A" is the name at app.environment[0].name"#,
        ),
        (image_with_app(r#""environment": {"A": "B"}"#), "app.environment: invalid type: map"),
        (
            image_with_app(r#""environment": [{"name": "A", "value": 1}]"#),
            "app.environment[0].value: invalid type",
        ),
    ]);
}

#[test]
fn mount_points_and_ports() {
    let points = |points: &str| image_with_app(&format!(r#""mountPoints": [{points}]"#));
    let ports = |ports: &str| image_with_app(&format!(r#""ports": [{ports}]"#));
    let range = |port: &str, count: &str| {
        ports(&format!(r#"{{"name": "a", "protocol": "tcp", "port": {port}, "count": {count}}}"#))
    };
    let point = r#"{"name": "work", "path": "/var/lib/work", "readOnly": true}"#;
    parse(&points(point));
    for (port, count) in
        [("1", "0"), ("65535", "1"), ("65535", "0"), ("1", "65535"), ("65000", "536")]
    {
        parse(&range(port, count));
    }
    errors(&[
        (
            points(&format!(r#"{point}, {{"name": "Foo", "path": "/x"}}"#)),
            r#"app.mountPoints[1].name: "Foo" is not an AC Name"#,
        ),
        (
            points(&format!("{point}, {point}")),
            r#"app.mountPoints[1].name: "work" is the name at app.mountPoints[0].name"#,
        ),
        (points(r#"{"name": "a", "path": ""}"#), "app.mountPoints[0].path: "),
        (points(r#"{"name": "a"}"#), "app.mountPoints[0]: missing field `path`"),
        (points(r#"{"path": "/a"}"#), "app.mountPoints[0]: missing field `name`"),
        (
            points(r#"{"name": "a", "path": "/a", "readOnly": "yes"}"#),
            "app.mountPoints[0].readOnly: invalid type: string",
        ),
        (points(r#"{"name": "a", "path": "/a\u0000b"}"#), "app.mountPoints[0].path: "),
        (range("0", "1"), r#"app.ports[0].port: "0" is not valid: 1 to 65535 are"#),
        (range("65536", "1"), r#"app.ports[0].port: "65536" is not valid"#),
        (range("-1", "1"), "app.ports[0].port: invalid value: integer `-1`"),
        (range("80.5", "1"), "app.ports[0].port: invalid type: floating point"),
        (range(r#""80""#, "1"), "app.ports[0].port: invalid type: string"),
        (
            range("65535", "2"),
            r#"app.ports[0].count: "2" is not valid: from port 65535 on there are none after 65535"#,
        ),
        (range("2", "18446744073709551615"), "app.ports[0].count: "),
        (ports(r#"{"protocol": "tcp", "port": 1}"#), "app.ports[0]: missing field `name`"),
        (ports(r#"{"name": "a", "port": 1}"#), "app.ports[0]: missing field `protocol`"),
        (ports(r#"{"name": "a", "protocol": "tcp"}"#), "app.ports[0]: missing field `port`"),
        (
            ports(r#"{"name": "a.b", "protocol": "tcp", "port": 1}"#),
            r#"app.ports[0].name: "a.b" is not an AC Name"#,
        ),
        (
            ports(
                r#"{"name": "a", "protocol": "tcp", "port": 1}, {"name": "a", "protocol": "udp", "port": 1}"#,
            ),
            r#"app.ports[1].name: "a" is the name at app.ports[0].name"#,
        ),
    ]);
}
