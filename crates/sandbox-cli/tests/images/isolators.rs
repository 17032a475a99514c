//! Isolators: what of them is in effect, and what is told.

use serde_json::{Value, json};

use crate::world::{World, for_everyone};

const MEMORY: &str = "resource/memory";

fn isolator(name: &str, value: &Value) -> Value {
    json!([{"name": name, "value": value}])
}

fn image(w: &World<'_>, text: &str, isolators: &Value) -> String {
    w.script(text, json!({"isolators": isolators}))
}

#[test]
fn each_is_told_as_enforced_adjusted_or_ignored() {
    for_everyone(|w| {
        let all = json!([
            {"name": "os/linux/no-new-privileges", "value": true},
            {"name": "os/linux/capabilities-retain-set", "value": {"set": ["CAP_KILL"]}},
            {"name": "resource/block-iops", "value": {"default": true, "limit": "5"}},
            {"name": "example.com/unknown", "value": {"any": 1}},
        ]);
        let image = &*image(w, "echo ran", &all);
        let ran = w.go(&[image]);
        assert_eq!((ran.code, &*ran.out), (Some(0), "ran\n"));
        let lines: Vec<_> = ran.err.lines().collect();
        let begins = |begin: &str| {
            assert!(lines.iter().any(|line| line.starts_with(begin)), "{begin}: {lines:#?}");
        };
        begins("run-sandbox: isolator: os/linux/no-new-privileges: enforced: ");
        begins("run-sandbox: isolator: os/linux/capabilities-retain-set: enforced: CAP_KILL");
        begins("run-sandbox: isolator: resource/block-iops: ignored: ");
        begins("run-sandbox: isolator: example.com/unknown: ignored: ");
        assert_eq!(lines.len(), 4, "{lines:#?}");

        let (ran, events) = w.events(&[image]);
        ran.prints("ran\n");
        let told = events.iter().find(|event| event["event"] == "image").unwrap();
        let outcomes: Vec<_> =
            told["isolators"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
        assert_eq!(outcomes, ["enforced", "enforced", "ignored", "ignored"]);
        assert_eq!((&told["name"], &told["kind"]), (&json!("app"), &json!("App Container image")));

        w.go(&["--strict", image]).refused(&[
            "resource/block-iops",
            "example.com/unknown",
            "without --strict",
        ]);
    });
}

#[test]
fn privileges_are_never_gained() {
    for_everyone(|w| {
        for (wanted, outcome) in [(true, "enforced"), (false, "adjusted")] {
            let isolators = isolator("os/linux/no-new-privileges", &json!(wanted));
            let ran =
                w.go(&["--strict", &image(w, "grep NoNewPrivs /proc/self/status", &isolators)]);
            assert_eq!((ran.code, &*ran.out), (Some(0), "NoNewPrivs:\t1\n"));
            assert!(ran.err.contains(&format!("no-new-privileges: {outcome}: ")), "{ran:?}");
        }
    });
}

#[test]
fn memory_is_limited_where_it_can_be() {
    for_everyone(|w| {
        // A variable that grows to 32 MiB and more, in a shell that may have 16.
        let text = "x=0123456789abcdef; while test ${#x} -lt 33554432; do x=$x$x; done; echo grown";
        let limited = isolator(MEMORY, &json!({"limit": "16M"}));
        let image = &*image(w, text, &limited);
        let ran = w.go(&[image]);
        if ran.err.contains("resource/memory: enforced: at most 16") {
            assert_eq!((ran.code, &*ran.out), (Some(137), ""), "{ran:?}");
        } else {
            assert!(ran.err.contains("resource/memory: ignored: "), "{ran:?}");
            assert_eq!((ran.code, &*ran.out), (Some(0), "grown\n"), "{ran:?}");
            w.go(&["--strict", image]).refused(&[MEMORY, "--strict"]);
            let what =
                format!("{:?}: no limit of memory can be set: {}", w.who, ran.err.trim_end());
            sandbox_testkit::fixture::skip("sandbox-cli", &what).unwrap();
        }
        let wide = self::image(w, text, &isolator(MEMORY, &json!({"limit": "1G"})));
        let ran = w.go(&[&wide]);
        assert_eq!((ran.code, &*ran.out), (Some(0), "grown\n"), "{ran:?}");
        let request = isolator(MEMORY, &json!({"request": "5M"}));
        let ran = w.go(&[&self::image(w, "true", &request)]);
        assert!(ran.err.contains("resource/memory: ignored: nothing here guarantees"), "{ran:?}");
    });
}

/// The bits of a set of capabilities in /proc.
fn effective(out: &str) -> u64 {
    u64::from_str_radix(out.trim().trim_start_matches("CapEff:").trim(), 16).unwrap()
}

#[test]
fn capabilities_are_those_that_are_kept() {
    const DEFAULT: u64 = 0x2000_0000 | 0xa804_25fb & !0x2000_0000;
    for_everyone(|w| {
        let retain = "os/linux/capabilities-retain-set";
        let remove = "os/linux/capabilities-remove-set";
        for (isolators, kept) in [
            (json!([]), DEFAULT),
            (isolator(retain, &json!({"set": ["CAP_NET_ADMIN", "CAP_KILL"]})), 1 << 12 | 1 << 5),
            (isolator(retain, &json!({"set": ["CAP_KILL"]})), 1 << 5),
            (isolator(remove, &json!({"set": ["CAP_KILL", "CAP_CHOWN"]})), DEFAULT & !(1 << 5 | 1)),
            (isolator(remove, &json!({"set": ["CAP_SYS_ADMIN"]})), DEFAULT),
        ] {
            let ran = w.go(&[&image(w, "grep CapEff /proc/self/status", &isolators)]);
            assert_eq!(ran.code, Some(0), "{ran:?}");
            assert_eq!(format!("{:x}", effective(&ran.out)), format!("{kept:x}"), "{isolators}");
        }
        let wrong = isolator(retain, &json!({"set": ["CAP_FLY"]}));
        w.go(&[&image(w, "true", &wrong)]).refused(&[retain, "CAP_FLY", "capabilities(7)"]);
        let both = json!([
            {"name": retain, "value": {"set": ["CAP_KILL"]}},
            {"name": remove, "value": {"set": ["CAP_KILL"]}},
        ]);
        w.go(&[&image(w, "true", &both)]).refused(&["isolators[1]", "-retain-set", "-remove-set"]);
        // Nobody but user 0 has any.
        let more = json!({"user": "web", "group": "www"});
        let ran = w.go(&[&w.script("grep CapEff /proc/self/status", more)]);
        assert_eq!(effective(&ran.out), 0, "{ran:?}");
    });
}

#[test]
fn system_calls_are_removed_with_an_error_or_a_signal() {
    for_everyone(|w| {
        let set = |value: Value| isolator("os/linux/seccomp-remove-set", &value);
        let text = "mkdir /new 2>&1 || echo failed";
        let calls = json!(["mkdir", "mkdirat"]);
        let ran = w.go(&[&image(w, text, &set(json!({"set": calls, "errno": "ENOTSUP"})))]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.contains("ot supported") && ran.out.ends_with("failed\n"), "{ran:?}");
        let ran = w.go(&[&image(w, "exec mkdir /new", &set(json!({"set": calls})))]);
        assert_eq!((ran.code, &*ran.out), (Some(128 + 31), ""), "{ran:?}");
        let ran = w.go(&[&image(w, text, &set(json!({"set": ["@appc.io/empty"]})))]);
        assert_eq!((ran.code, &*ran.out), (Some(0), ""), "{ran:?}");
        let wrong = set(json!({"set": ["fly_to_moon"]}));
        let ran = w.go(&["--strict", &image(w, "true", &wrong)]);
        assert!(ran.err.contains("fly_to_moon"), "{ran:?}");
        let wrong = set(json!({"set": calls, "errno": "EFLY"}));
        w.go(&[&image(w, "true", &wrong)]).refused(&["EFLY"]);
    });
}
