//! Manifests of pods.

use sandbox_image::aci::PodManifest;
use sandbox_image::aci::pod_manifest::{PodApp, Volume, VolumeKind};

const ID: &str = "sha512-06c733b1838136838e6d2d3e8fa5aea4c7905e92";

fn pod(fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { "," };
    format!(r#"{{"acKind": "PodManifest", "acVersion": "0.8.11"{comma} {fields}}}"#)
}

fn with_app(fields: &str) -> String {
    pod(&format!(r#""apps": [{{"name": "a", "image": {{"id": "{ID}"}}, {fields}}}]"#))
}

fn with_volume(fields: &str) -> String {
    pod(&format!(r#""volumes": [{{"name": "work", {fields}}}]"#))
}

#[track_caller]
fn parse(text: &str) -> PodManifest {
    PodManifest::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[track_caller]
fn errors(cases: &[(String, &str)]) {
    for (text, expected) in cases {
        let error = PodManifest::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}\n{expected}\n{text}");
    }
}

#[test]
fn a_pod_as_in_the_specification() {
    let text = format!(
        r#"{{
        "acVersion": "0.6.1",
        "acKind": "PodManifest",
        "apps": [
            {{
                "name": "reduce-worker",
                "image": {{
                    "name": "example.com/reduce-worker",
                    "id": "{ID}",
                    "labels": [{{"name": "version", "value": "1.0.0"}}]
                }},
                "app": {{
                    "exec": ["/bin/reduce-worker", "--debug=true"],
                    "group": "0",
                    "user": "0",
                    "mountPoints": [{{"name": "work", "path": "/mnt/foo"}}]
                }},
                "readOnlyRootFS": true,
                "mounts": [{{"volume": "work", "path": "/mnt/foo"}}]
            }},
            {{
                "name": "backup",
                "image": {{"id": "{ID}"}},
                "mounts": [{{
                    "volume": "work",
                    "path": "/mnt/bar",
                    "appVolume": {{"name": "own", "kind": "empty"}}
                }}],
                "annotations": [{{"name": "foo", "value": "baz"}}]
            }}
        ],
        "volumes": [
            {{"name": "work", "kind": "host", "source": "/opt/work", "readOnly": true, "recursive": true}},
            {{"name": "new", "kind": "empty", "mode": "0777", "uid": 1000, "gid": 1000}}
        ],
        "isolators": [{{"name": "resource/memory", "value": {{"limit": "4G"}}}}],
        "annotations": [{{"name": "ip-address", "value": "10.1.2.3"}}],
        "ports": [{{"name": "ftp", "hostPort": 2121}}],
        "userLabels": {{"a": "b"}}
    }}"#
    );
    let manifest = parse(&text);
    manifest.runnable().unwrap();
    assert!(manifest.apps[0].read_only_root_fs);
    assert!(!manifest.apps[1].read_only_root_fs);
    assert_eq!(manifest.volumes[1].kind, VolumeKind::Empty);
    assert_eq!(manifest.volumes[1].mode_bits(), 0o777);
    assert_eq!(manifest.ports[0].host_port, 2121);
    let again = serde_json::to_string(&manifest).unwrap();
    assert_eq!(parse(&again), manifest);
}

#[test]
fn what_is_made_here_is_read_here() {
    let mut manifest =
        PodManifest::new(vec![PodApp::new("a".parse().unwrap(), ID.parse().unwrap())]);
    manifest.volumes.push(Volume::empty("one".parse().unwrap()));
    manifest.volumes.push(Volume::host("two".parse().unwrap(), "/two".into()));
    manifest.check().unwrap();
    let text = serde_json::to_string(&manifest).unwrap();
    assert_eq!(parse(&text), manifest);
    assert_eq!(manifest.volumes[0].mode_bits(), 0o755);
}

#[test]
fn the_top() {
    let error = parse(&pod("")).runnable().unwrap_err();
    assert_eq!(error.to_string(), "apps: the pod has none");
    let lists =
        r#""apps": null, "volumes": null, "isolators": null, "annotations": null, "ports": null"#;
    assert_eq!(parse(&pod(lists)), parse(&pod("")));
    errors(&[
        ("{}".to_owned(), "the manifest: missing field `acKind`"),
        (
            pod("").replace("Pod", "Image"),
            r#"acKind: "ImageManifest" is not what is read here: "PodManifest" is"#,
        ),
        (pod("").replace("0.8.11", "2.0.0"), "acVersion: 2.0.0 is not a known version"),
        (
            pod(r#""ports": [{"name": "a", "hostPort": 0}]"#),
            r#"ports[0].hostPort: "0" is not valid"#,
        ),
        (pod(r#""ports": [{"name": "a", "hostPort": 65536}]"#), r#"ports[0].hostPort: "65536""#),
        (
            pod(r#""ports": [{"name": "A", "hostPort": 1}]"#),
            r#"ports[0].name: "A" is not an AC Name"#,
        ),
        (
            pod(r#""annotations": [{"name": "created", "value": "now"}]"#),
            r#"annotations[0].value: "now" is not valid"#,
        ),
        (
            pod(r#""isolators": [{"name": "resource/memory", "value": {"limit": "x"}}]"#),
            r#"isolators[0].value.limit: "x" is not a quantity"#,
        ),
    ]);
}

#[test]
fn apps() {
    parse(&with_app(r#""app": null, "mounts": null, "annotations": null"#));
    let twice = format!(r#"{{"name": "a", "image": {{"id": "{ID}"}}}}"#);
    errors(&[
        (
            pod(&format!(r#""apps": [{twice}, {twice}]"#)),
            r#"apps[1].name: "a" is the name at apps[0].name"#,
        ),
        (pod(r#""apps": [{"name": "a"}]"#), "apps[0]: missing field `image`"),
        (pod(r#""apps": [{"name": "a", "image": {}}]"#), "apps[0].image: missing field `id`"),
        (
            pod(r#""apps": [{"name": "a", "image": {"id": "x"}}]"#),
            r#"apps[0].image.id: "x" is not an image ID"#,
        ),
        (
            pod(&format!(
                r#""apps": [{{"name": "a", "image": {{"id": "{ID}", "labels": [{{"name": "name"}}]}}}}]"#
            )),
            r#"apps[0].image.labels[0].name: "name" is not valid"#,
        ),
        (
            pod(&format!(r#""apps": [{{"name": "a/b", "image": {{"id": "{ID}"}}}}]"#)),
            r#"apps[0].name: "a/b" is not an AC Name"#,
        ),
        (with_app(r#""app": {"user": "0"}"#), "apps[0].app: missing field `group`"),
        (
            with_app(r#""app": {"user": "0", "group": "0", "environment": [{"name": "1"}]}"#),
            r#"apps[0].app.environment[0].name: "1" is not valid"#,
        ),
        (with_app(r#""readOnlyRootFS": 1"#), "apps[0].readOnlyRootFS: invalid type: integer"),
        (with_app(r#""mounts": [{"path": "/a"}]"#), "apps[0].mounts[0]: missing field `volume`"),
        (with_app(r#""mounts": [{"volume": "a"}]"#), "apps[0].mounts[0]: missing field `path`"),
        (with_app(r#""mounts": [{"volume": "a", "path": ""}]"#), "apps[0].mounts[0].path: "),
        (
            with_app(
                r#""mounts": [{"volume": "a", "path": "/a", "appVolume": {"name": "a", "kind": "host"}}]"#,
            ),
            r#"apps[0].mounts[0].appVolume.source: "" is not valid"#,
        ),
        (
            with_app(
                r#""annotations": [{"name": "a", "value": "b"}, {"name": "a", "value": "c"}]"#,
            ),
            r#"apps[0].annotations[1].name: "a" is the name at"#,
        ),
    ]);
}

#[test]
fn volumes() {
    for good in [
        r#""kind": "host", "source": "/tmp""#,
        r#""kind": "host", "source": "/tmp", "readOnly": false"#,
        r#""kind": "host", "source": "/tmp", "readOnly": true, "recursive": false"#,
        r#""kind": "empty""#,
        r#""kind": "empty", "source": """#,
        r#""kind": "empty", "readOnly": true, "mode": "0777""#,
        r#""kind": "empty", "mode": "7777", "uid": 1000, "gid": 1000"#,
    ] {
        parse(&with_volume(good));
    }
    let twice = r#"{"name": "a", "kind": "empty"}"#;
    errors(&[
        (
            with_volume(r#""kind": "empty", "source": "/tmp""#),
            r#"volumes[0].source: "/tmp" is not valid: an empty volume"#,
        ),
        (
            with_volume(r#""kind": "host""#),
            r#"volumes[0].source: "" is not valid: an absolute path"#,
        ),
        (
            with_volume(r#""kind": "host", "source": "tmp""#),
            r#"volumes[0].source: "tmp" is not valid"#,
        ),
        (
            with_volume(r#""kind": "host", "source": "/a", "mode": "0755""#),
            r#"volumes[0].mode: "0755" is not valid: a volume of the host"#,
        ),
        (
            with_volume(r#""kind": "host", "source": "/a", "uid": 0"#),
            r#"volumes[0].uid: "0" is not valid"#,
        ),
        (
            with_volume(r#""kind": "host", "source": "/a", "gid": 0"#),
            r#"volumes[0].gid: "0" is not valid"#,
        ),
        (
            with_volume(r#""kind": "nfs""#),
            "volumes[0].kind: unknown variant `nfs`, expected `empty` or `host`",
        ),
        (with_volume(r#""source": "/a""#), "volumes[0]: missing field `kind`"),
        (
            with_volume(r#""kind": "empty", "mode": "rwx""#),
            r#"volumes[0].mode: "rwx" is not valid: octal digits"#,
        ),
        (with_volume(r#""kind": "empty", "mode": "888""#), r#"volumes[0].mode: "888""#),
        (with_volume(r#""kind": "empty", "mode": "10000""#), r#"volumes[0].mode: "10000""#),
        (with_volume(r#""kind": "empty", "mode": "+755""#), r#"volumes[0].mode: "+755""#),
        (with_volume(r#""kind": "empty", "mode": """#), r#"volumes[0].mode: """#),
        (with_volume(r#""kind": "empty", "uid": -1"#), "volumes[0].uid: invalid value"),
        (
            pod(&format!(r#""volumes": [{twice}, {twice}]"#)),
            r#"volumes[1].name: "a" is the name at volumes[0].name"#,
        ),
        (
            pod(r##""volumes": [{"name": "#foobar", "kind": "empty"}]"##),
            r##"volumes[0].name: "#foobar" is not an AC Name"##,
        ),
    ]);
}
