//! Manifests of images: each rule, by a manifest that keeps it and one that does not.

use std::io::{self, Read};

use sandbox_image::aci::manifest::Event;
use sandbox_image::aci::{ImageManifest, MAX_DEPTH, MAX_MANIFEST};

use super::{error, errors, image, image_with_app, parse};

/// The example of the specification, shortened.
const EXAMPLE: &str = r#"{
    "acKind": "ImageManifest",
    "acVersion": "0.8.10",
    "name": "example.com/reduce-worker",
    "labels": [
        {"name": "version", "value": "1.0.0"},
        {"name": "arch", "value": "amd64"},
        {"name": "os", "value": "linux"}
    ],
    "app": {
        "exec": ["/usr/bin/reduce-worker", "--quiet"],
        "user": "100",
        "group": "300",
        "supplementaryGids": [400, 500],
        "eventHandlers": [
            {"exec": ["/usr/bin/data-downloader"], "name": "pre-start"},
            {"exec": ["/usr/bin/deregister-worker", "--verbose"], "name": "post-stop"}
        ],
        "workingDirectory": "/opt/work",
        "environment": [{"name": "REDUCE_WORKER_DEBUG", "value": "true"}],
        "isolators": [
            {"name": "resource/cpu", "value": {"request": "250m", "limit": "500m"}},
            {"name": "resource/memory", "value": {"request": "1G", "limit": "2G"}},
            {
                "name": "os/linux/capabilities-retain-set",
                "value": {"set": ["CAP_NET_BIND_SERVICE"]}
            }
        ],
        "mountPoints": [{"name": "work", "path": "/var/lib/work", "readOnly": false}],
        "ports": [
            {"name": "health", "port": 4000, "protocol": "tcp", "socketActivated": true},
            {"name": "ftp-data", "port": 20000, "count": 1000, "protocol": "tcp"}
        ],
        "userAnnotations": {"a": "b"},
        "userLabels": {"c": "d"}
    },
    "dependencies": [
        {
            "imageName": "example.com/reduce-worker-base",
            "imageID": "sha512-06c733b1838136838e6d2d3e8fa5aea4c7905e92",
            "labels": [{"name": "os", "value": "linux"}, {"name": "env", "value": "canary"}],
            "size": 22017258
        }
    ],
    "pathWhitelist": ["/etc/ca/example.com/crt", "/etc/systemd/system/"],
    "annotations": [
        {"name": "authors", "value": "Carly Container <carly@example.com>"},
        {"name": "created", "value": "2014-10-27T19:32:27.67021798Z"},
        {"name": "documentation", "value": "https://example.com/docs"},
        {"name": "homepage", "value": "https://example.com"},
        {"name": "appc.io/executor/supports-systemd-notify", "value": "false"}
    ]
}"#;

#[test]
fn the_example_of_the_specification() {
    let manifest = parse(EXAMPLE);
    let app = manifest.app.as_ref().unwrap();
    assert_eq!(app.supplementary_gids, [400, 500]);
    assert_eq!(app.event_handlers[1].name, Event::PostStop);
    assert_eq!(manifest.dependencies[0].size, Some(22_017_258));
    assert_eq!(manifest.path_whitelist[1].to_string(), "/etc/systemd/system");
    manifest.runnable().unwrap();
    // What is written is read as the same.
    let again = serde_json::to_vec(&manifest).unwrap();
    assert_eq!(ImageManifest::parse(&again).unwrap(), manifest);
}

#[test]
fn the_least() {
    let manifest = parse(&image(""));
    assert_eq!(manifest, ImageManifest::read(image("").as_bytes()).unwrap());
    assert!(manifest.app.is_none());
    let again = serde_json::to_string(&manifest).unwrap();
    assert!(!again.contains("app\""), "{again}");
    assert_eq!(parse(&again), manifest);
    assert_eq!(ImageManifest::new("example.com/test".parse().unwrap()), manifest);
}

#[test]
fn kind_and_version_come_first() {
    let head = |kind: &str, version: &str| {
        format!(r#"{{"acKind": {kind}, "acVersion": {version}, "name": 1}}"#)
    };
    let image = r#""ImageManifest""#;
    errors(&[
        (r#"{"name": "example.com/test"}"#.to_owned(), "the manifest: missing field `acKind`"),
        (r#"{"acKind": "ImageManifest"}"#.to_owned(), "the manifest: missing field `acVersion`"),
        (
            head(r#""PodManifest""#, r#""0.8.11""#),
            r#"acKind: "PodManifest" is not what is read here: "ImageManifest" is"#,
        ),
        (head(r#""""#, r#""0.8.11""#), r#"acKind: "" is not"#),
        (head("null", r#""0.8.11""#), "acKind: invalid type: null"),
        (head("1", r#""0.8.11""#), "acKind: invalid type: integer"),
        (head(image, "null"), "acVersion: invalid type: null"),
        (head(image, "0.8"), "acVersion: invalid type: floating point"),
        (head(image, r#""""#), r#"acVersion: "" is not a version"#),
        (head(image, r#""1.0.0""#), "acVersion: 1.0.0 is not a known version"),
        (head(image, r#""0.9.0""#), "acVersion: 0.9.0 is not a known version"),
        (head(image, r#""0.8.11""#), "name: invalid type: integer"),
    ]);
}

#[test]
fn what_is_not_json() {
    let deep = |open: &str, close: &str, depth: usize| {
        image(&format!(r#""x": {}1{}"#, open.repeat(depth), close.repeat(depth)))
    };
    errors(&[
        (String::new(), "the manifest: EOF while parsing"),
        ("malformedManifest".to_owned(), "the manifest: expected value"),
        ("[]".to_owned(), "the manifest: invalid"),
        ("null".to_owned(), "the manifest: invalid type: null"),
        (format!("{} x", image("")), "the manifest: trailing characters"),
        (image(r#""name": "other""#), "the manifest: duplicate field `name`"),
        (image(r#""labels": [}"#), "labels: expected value"),
        (image(r#""labels": ["#), "labels"),
        (deep("[", "]", MAX_DEPTH), "the manifest is nested more than 100 deep"),
        (deep(r#"{"a":"#, "}", MAX_DEPTH), "the manifest is nested more than 100 deep"),
        (deep("[", "]", 1_000_000), "the manifest is nested more than 100 deep"),
        ("[".repeat(1_000_000), "the manifest is nested more than 100 deep"),
    ]);
    parse(&deep("[", "]", MAX_DEPTH - 1));
    assert!(ImageManifest::parse(b"{\"acKind\": \"\xff\"}").is_err());
}

/// Gives spaces, and tells how many were taken.
struct Spaces<'a>(&'a mut u64);

impl Read for Spaces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(b' ');
        *self.0 += buffer.len() as u64;
        Ok(buffer.len())
    }
}

#[test]
fn what_is_too_long() {
    let mut taken = 0;
    let error = ImageManifest::read(Spaces(&mut taken)).unwrap_err();
    assert_eq!(error.to_string(), "the manifest has more than 16777216 bytes");
    assert!(taken < 2 * MAX_MANIFEST, "{taken}");
    let long = " ".repeat(usize::try_from(MAX_MANIFEST).unwrap());
    assert!(
        ImageManifest::parse(format!("{long} ").as_bytes())
            .unwrap_err()
            .to_string()
            .contains("more than")
    );
    let fits = format!("{}{}", image(""), &long[image("").len()..]);
    assert_eq!(fits.len() as u64, MAX_MANIFEST);
    parse(&fits);
}

#[test]
fn names_and_labels() {
    let labels = |pairs: &[(&str, &str)]| {
        let pairs = pairs
            .iter()
            .map(|(name, value)| format!(r#"{{"name": "{name}", "value": "{value}"}}"#));
        image(&format!(r#""labels": [{}]"#, pairs.collect::<Vec<_>>().join(",")))
    };
    let on = |os: &str, arch: &str| labels(&[("os", os), ("arch", arch)]);
    for arch in [
        "amd64",
        "i386",
        "aarch64",
        "aarch64_be",
        "armv6l",
        "armv7l",
        "armv7b",
        "ppc64",
        "ppc64le",
        "s390x",
    ] {
        parse(&on("linux", arch));
    }
    for (os, arch) in [
        ("freebsd", "amd64"),
        ("freebsd", "i386"),
        ("freebsd", "arm"),
        ("darwin", "x86_64"),
        ("darwin", "i386"),
    ] {
        parse(&on(os, arch));
    }
    parse(&labels(&[]));
    parse(&labels(&[("os", "linux")]));
    parse(&labels(&[("arch", "whatever")]));
    assert_eq!(parse(&image(r#""labels": [{"name": "env"}]"#)).labels[0].value, "");
    let bad_arch = "are known for linux";
    for arch in ["arm64", "arm64_be", "arm", "ppc64l", "ppc64b", "ppc64be", "S390x", "x86_64", ""] {
        let error = error(&on("linux", arch));
        assert!(
            error.starts_with(&format!("labels[1].value: {arch:?} is not valid: amd64, ")),
            "{error}"
        );
        assert!(error.ends_with(bad_arch), "{error}");
    }
    errors(&[
        (
            on("OS/360", "S/360"),
            r#"labels[0].value: "OS/360" is not valid: linux, freebsd, darwin are known"#,
        ),
        (
            on("freebsd", "armv7b"),
            r#"labels[1].value: "armv7b" is not valid: amd64, i386, arm are known for freebsd"#,
        ),
        (labels(&[("name", "x")]), r#"labels[0].name: "name" is not valid: it would be taken for"#),
        (
            labels(&[("os", "linux"), ("os", "freebsd")]),
            r#"labels[1].name: "os" is the name at labels[0].name already"#,
        ),
        (
            labels(&[("arch", "amd64"), ("os", "freebsd"), ("arch", "x86_64")]),
            r#"labels[2].name: "arch" is the name at labels[0].name already"#,
        ),
        (labels(&[("Os", "linux")]), r#"labels[0].name: "Os" is not an AC Identifier"#),
        (image(r#""labels": {"os": "linux"}"#), "labels: invalid type: map"),
        (image(r#""labels": [{"value": "linux"}]"#), "labels[0]: missing field `name`"),
        (
            image(r#""labels": [{"name": "os", "value": null}]"#),
            "labels[0].value: invalid type: null",
        ),
        (
            image("").replace("example.com/test", "Example"),
            r#"name: "Example" is not an AC Identifier: lower case"#,
        ),
        (
            image("").replace("example.com/test", ""),
            r#"name: "" is not an AC Identifier: a letter or a digit"#,
        ),
    ]);
}

#[test]
fn annotations() {
    let annotation =
        |name: &str, value: &str| format!(r#"{{"name": "{name}", "value": "{value}"}}"#);
    let with =
        |annotations: &[String]| image(&format!(r#""annotations": [{}]"#, annotations.join(",")));
    parse(&with(&[
        annotation("created", "2004-05-14T23:11:14+00:00"),
        annotation("documentation", "http://example.com/docs"),
    ]));
    parse(&with(&[annotation("foo", "bar"), annotation("homepage", "https://homepage.com")]));
    parse(&with(&[]));
    errors(&[
        (
            with(&[annotation("foo", "bar"), annotation("foo", "baz")]),
            r#"annotations[1].name: "foo" is the name at annotations[0].name"#,
        ),
        (
            with(&[annotation("created", "garbage")]),
            r#"annotations[0].value: "garbage" is not valid: a time as"#,
        ),
        (
            with(&[annotation("homepage", "not-A$@#URL")]),
            "annotations[0].value: \"not-A$@#URL\" is not valid: an address",
        ),
        (
            with(&[annotation("documentation", "ftp://isnotallowed.com")]),
            "annotations[0].value: \"ftp://",
        ),
        (
            with(&[annotation("Foo", "bar")]),
            r#"annotations[0].name: "Foo" is not an AC Identifier"#,
        ),
        (
            image(r#""annotations": [{"name": "a", "value": false}]"#),
            "annotations[0].value: invalid type: boolean",
        ),
    ]);
}

#[test]
fn dependencies_and_whitelists() {
    let dependency =
        |fields: &str| image(&format!(r#""dependencies": [{{"imageName": "a"}}, {{{fields}}}]"#));
    parse(&dependency(r#""imageName": "example.com/reduce-worker-base""#));
    parse(&dependency(r#""imageName": "a", "imageID": null, "size": 0, "labels": null"#));
    parse(&image(r#""pathWhitelist": ["/a/b", "/c/", "foo"]"#));
    errors(&[
        (dependency(""), "dependencies[1]: missing field `imageName`"),
        (
            dependency(r#""imageName": """#),
            r#"dependencies[1].imageName: "" is not an AC Identifier"#,
        ),
        (
            dependency(r#""imageName": "a", "imageID": "sha512-...""#),
            r#"dependencies[1].imageID: "sha512-..." is not an image ID"#,
        ),
        (
            dependency(r#""imageName": "a", "imageID": "sha256-aa""#),
            r#"dependencies[1].imageID: "sha256-aa" is not"#,
        ),
        (dependency(r#""imageName": "a", "size": -1"#), "dependencies[1].size: invalid value"),
        (
            dependency(r#""imageName": "a", "labels": [{"name": "os", "value": "beos"}]"#),
            r#"dependencies[1].labels[0].value: "beos" is not valid"#,
        ),
        (image(r#""pathWhitelist": ["/a", ""]"#), "pathWhitelist[1]: "),
        (image(r#""pathWhitelist": "/a""#), "pathWhitelist: invalid type: string"),
    ]);
}

#[test]
fn what_is_null_or_unknown() {
    let lists =
        r#""labels": null, "annotations": null, "dependencies": null, "pathWhitelist": null"#;
    assert_eq!(
        parse(&image(&format!(r#"{lists}, "app": null, "unknown": {{"a": [1]}}"#))),
        parse(&image(""))
    );
    let lists = r#""mountPoints": null, "ports": null, "isolators": null, "eventHandlers": null,
        "environment": null, "supplementaryGIDs": null, "workingDirectory": null, "unknown": 1"#;
    assert_eq!(parse(&image_with_app(lists)), parse(&image_with_app("")));
    let error = error(&image_with_app(r#""environment": [null]"#));
    assert!(error.starts_with("app.environment[0]: invalid type: null"), "{error}");
}
