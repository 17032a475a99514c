//! Isolators: the values that each may have, and which go together.

use sandbox_image::aci::app;
use sandbox_image::app::{Isolator, SeccompSet};
use serde_json::json;

use super::{error, errors, image, image_with_app, parse};

fn with(isolators: &str) -> String {
    image_with_app(&format!(r#""isolators": [{isolators}]"#))
}

fn isolator(name: &str, value: &str) -> String {
    format!(r#"{{"name": "{name}", "value": {value}}}"#)
}

#[track_caller]
fn read(isolators: &str) -> Vec<Isolator> {
    app::app(&parse(&with(isolators))).unwrap().isolators
}

#[test]
fn values_that_are_good() {
    for (name, value) in [
        ("os/linux/no-new-privileges", "true"),
        ("os/linux/no-new-privileges", "false"),
        ("os/linux/capabilities-retain-set", r#"{"set": ["CAP_KILL"]}"#),
        ("os/linux/capabilities-retain-set", r#"{"set": ["CAP_PONIES"]}"#),
        ("os/linux/capabilities-remove-set", r#"{"set": ["CAP_SYS_ADMIN", "CAP_CHOWN"]}"#),
        ("os/linux/seccomp-remove-set", r#"{"set": ["@appc.io/empty"], "errno": "EACCESS"}"#),
        ("os/linux/seccomp-remove-set", r#"{"set": ["chmod", "chown"], "errno": ""}"#),
        ("os/linux/seccomp-remove-set", r#"{"set": ["chmod", "chown"]}"#),
        ("os/linux/seccomp-retain-set", r#"{"set": ["@appc.io/all"], "errno": "E2BIG"}"#),
        ("resource/block-bandwidth", r#"{"default": true, "limit": "1G"}"#),
        ("resource/block-iops", r#"{"default": true, "limit": "1G"}"#),
        ("resource/network-bandwidth", r#"{"default": true, "limit": "1G"}"#),
        ("resource/cpu", r#"{"request": "30m", "limit": "1m"}"#),
        ("resource/cpu", r#"{"request": "345", "limit": "6"}"#),
        ("resource/memory", r#"{"request": "1G", "limit": "2Gi"}"#),
        ("resource/memory", r#"{"default": false, "limit": "200M", "request": null}"#),
        ("os/linux/oom-score-adj", "-1000"),
        ("os/linux/oom-score-adj", "1000"),
        ("os/linux/cpu-shares", "2"),
        ("os/linux/cpu-shares", "262144"),
        (
            "os/linux/selinux-context",
            r#"{"user": "system_u", "role": "system_r", "type": "dhcpc_t", "level": "s0:c1"}"#,
        ),
        ("os/unix/sysctl", r#"{"net.ipv4.tcp_rfc1337": "1"}"#),
        ("resource/network-ponies", "0"),
        ("example.com/anything", r#"{"a": [null, {"b": 1.5}]}"#),
    ] {
        assert_eq!(read(&isolator(name, value)).len(), 1, "{name} {value}");
    }
}

/// The error of each value begins so, behind the field.
#[track_caller]
fn value_errors(cases: &[(&str, &str, &str)]) {
    for (name, value, expected) in cases {
        let error = error(&with(&isolator(name, value)));
        let expected = format!("app.isolators[0].value{expected}");
        assert!(error.starts_with(&expected), "{error}\n{expected}");
    }
}

#[test]
fn values_of_linux_isolators_that_are_not() {
    value_errors(&[
        ("os/linux/no-new-privileges", "123", ": invalid type: integer `123`, expected a boolean"),
        ("os/linux/no-new-privileges", r#"{"set": ["CAP_KILL"]}"#, ": invalid type: map"),
        ("os/linux/no-new-privileges", r#""foo""#, r#": invalid type: string "foo""#),
        ("os/linux/no-new-privileges", "null", ": invalid type: null"),
        (
            "os/linux/capabilities-retain-set",
            r#"{"set": []}"#,
            r#".set: "" is not valid: name one"#,
        ),
        (
            "os/linux/capabilities-remove-set",
            r#"{"set": []}"#,
            r#".set: "" is not valid: name one"#,
        ),
        ("os/linux/capabilities-retain-set", "{}", ": missing field `set`"),
        (
            "os/linux/capabilities-retain-set",
            r#"{"set": "CAP_PONIES"}"#,
            ".set: invalid type: string",
        ),
        (
            "os/linux/capabilities-retain-set",
            r#"{"set": ["CAP_KILL", 1]}"#,
            ".set[1]: invalid type: integer",
        ),
        ("os/linux/seccomp-remove-set", r#"{"set": []}"#, r#".set: "" is not valid: name one"#),
        (
            "os/linux/seccomp-retain-set",
            r#"{"set": [], "errno": "eaccess"}"#,
            r#".set: "" is not valid"#,
        ),
        (
            "os/linux/seccomp-retain-set",
            r#"{"set": ["chmod"], "errno": "eaccess"}"#,
            r#".errno: "eaccess" is not valid: the name of an error number"#,
        ),
        (
            "os/linux/seccomp-remove-set",
            r#"{"set": ["chmod"], "errno": "-EPERM"}"#,
            r#".errno: "-EPERM" is not valid"#,
        ),
        (
            "os/linux/seccomp-remove-set",
            r#"{"set": ["chmod"], "errno": 1}"#,
            ".errno: invalid type: integer",
        ),
        ("os/linux/oom-score-adj", "1001", r#": "1001" is not valid: -1000 to 1000 are"#),
        ("os/linux/oom-score-adj", "-1001", r#": "-1001" is not valid"#),
        ("os/linux/oom-score-adj", r#""1""#, ": invalid type: string"),
        ("os/linux/cpu-shares", "1", r#": "1" is not valid: 2 to 262144 are"#),
        ("os/linux/cpu-shares", "262145", r#": "262145" is not valid"#),
        (
            "os/linux/selinux-context",
            r#"{"user": "a:b", "role": "r", "type": "t", "level": "s0"}"#,
            r#".user: "a:b" is not valid"#,
        ),
        (
            "os/linux/selinux-context",
            r#"{"user": "u", "role": "", "type": "t", "level": "s0"}"#,
            r#".role: "" is not valid"#,
        ),
        (
            "os/linux/selinux-context",
            r#"{"user": "u", "role": "r", "type": "t:", "level": "s0"}"#,
            r#".type: "t:" is not valid"#,
        ),
        (
            "os/linux/selinux-context",
            r#"{"user": "u", "role": "r", "type": "t", "level": ""}"#,
            r#".level: "" is not valid"#,
        ),
        (
            "os/linux/selinux-context",
            r#"{"user": "u", "role": "r", "type": "t"}"#,
            ": missing field `level`",
        ),
        (
            "os/unix/sysctl",
            r#"{"net.ipv4.tcp_rfc1337": 1}"#,
            ".net.ipv4.tcp_rfc1337: invalid type: integer",
        ),
        ("os/unix/sysctl", r#"["net.ipv4.tcp_rfc1337"]"#, ": invalid type: sequence"),
    ]);
    let error = error(&with(r#"{"name": "Resource/CPU", "value": {}}"#));
    assert!(
        error.starts_with(r#"app.isolators[0].name: "Resource/CPU" is not an AC Identifier"#),
        "{error}"
    );
}

#[test]
fn values_of_resources_that_are_not() {
    value_errors(&[
        (
            "resource/block-bandwidth",
            r#"{"default": false, "limit": "1G"}"#,
            r#".default: "false" is not valid: it must be true"#,
        ),
        (
            "resource/block-bandwidth",
            r#"{"request": "30G", "limit": "1G"}"#,
            r#".default: "false" is not valid"#,
        ),
        ("resource/block-bandwidth", r#"{"default": true, "request": "30G"}"#, ".request: "),
        ("resource/block-iops", r#"{"default": false, "limit": "1G"}"#, ".default: "),
        (
            "resource/block-iops",
            r#"{"default": true, "request": "30G", "limit": "1G"}"#,
            ".request: ",
        ),
        ("resource/network-bandwidth", r#"{"default": false, "limit": "1G"}"#, ".default: "),
        ("resource/network-bandwidth", r#"{"limit": "1G"}"#, ".default: "),
        (
            "resource/memory",
            r#"{"default": true, "request": "1G", "limit": "2G"}"#,
            r#".default: "true" is not valid: this resource has no default"#,
        ),
        (
            "resource/memory",
            r#"{"limit": "such garbage"}"#,
            r#".limit: "such garbage" is not a quantity"#,
        ),
        ("resource/memory", r#"{"limit": ""}"#, r#".limit: "" is not a quantity"#),
        ("resource/memory", r#"{"limit": "-1"}"#, r#".limit: "-1" is less than nothing"#),
        (
            "resource/memory",
            r#"{"request": "1E400"}"#,
            r#".request: "1E400" is more than can be counted"#,
        ),
        ("resource/cpu", r#"{"default": true, "limit": "1"}"#, ".default: "),
        (
            "resource/cpu",
            r#"{"limit": "1E"}"#,
            r#".limit: "1000000000000000000" is not valid: it is more"#,
        ),
    ]);
}

#[test]
fn what_they_become() {
    let isolators = [
        isolator("resource/cpu", r#"{"request": "30m", "limit": 1.5}"#),
        isolator("resource/memory", r#"{"request": "1G", "limit": "2Gi"}"#),
        isolator("os/linux/capabilities-retain-set", r#"{"set": ["CAP_KILL"]}"#),
        isolator("os/linux/seccomp-remove-set", r#"{"set": ["chmod"], "errno": "ENOTSUP"}"#),
        isolator("os/linux/no-new-privileges", "true"),
        isolator("os/unix/sysctl", r#"{"net.ipv4.tcp_rfc1337": "1"}"#),
        isolator("resource/network-ponies", "0"),
    ];
    let other = |name: &str, value| Isolator::Other { name: name.to_owned(), value };
    assert_eq!(
        read(&isolators.join(",")),
        [
            Isolator::Cpu { request: Some(30), limit: Some(1500) },
            Isolator::Memory { request: Some(1_000_000_000), limit: Some(2_147_483_648) },
            Isolator::CapabilitiesRetain(vec!["CAP_KILL".to_owned()]),
            Isolator::SeccompRemove(SeccompSet {
                set: vec!["chmod".to_owned()],
                errno: Some("ENOTSUP".to_owned()),
            }),
            Isolator::NoNewPrivileges(true),
            other("os/unix/sysctl", json!({"net.ipv4.tcp_rfc1337": "1"})),
            other("resource/network-ponies", json!(0)),
        ]
    );
    let seccomp =
        read(&isolator("os/linux/seccomp-retain-set", r#"{"set": ["read"], "errno": ""}"#));
    assert_eq!(
        seccomp,
        [Isolator::SeccompRetain(SeccompSet { set: vec!["read".to_owned()], errno: None })]
    );
    let removed = read(&isolator("os/linux/capabilities-remove-set", r#"{"set": ["CAP_MKNOD"]}"#));
    assert_eq!(removed, [Isolator::CapabilitiesRemove(vec!["CAP_MKNOD".to_owned()])]);
}

#[test]
fn which_go_together() {
    let capabilities = |kind: &str| {
        isolator(&format!("os/linux/capabilities-{kind}-set"), r#"{"set": ["CAP_KILL"]}"#)
    };
    let seccomp =
        |kind: &str| isolator(&format!("os/linux/seccomp-{kind}-set"), r#"{"set": ["chmod"]}"#);
    let both = |first: String, second: String| with(&format!("{first}, {second}"));
    errors(&[
        (
            both(capabilities("retain"), capabilities("remove")),
            "app.isolators[1]: os/linux/capabilities-remove-set cannot be used with \
             os/linux/capabilities-retain-set, at app.isolators[0]",
        ),
        (
            both(seccomp("remove"), seccomp("retain")),
            "app.isolators[1]: os/linux/seccomp-retain-set cannot be used with \
             os/linux/seccomp-remove-set, at app.isolators[0]",
        ),
        (
            both(seccomp("remove"), seccomp("remove")),
            r#"app.isolators[1].name: "os/linux/seccomp-remove-set" is the name at app.isolators[0].name"#,
        ),
        (
            both(isolator("os/linux/cpu-shares", "2"), isolator("os/linux/cpu-shares", "3")),
            r#"app.isolators[1].name: "os/linux/cpu-shares" is the name at"#,
        ),
    ]);
    // Of these the last one counts, and the others must be good nevertheless.
    let memory = |limit: &str| isolator("resource/memory", &format!(r#"{{"limit": "{limit}"}}"#));
    let limits = read(&[memory("1"), capabilities("remove"), memory("2")].join(","));
    assert_eq!(limits[1], Isolator::Memory { request: None, limit: Some(2) });
    assert_eq!(limits.len(), 2);
    assert!(error(&both(memory("x"), memory("2"))).starts_with("app.isolators[0].value.limit"));
}

#[test]
fn a_value_may_be_absent_only_where_nothing_is_known_of_it() {
    assert_eq!(read(r#"{"name": "example.com/flag"}"#).len(), 1);
    let error = error(&with(r#"{"name": "resource/memory"}"#));
    assert!(error.starts_with("app.isolators[0].value: invalid type: null"), "{error}");
    assert!(parse(&image("")).app.is_none());
}
