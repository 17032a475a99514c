//! Names, volumes and the manifest.

use serde_json::{Value, json};

use super::*;

fn at(path: &str) -> InsidePath {
    InsidePath::absolute(path, "path").unwrap()
}

fn id() -> String {
    format!("sha512-{}", "0a".repeat(64))
}

fn image(name: &str) -> PodImage {
    PodImage { id: id().parse().unwrap(), name: Some(name.parse().unwrap()), labels: Vec::new() }
}

fn pod(images: &[&str], volumes: Vec<Volume>) -> PodManifest {
    let mut manifest = of_images(images.iter().map(|name| image(name))).unwrap();
    manifest.volumes = volumes;
    manifest
}

fn host(name: &str, read_only: Option<bool>) -> Volume {
    Volume { read_only, ..Volume::host(name.parse().unwrap(), "/srv/data".into()) }
}

fn mount(volume: &str, path: &str) -> Mount {
    Mount { volume: volume.parse().unwrap(), path: at(path), app_volume: None }
}

/// App, name and path of each mount point. A name that ends in `ro` is read-only.
type Points = [(&'static str, &'static str, &'static str)];

fn planned(pod: PodManifest, points: &Points, missing: Missing) -> Result<PodPlan, String> {
    let of_app = |app: &PodApp| {
        let its = points.iter().filter(|(name, ..)| app.name.as_str() == *name);
        its.map(|&(_, name, path)| MountPoint {
            name: name.into(),
            path: at(path),
            read_only: name.ends_with("ro"),
        })
        .collect()
    };
    plan(pod, of_app, missing).map_err(|error| error.to_string())
}

/// App, volume, path, and whether it is read-only.
fn mounts(plan: &PodPlan) -> Vec<(&str, &str, String, bool)> {
    plan.apps
        .iter()
        .flat_map(|app| app.mounts.iter().map(move |mount| (app, mount)))
        .map(|(app, mount)| {
            let MountPlan { volume, path, read_only, .. } = mount;
            (app.name.as_str(), volume.name.as_str(), path.to_string(), *read_only)
        })
        .collect()
}

#[test]
fn names_of_apps() {
    for (image, expected) in [
        ("coreos.com/ace-validator-main", Some("ace-validator-main")),
        ("example.com/a/reduce_worker.v1", Some("reduce-worker-v1")),
        ("plain", Some("plain")),
        ("a/B~~c-", Some("b-c")),
        ("a/", None),
        ("", None),
    ] {
        assert_eq!(app_name(image).as_ref().map(AcName::as_str), expected, "{image}");
    }
    let nameless = PodImage { name: None, ..image("x") };
    let error = of_images([nameless]).unwrap_err().to_string();
    assert!(error.contains(&id()), "{error}");
}

#[test]
fn images_share_volumes_of_the_same_name() {
    let points = [
        ("one", "db", "/db"),
        ("one", "conf-ro", "/conf"),
        ("two", "db", "/var/db"),
        ("two", "cache", "/cache"),
        ("two", "cache", "/again"),
    ];
    let pod = pod(&["a.com/one", "b.com/two"], vec![host("cache", Some(true))]);
    let plan = planned(pod, &points, Missing::Empty).unwrap();
    assert_eq!(
        mounts(&plan),
        [
            ("one", "conf-ro", "/conf".to_owned(), true),
            ("one", "db", "/db".to_owned(), false),
            ("two", "cache", "/again".to_owned(), true),
            ("two", "cache", "/cache".to_owned(), true),
            ("two", "db", "/var/db".to_owned(), false),
        ]
    );
    let names: Vec<_> = plan.manifest.volumes.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["cache", "conf-ro", "db"]);
    assert!(plan.apps[1].mounts.iter().all(|mount| mount.owner == VolumeOwner::Pod));
}

#[test]
fn mounts_of_a_manifest_go_before_names() {
    let mut pod = pod(&["a"], vec![host("work", None)]);
    let own = Mount { app_volume: Some(host("own", None)), ..mount("own", "/own") };
    pod.apps[0].mounts = vec![mount("work", "/db"), own, mount("work", "/more")];
    let plan = planned(pod, &[("a", "db-ro", "/db")], Missing::Refused).unwrap();
    assert_eq!(
        mounts(&plan),
        [
            ("a", "work", "/db".to_owned(), true),
            ("a", "work", "/more".to_owned(), false),
            ("a", "own", "/own".to_owned(), false),
        ]
    );
    assert_eq!(plan.apps[0].mounts[2].owner, VolumeOwner::App);
}

#[test]
fn the_manifest_leaves_nothing_open() {
    let mut pod = pod(&["a.com/one"], vec![host("extra", Some(true))]);
    pod.apps[0].read_only_root_fs = true;
    let plan = planned(pod, &[("one", "db", "/db")], Missing::Empty).unwrap();
    let bytes = plan.json().unwrap();
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    let app = &json["apps"][0];
    assert_eq!(app["image"], json!({ "id": id(), "name": "a.com/one" }));
    assert_eq!(app["mounts"], json!([{ "volume": "db", "path": "/db" }]));
    assert_eq!(app["readOnlyRootFS"], json!(true));
    let extra = json!({ "name": "extra", "kind": "host", "source": "/srv/data", "readOnly": true });
    assert_eq!(json["volumes"], json!([extra, { "name": "db", "kind": "empty" }]));
    // As it says itself, nothing is to be added to it.
    let again = PodManifest::parse(&bytes).unwrap();
    assert_eq!(planned(again, &[("one", "db", "/db")], Missing::Refused).unwrap(), plan);
}

#[track_caller]
fn refused(pod: PodManifest, points: &Points, expected: &str) {
    let error = planned(pod, points, Missing::Refused).unwrap_err();
    assert!(error.contains(expected), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn what_is_wrong_is_named() {
    assert!(planned(pod(&["x/one"], vec![]), &[], Missing::Refused).is_ok());
    refused(PodManifest::new(vec![]), &[], "apps");
    refused(pod(&["x/one", "y/one"], vec![]), &[], "one");
    refused(pod(&["one"], vec![host("a", None), host("a", Some(true))]), &[], "volumes");
    let mut part = pod(&["one"], vec![]);
    part.apps[0].image.id = "sha512-0a".parse().unwrap();
    refused(part, &[], "one: image: id: sha512-0a is a part of an ID");
    let point = [("one", "db", "/db")];
    refused(pod(&["one"], vec![]), &point, "one: mountPoints: \"db\": no volume for /db");
    let mut astray = pod(&["one"], vec![]);
    astray.apps[0].mounts = vec![mount("db", "/x")];
    refused(astray, &[], "one: mounts: /x: the pod has no volume `db`");
    // A volume's name is an AC Name whoever gives it.
    let nameless = [("one", "Bad", "/bad")];
    assert!(planned(pod(&["one"], vec![]), &nameless, Missing::Empty).is_err());
}

#[test]
fn what_overlaps_is_refused() {
    for (paths, overlap) in [
        (["/a", "/a-b", "/a/c"], Some("/a/c is inside /a;")),
        (["/a", "/b", "/a"], Some("/a is inside /a;")),
        (["/x", "/", "/y"], Some("/x is inside /;")),
        (["/a/b", "/a-b", "/a/bc"], None),
    ] {
        let points = [("x", "one", paths[0]), ("x", "two", paths[1]), ("x", "three", paths[2])];
        let planned = planned(pod(&["x"], vec![]), &points, Missing::Empty);
        match overlap {
            Some(expected) => assert!(planned.unwrap_err().contains(expected), "{paths:?}"),
            None => assert!(planned.is_ok(), "{paths:?}"),
        }
    }
}

#[test]
fn uuids_are_random_ones() {
    let (one, other) = (new_uuid().unwrap(), new_uuid().unwrap());
    assert_ne!(one, other);
    assert_eq!(one.get_version_num(), 4);
    assert_eq!(one.get_variant(), uuid::Variant::RFC4122);
}
