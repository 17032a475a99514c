//! What the apps of a pod share, what they have for themselves, and what they are told.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::images::{point, wait_for, with_images};

#[test]
fn processes_loopback_host_name_and_volumes_are_shared_and_roots_are_not() {
    with_images(|i| {
        // The server is heard before it is asked, and lives until it has been seen.
        let server = i.image(
            "server",
            &("echo here > /own; busybox hostname > /shared/name; busybox mkdir /www; \
               echo served > /www/page; busybox httpd -p 127.0.0.1:8080 -h /www; \
               echo > /shared/up; "
                .to_owned()
                + &wait_for("/shared/done")
                + "[ -e /tmp/of-client ] && echo bad root; echo server ends"),
            point("data", "/shared"),
        );
        let client = i.image(
            "client",
            &(wait_for("/data/up")
                + "echo > /tmp/of-client; busybox wget -q -O - http://127.0.0.1:8080/page; \
                   busybox ps | busybox grep -q '[h]ttpd -p' && echo sees it; \
                   [ \"$(busybox hostname)\" = \"$(busybox cat /data/name)\" ] && echo same name; \
                   case $(busybox hostname) in pod-*-*) echo of pod;; esac; \
                   [ -e /own ] || echo own root; busybox id -u; echo > /data/done"),
            point("data", "/data"),
        );
        let ran = i.pod(&["--volume", "data=empty"], &[server, client]);
        let expected = ["0", "of pod", "own root", "same name", "sees it", "served", "server ends"];
        assert_eq!(ran.lines(), expected, "{ran:?}");
        assert_eq!(ran.code, Some(0));
    });
}

#[test]
fn a_client_finds_what_the_specification_says() {
    with_images(|i| {
        let get = |path: &str| {
            format!("busybox wget -q -O - $AC_METADATA_URL/acMetadata/v1/{path}; echo; ")
        };
        let script = [
            "echo name $AC_APP_NAME; ",
            &get("pod/uuid"),
            &get("pod/annotations"),
            &get("pod/manifest"),
            &get("apps/one/annotations"),
            &get("apps/one/image/id"),
            &get("apps/one/image/manifest"),
            "U=$(busybox wget -q -O - $AC_METADATA_URL/acMetadata/v1/pod/uuid); ",
            "P=$AC_METADATA_URL/acMetadata/v1/pod/hmac; ",
            "S=$(busybox wget -q -O - --post-data content=word $P/sign | busybox sed 's/+/%2B/g'); ",
            "busybox wget -q -O - --post-data \"content=word&uuid=$U&signature=$S\" $P/verify; ",
            "busybox wget -q -O - --post-data \"content=other&uuid=$U&signature=$S\" $P/verify \
             2> /dev/null || echo refused; ",
            "busybox wget -q -O - $AC_METADATA_URL/acMetadata/v1/apps/two/image/id 2> /dev/null \
             || echo none; ",
            "busybox wget -q -O - ${AC_METADATA_URL%/*}/acMetadata/v1/pod/uuid 2> /dev/null \
             || echo secret",
        ]
        .concat();
        let image = i.script("one", &script);
        let ran = i.pod(&[], std::slice::from_ref(&image));
        assert_eq!((ran.code, ran.err.contains("error")), (Some(0), false), "{ran:?}");
        let lines: Vec<_> = ran.out.lines().collect();
        let [name, uuid, none, pod, annotations, id, manifest, verified, rest @ ..] =
            lines.as_slice()
        else {
            panic!("{ran:?}")
        };
        assert_eq!((*name, uuid.len(), *none), ("name one", 36, "[]"));
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(json(pod)["apps"][0]["name"], "one");
        assert_eq!(json(annotations), json!([{ "name": "note", "value": "of the image" }]));
        let sum = Command::new("sha512sum").arg(image).output().unwrap();
        let sum = String::from_utf8(sum.stdout).unwrap();
        assert_eq!(*id, format!("sha512-{}", &sum[..128]));
        assert_eq!(json(manifest)["name"], "example.com/one");
        assert_eq!(*verified, "200 OK");
        assert_eq!(rest, ["refused", "none", "secret"]);
    });
}

#[test]
fn a_pod_manifest_finds_its_images_and_says_what_is_read_only() {
    with_images(|i| {
        let script = "echo x 2> /dev/null > /file && echo $AC_APP_NAME writes \
                      || echo $AC_APP_NAME cannot; \
                      echo x > /data/$AC_APP_NAME && echo $AC_APP_NAME has a volume";
        let image = i.image("one", script, point("data", "/data"));
        let sum = Command::new("sha512sum").arg(image).output().unwrap();
        let id = format!("sha512-{}", str::from_utf8(&sum.stdout[..128]).unwrap());
        let app = |name: &str, read_only: bool| json!({ "name": name, "image": { "id": id }, "readOnlyRootFS": read_only });
        let manifest = json!({
            "acKind": "PodManifest", "acVersion": "0.8.11",
            "apps": [app("free", false), app("held", true)],
            "volumes": [{ "name": "data", "kind": "empty", "mode": "0777" }],
        });
        let file = i.f.text("images/pod.json");
        fs::write(&file, manifest.to_string()).unwrap();
        let ran = i.pod(&["--image-path", &i.f.text("images")], std::slice::from_ref(&file));
        let expected = ["free has a volume", "free writes", "held cannot", "held has a volume"];
        assert_eq!(ran.lines(), expected, "{ran:?}");
        assert_eq!(ran.code, Some(0));
        // Without a word of where they are.
        let ran = i.pod(&[], &[file]);
        ran.refused(&[&id]);
    });
}

#[test]
fn an_app_of_another_user_runs_as_that() {
    with_images(|i| {
        let web = json!({ "user": "1000", "group": "1001" });
        let image = i.image("web", "busybox id -u; busybox id -g; busybox ls /proc/1/root", web);
        let other = i.script("other", "busybox sleep 1");
        let ran = i.pod(&[], &[image, other]);
        assert_eq!(ran.lines(), ["1000", "1001"], "{ran:?}");
        assert!(ran.err.contains("Permission denied"), "{ran:?}");
    });
}
