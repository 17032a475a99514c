//! The App Container validator itself: with all as it should be it says so, and with one thing broken it
//! names that one. Each of its checks is broken here.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod proxy;
mod world;

use std::process::Output;
use std::thread;
use std::time::Duration;

use proxy::{Change, Proxy};
use world::{Setting, World, correct};

/// Checks the status and the lines of a run: each is to begin like one expected, in order.
#[track_caller]
fn says(output: &Output, mode: &str, expected: &[&str]) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = stderr.lines().collect();
    let (word, status) = if expected.is_empty() { ("OK", 0) } else { ("FAIL", 1) };
    assert_eq!(stdout, format!("{mode} {word}\n"), "{lines:#?}");
    assert_eq!(output.status.code(), Some(status));
    assert_eq!(lines.len(), expected.len(), "{lines:#?}, for {expected:#?}");
    for (line, start) in lines.iter().zip(expected) {
        assert!(line.starts_with(&format!("==> {start}")), "{line}, for {start}");
    }
}

#[test]
fn handlers_look_at_their_files() {
    let Some(world) = World::new("validator") else { return };
    let run = |mode, files: &[&str], expected: &[&str]| {
        world.render(files, &[]);
        says(&world.run(&correct(""), &[mode]), mode, expected);
    };
    run("prestart", &[], &[]);
    assert!(world.root().join("prestart").exists());
    run("prestart", &["prestart"], &["/prestart: should not be there"]);
    run("prestart", &["main"], &["/main: should not be there"]);
    run("prestart", &["poststop"], &["/poststop: should not be there"]);

    run("poststop", &["prestart", "main"], &[]);
    assert!(world.root().join("poststop").exists());
    run("poststop", &["main"], &["/prestart: should be there: No such file"]);
    run("poststop", &["prestart"], &["/main: should be there: No such file"]);
    run("poststop", &["prestart", "main", "poststop"], &["/poststop: should not be there"]);

    // A mode is a mode in capitals too, as the specification's has them.
    run("preStart", &[], &[]);
}

#[test]
fn what_cannot_be_written_is_said() {
    let Some(world) = World::new("validator") else { return };
    let handler = |mode, files: &[&str], expected: &[&str]| {
        world.render(files, &[]);
        // The root on itself, read-only.
        let volume = world.volume();
        std::fs::remove_dir(&volume).unwrap();
        std::os::unix::fs::symlink(world.root(), &volume).unwrap();
        let setting =
            Setting { volume_at: Some("/"), volume_mode: "ro", proc_at: None, ..correct("") };
        let output = world.run(&setting, &[mode]);
        std::fs::remove_file(&volume).unwrap();
        std::fs::create_dir(&volume).unwrap();
        says(&output, mode, expected);
    };
    handler("prestart", &[], &["/prestart: cannot be created: Read-only file system"]);
    let files = &["prestart", "main"];
    handler("poststop", files, &["/poststop: cannot be created: Read-only file system"]);
}

#[test]
fn the_main_process_looks_around() {
    let Some(world) = World::new("validator") else { return };
    let service = world.service();
    let good = correct(&service.url());
    let run = |setting: &Setting, files: &[&str], in_volume: &[&str], expected: &[&str]| {
        says(&world.fresh(setting, "main", files, in_volume), "main", expected);
    };
    let files = ["prestart"].as_slice();
    let sidekick = ["sidekick"].as_slice();
    run(&good, files, sidekick, &[]);
    assert!(world.root().join("main").exists());
    assert!(world.volume().join("main").exists());

    run(&good, &[], sidekick, &["/prestart: should be there"]);
    run(&good, &["prestart", "main"], sidekick, &["/main: should not be there"]);
    run(&good, &["prestart", "poststop"], sidekick, &["/poststop: should not be there"]);
    run(&good, files, &["sidekick", "main"], &["/db/main: should not be there"]);
    run(&good, files, &[], &["/db/sidekick: has not appeared in 5 s"]);

    for (name, value, expected) in [
        ("PATH", Some("/bin"), "PATH: is /bin, should be /usr/local/sbin:"),
        ("PATH", None, "PATH: is not set"),
        ("IN_ACE_VALIDATOR", Some("wrong"), "IN_ACE_VALIDATOR: is wrong, should be correct"),
        ("IN_ACE_VALIDATOR", None, "IN_ACE_VALIDATOR: is not set"),
        (
            "AC_APP_NAME",
            Some("coreos.com/ace-validator-main"),
            "AC_APP_NAME: is coreos.com/ace-validator-main, should be ace-validator-main",
        ),
        ("AC_APP_NAME", None, "AC_APP_NAME: is not set"),
        ("AC_METADATA_URL", None, "AC_METADATA_URL: is not set"),
    ] {
        let mut setting = good.clone();
        match value {
            Some(value) => setting.variables.insert(name, value.to_owned()),
            None => setting.variables.remove(name),
        };
        run(&setting, files, sidekick, &[expected]);
    }
    let elsewhere = Setting { directory: "/", ..good.clone() };
    run(&elsewhere, files, sidekick, &["working directory: is /, should be /opt/acvalidator"]);
}

#[test]
fn the_volume_is_a_mount_that_can_be_written() {
    let Some(world) = World::new("validator") else { return };
    let service = world.service();
    let good = correct(&service.url());
    let run = |setting: &Setting, in_root: &[&str], expected: &[&str]| {
        says(&world.fresh(setting, "main", in_root, &["sidekick"]), "main", expected);
    };
    run(&good, &["prestart"], &[]);
    // A directory that has the file is no volume.
    let none = Setting { volume_at: None, ..good.clone() };
    run(&none, &["prestart", "db/sidekick"], &["/db: is no mount point"]);
    let other = Setting { volume_at: Some("/other"), ..good.clone() };
    run(&other, &["prestart", "db/sidekick"], &["/db: is no mount point"]);
    let read_only = Setting { volume_mode: "ro", ..good.clone() };
    let expected = ["/db: is mounted read-only", "/db/main: cannot be created: Read-only"];
    run(&read_only, &["prestart"], &expected);
    let without_proc = Setting { proc_at: None, ..good };
    run(&without_proc, &["prestart"], &["/db: /proc/self/mountinfo, which says"]);
}

#[test]
fn the_metadata_service_is_asked_for_everything() {
    let Some(world) = World::new("validator") else { return };
    let service = world.service();
    let url = service.url();
    let uuid = world.facts.uuid.to_string();
    let id = world.facts.apps[0].image_id.clone();
    let other_id = format!("sha512-{}", "0".repeat(128));
    let run = |url: &str, name: &str, expected: &[&str]| {
        let output = world.fresh(&correct(url), "main", &["prestart"], &["sidekick"]);
        println!("{name}: {}", String::from_utf8_lossy(&output.stderr));
        says(&output, "main", expected);
    };
    let changed = |entry: &str, change: Change, expected: &[&str]| {
        let name = format!("{entry} {change:?}");
        let proxy = Proxy::new(service.address(), format!("/{entry}"), change);
        let url = url.replace(&service.address().to_string(), &proxy.address().to_string());
        run(&url, &name, expected);
    };
    let replaced = |entry: &str, from: &str, to: &str, expected: &[&str]| {
        changed(entry, Change::Replace(from.into(), to.into()), expected);
    };
    changed("pod/none", Change::Delay(Duration::ZERO), &[]);
    replaced(
        "pod/manifest",
        "application/json",
        "text/json",
        &["pod/manifest: Content-Type is text/json"],
    );
    replaced("pod/manifest", "PodManifest", "Podmanifest", &["pod/manifest: is no JSON of acKind"]);
    replaced("pod/manifest", "\"acKind\":", "\"acKind\",", &["pod/manifest: is no JSON of acKind"]);
    replaced("pod/manifest", "Length: ", "Length: 1", &["pod/manifest: the answer has"]);
    replaced("pod/manifest", "HTTP/1.1", "ICY", &["pod/manifest: the answer is not HTTP/1.1"]);
    replaced(
        "pod/uuid",
        "us-ascii",
        "utf-8",
        &["pod/uuid: Content-Type is text/plain; charset=utf-8"],
    );
    let no_uuid = ["pod/uuid: is", "pod/hmac/verify: the answer is 400, should be 200"];
    replaced("pod/uuid", &uuid, &"x".repeat(36), &no_uuid);
    let address = "pod/annotations: ip-address is 10.1.2.4, should be 10.1.2.3";
    replaced("pod/annotations", "10.1.2.3", "10.1.2.4", &[address]);
    let missing = ["pod/annotations: ip-address is missing"];
    replaced("pod/annotations", "ip-address", "ip_address", &missing);
    replaced("pod/annotations", "[{", "{{", &["pod/annotations: is no list"]);
    changed(
        "pod/annotations",
        Change::Delay(Duration::from_millis(150)),
        &["pod/annotations: no answer in 100 ms"],
    );

    let app = "apps/ace-validator-main";
    let entry = |entry: &str| format!("{app}/{entry}");
    let line = |entry: &str, words: &str| format!("{app}/{entry}: {words}");
    let no_manifest = line("image/manifest", "is no JSON of acKind ImageManifest");
    replaced(&entry("image/manifest"), "ImageManifest", "imageManifest", &[&no_manifest]);
    let sha256 = line("image/id", "is sha256-");
    replaced(&entry("image/id"), "sha512-", "sha256-", &[&sha256]);
    let differs = line("image/id", "is sha512-0");
    replaced(&entry("image/id"), &id, &other_id, &[&differs]);
    let of_image = line("annotations", "lorem is of no pod, should be of the pod");
    replaced(&entry("annotations"), ":\"of the pod\"", ":\"of no pod\" ", &[&of_image]);
    let fewer = [
        line("annotations", "new is missing, should be x"),
        line("annotations", "there are 3, should be 4"),
    ];
    let fewer = fewer.each_ref().map(String::as_str);
    let gap = " ".repeat(r#",{"name":"new","value":"x"}"#.len());
    replaced(&entry("annotations"), r#",{"name":"new","value":"x"}"#, &gap, &fewer);

    let refused = "pod/hmac/sign: the answer is 500, should be 200";
    replaced("pod/hmac/sign", "200 OK", "500 No", &[refused]);
    let forged = "pod/hmac/verify: the answer is 403, should be 200";
    replaced("pod/hmac/sign", "==", "AA", &[forged]);
    replaced("pod/hmac/verify", "200 OK", "403 No", &[forged]);

    let token = url.rsplit('/').next().unwrap();
    let stranger = ["pod/manifest: the answer is 404", "pod/uuid: the answer is 404"];
    run(&url.replace(token, "guess"), "token", &stranger);
    let no_url = ["AC_METADATA_URL: is 127.0.0.1", "AC_METADATA_URL: is 127.0.0.1"];
    run("127.0.0.1", "URL", &no_url);
    drop(service);
    let gone = ["pod/manifest: no answer in 100 ms: Connection refused", "pod/uuid: no answer"];
    run(&url, "ended", &gone);
}

#[test]
fn the_sidekick_waits_for_the_main_process() {
    let Some(world) = World::new("validator") else { return };
    let run = |in_volume: &[&str], expected: &[&str]| {
        world.render(&[], in_volume);
        says(&world.run(&correct(""), &["sidekick"]), "sidekick", expected);
    };
    run(&["main"], &[]);
    assert!(world.volume().join("sidekick").exists());
    run(&["main", "sidekick"], &["/db/sidekick: should not be there"]);
    run(&[], &["/db/main: has not appeared in 5 s"]);
}

#[test]
fn both_wait_for_each_other() {
    let Some(world) = World::new("validator") else { return };
    let service = world.service();
    let setting = correct(&service.url());
    world.render(&["prestart"], &[]);
    thread::scope(|scope| {
        let main = scope.spawn(|| world.run(&setting, &["main"]));
        let sidekick = scope.spawn(|| world.run(&setting, &["sidekick"]));
        says(&main.join().unwrap(), "main", &[]);
        says(&sidekick.join().unwrap(), "sidekick", &[]);
    });
}

#[test]
fn one_mode_is_needed() {
    let Some(world) = World::new("validator") else { return };
    world.render(&[], &[]);
    for words in [&[][..], &["main", "main"], &["other"], &[""]] {
        let output = world.run(&correct(""), words);
        assert_eq!(output.status.code(), Some(64), "{words:?}");
        assert!(output.stdout.is_empty());
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("usage: "));
    }
}
