//! Names, volumes and the manifest.

use serde_json::json;

use super::*;

fn at(path: &str) -> InsidePath {
    InsidePath::absolute(path, "path").unwrap()
}

fn id() -> String {
    format!("sha512-{}", "0a".repeat(64))
}

fn image(name: &str, points: &[(&str, &str)]) -> PodImage {
    let point = |&(name, path): &(&str, &str)| MountPoint {
        name: name.into(),
        path: at(path),
        read_only: name.ends_with("ro"),
    };
    PodImage {
        name: name.into(),
        id: id(),
        labels: vec![("os".into(), "linux".into())],
        mount_points: points.iter().map(point).collect(),
    }
}

fn host(name: &str, read_only: bool) -> PodVolume {
    PodVolume { name: name.into(), source: VolumeSource::Host("/srv/data".into()), read_only }
}

fn planned(pod: &Pod, missing: Missing) -> Result<PodPlan, String> {
    plan(pod, Uuid::nil(), missing).map_err(|error| error.to_string())
}

/// App, volume, path, and whether it is read-only.
fn mounts(plan: &PodPlan) -> Vec<(&str, &str, String, bool)> {
    plan.apps
        .iter()
        .flat_map(|app| app.mounts.iter().map(move |mount| (app, mount)))
        .map(|(app, mount)| {
            (&app.name[..], &mount.volume[..], mount.path.to_string(), mount.read_only)
        })
        .collect()
}

#[test]
fn names_of_apps() {
    for (image, expected) in [
        ("coreos.com/ace-validator-main", "ace-validator-main"),
        ("example.com/a/reduce_worker.v1", "reduce-worker-v1"),
        ("plain", "plain"),
        ("a/B~~c-", "b-c"),
        ("a/", ""),
        ("", ""),
    ] {
        assert_eq!(app_name(image), expected, "{image}");
        assert_eq!(is_ac_name(&app_name(image)), !expected.is_empty());
    }
    for name in ["", "-", "a-", "-a", "a--b", "A", "a.b", "a_b", "é"] {
        assert!(!is_ac_name(name), "{name}");
    }
}

#[test]
fn images_share_volumes_of_the_same_name() {
    let images = [
        image("a.com/one", &[("db", "/db"), ("conf-ro", "/conf")]),
        image("b.com/two", &[("db", "/var/db"), ("cache", "/cache")]),
    ];
    let pod = Pod::of_images(images, vec![host("cache", true)]);
    let plan = planned(&pod, Missing::Empty).unwrap();
    assert_eq!(
        mounts(&plan),
        [
            ("one", "conf-ro", "/conf".to_owned(), true),
            ("one", "db", "/db".to_owned(), false),
            ("two", "cache", "/cache".to_owned(), true),
            ("two", "db", "/var/db".to_owned(), false),
        ]
    );
    let volumes: Vec<_> =
        plan.volumes.iter().map(|volume| (&volume.name[..], &volume.source)).collect();
    assert_eq!(
        volumes,
        [
            ("cache", &VolumeSource::Host("/srv/data".into())),
            ("db", &VolumeSource::Empty),
            ("conf-ro", &VolumeSource::Empty),
        ]
    );
}

#[test]
fn mounts_of_a_manifest_go_before_names() {
    let mut pod = Pod::of_images([image("a", &[("db", "/db")])], vec![host("work", false)]);
    pod.apps[0].mounts = vec![
        PodMount { volume: "work".into(), path: at("/db") },
        PodMount { volume: "work".into(), path: at("/more") },
    ];
    let plan = planned(&pod, Missing::Refused).unwrap();
    let more = ("a", "work", "/more".to_owned(), false);
    assert_eq!(mounts(&plan), [("a", "work", "/db".to_owned(), false), more]);
}

#[test]
fn the_manifest_leaves_nothing_open() {
    let mut pod = Pod::of_images([image("a.com/one", &[("db", "/db")])], vec![host("extra", true)]);
    pod.annotations = vec![Annotation { name: "ip-address".into(), value: "10.1.2.3".into() }];
    pod.apps[0].app = Some(json!({ "exec": ["/x"], "user": "0", "group": "0" }));
    pod.isolators = vec![json!({ "name": "resource/memory", "value": { "limit": "4G" } })];
    let plan = planned(&pod, Missing::Empty).unwrap();
    let manifest: Value = serde_json::from_slice(&plan.manifest).unwrap();
    assert_eq!(
        manifest,
        json!({
            "acVersion": "0.8.11",
            "acKind": "PodManifest",
            "apps": [{
                "name": "one",
                "image": {
                    "name": "a.com/one",
                    "id": id(),
                    "labels": [{ "name": "os", "value": "linux" }],
                },
                "app": { "exec": ["/x"], "user": "0", "group": "0" },
                "mounts": [{ "volume": "db", "path": "/db" }],
                "annotations": [],
            }],
            "volumes": [
                { "name": "extra", "kind": "host", "source": "/srv/data", "readOnly": true },
                { "name": "db", "kind": "empty", "readOnly": false },
            ],
            "isolators": [{ "name": "resource/memory", "value": { "limit": "4G" } }],
            "annotations": [{ "name": "ip-address", "value": "10.1.2.3" }],
            "ports": [],
        })
    );
}

#[track_caller]
fn refused(pod: &Pod, expected: &str) {
    let error = planned(pod, Missing::Refused).unwrap_err();
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn what_is_wrong_is_named() {
    refused(&Pod::default(), "at least one app");
    let one = |points| Pod::of_images([image("x/one", points)], vec![]);
    assert!(planned(&one(&[]), Missing::Refused).is_ok());

    let twice = Pod::of_images([image("x/one", &[]), image("y/one", &[])], vec![]);
    refused(&twice, "two are called \"one\"");
    refused(&Pod::of_images([image("x/~", &[])], vec![]), "of image \"x/~\"");

    let mut bad_id = one(&[]);
    bad_id.apps[0].image.id = id().to_uppercase();
    refused(&bad_id, "one: image: \"SHA512-");
    bad_id.apps[0].image.id = "sha512-0".into();
    refused(&bad_id, "\"sha512-0\" is no image ID");

    refused(&one(&[("db", "/db")]), "one: mountPoints: db: no volume for /db");
    let named = |volumes| Pod::of_images([image("one", &[])], volumes);
    refused(&named(vec![host("a", false), host("a", true)]), "two are called \"a\"");
    refused(&named(vec![host("A", false)]), "\"A\" is no name for a volume");
    let relative = VolumeSource::Host("srv".into());
    let relative = PodVolume { name: "a".into(), source: relative, read_only: false };
    refused(&named(vec![relative]), "a: source \"srv\" has to be an absolute path");

    let mut astray = one(&[]);
    astray.apps[0].mounts = vec![PodMount { volume: "db".into(), path: at("/x") }];
    refused(&astray, "one: mounts: /x: the pod has no volume \"db\"");
}

#[test]
fn what_overlaps_is_refused() {
    for (paths, overlap) in [
        (["/a", "/a-b", "/a/c"], Some("/a/c is inside /a;")),
        (["/a", "/b", "/a"], Some("/a is inside /a;")),
        (["/x", "/", "/y"], Some("/x is inside /;")),
        (["/a/b", "/a-b", "/a/bc"], None),
    ] {
        let points: Vec<_> = ["one", "two", "three"].into_iter().zip(paths).collect();
        let planned = planned(&Pod::of_images([image("x", &points)], vec![]), Missing::Empty);
        match overlap {
            Some(expected) => assert!(planned.unwrap_err().contains(expected), "{paths:?}"),
            None => assert!(planned.is_ok(), "{paths:?}"),
        }
    }
}

/// A volume's name is an AC Name whoever gives it.
#[test]
fn a_mount_point_without_a_name_gets_no_volume() {
    let pod = Pod::of_images([image("x", &[("Bad", "/bad")])], vec![]);
    assert!(planned(&pod, Missing::Empty).is_err());
}

#[test]
fn uuids_are_random_ones() {
    let (one, other) = (new_uuid().unwrap(), new_uuid().unwrap());
    assert_ne!(one, other);
    assert_eq!(one.get_version_num(), 4);
    assert_eq!(one.get_variant(), uuid::Variant::RFC4122);
}
