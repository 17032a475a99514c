//! How a pod ends.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::images::with_images;

const UNTIL_TOLD: &str = "trap 'echo told; exit 3' TERM; echo up; \
                          for i in $(busybox seq 200); do busybox sleep 0.1; done";

#[test]
fn sigterm_ends_each_app_which_are_all_told() {
    with_images(|i| {
        let post = json!([{ "name": "post-stop", "exec": ["/bin/sh", "-c", "echo post"] }]);
        let one = i.image("one", UNTIL_TOLD, json!({ "eventHandlers": post }));
        let two = i.script("two", "echo up; exec busybox sleep 20");
        let mut child = i.command(&[]).args([one, two]).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        for _ in 0..2 {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            assert_eq!(line, "up\n");
        }
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("told\npost\n", Some(3)));
    });
}

#[test]
fn the_status_is_that_of_the_first_app_that_fails() {
    with_images(|i| {
        let good = i.script("good", "echo good");
        let bad = i.script("bad", "exit 7");
        let worse = i.script("worse", "busybox sleep 0.2; exit 8");
        let killed = i.script("killed", "kill -9 $$");
        for (images, code) in [
            (vec![&good], 0),
            (vec![&good, &bad], 7),
            (vec![&worse, &good, &bad], 8),
            (vec![&killed], 137),
        ] {
            let images: Vec<_> = images.into_iter().cloned().collect();
            let ran = i.pod(&[], &images);
            assert_eq!((ran.code, ran.err.contains("error")), (Some(code), false), "{ran:?}");
        }
    });
}

/// Two pods have processes of the same numbers, and each has limits for its apps.
#[test]
fn pods_with_limits_run_at_the_same_time() {
    with_images(|i| {
        let limit =
            json!({ "isolators": [{ "name": "resource/memory", "value": { "limit": "64M" } }] });
        let images = [i.image("one", "busybox sleep 0.1; echo ran", limit)];
        thread::scope(|scope| {
            let pods: Vec<_> = (0..6).map(|_| scope.spawn(|| i.pod(&[], &images))).collect();
            for pod in pods {
                let ran = pod.join().unwrap();
                assert_eq!((ran.code, ran.out.as_str()), (Some(0), "ran\n"), "{ran:?}");
            }
        });
    });
}

#[test]
fn a_pod_has_its_time() {
    with_images(|i| {
        let heeds = i.image("heeds", UNTIL_TOLD, json!({}));
        let stubborn = i.script("stubborn", "trap '' TERM; busybox sleep 20");
        // Asked, every app has a say; the pod ends with the last.
        let ran = i.pod(&["--timeout", "2"], std::slice::from_ref(&heeds));
        assert_eq!((ran.code, ran.out.as_str()), (Some(124), "up\ntold\n"), "{ran:?}");
        assert!(ran.err.contains("the command timed out\n"), "{ran:?}");
        let ran = i.pod(&["--timeout", "2", "--kill-after", "0.3"], &[heeds, stubborn]);
        assert_eq!(ran.code, Some(137), "{ran:?}");
        assert!(ran.err.contains("timed out, and was killed"), "{ran:?}");
    });
}
