//! The interface for programs: a configuration that is handed over, and events on a descriptor.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::{Fixture, Ran, Who, for_everyone};

/// Runs `run-sandbox WORDS` behind a shell's redirections, with this standard input.
fn redirected(f: &Fixture, redirections: &str, words: &[&str], input: &str) -> Ran {
    let script = format!("exec \"$0\" \"$@\" {redirections}");
    let mut command = f.started_by(&["sh", "-c", &script]);
    command.args(words).current_dir(f.host("")).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who does not read it gives no error: that is part of what is tested.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The same with events, which it returns.
fn with_events(f: &Fixture, words: &[&str]) -> (Ran, Vec<Value>) {
    let ran = redirected(f, "9>source/events", &[&["--status-fd", "9"], words].concat(), "");
    let file = f.host("source/events");
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(file).unwrap();
    (ran, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// A configuration of the fixture's tree with these settings.
fn config(f: &Fixture, settings: &Value) -> String {
    let mut config = json!({ "root": f.text("tree") });
    let settings = settings.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(settings);
    config.to_string()
}

#[test]
fn json_from_standard_input() {
    for_everyone(|f| {
        let all = json!({
            "command": ["sh", "-c", "pwd; env; cat; cat file; echo > file || echo > /tmp/$A"],
            "cwd": "mnt", "env": { "inherit": "nothing", "set": [["A", "é"], ["PATH", "/bin"]] },
            "writable": ["tmp"], "mounts": "isolated", "network": "isolated", "processes": "isolated",
            "extra-mounts": [
                { "target": "/mnt", "filesystem": { "bind": { "source": f.text("source") } } },
                "tmpfs /tmp tmpfs",
            ],
            "user": "root", "backend": "linux-user-chroot", "best-effort": true,
            "require": ["network"], "stderr": "null",
        });
        // The command does not get what was for run-sandbox.
        let ran = redirected(f, "", &["--config", "-"], &config(f, &all));
        let out = ran.out.replace("PWD=/mnt\n", "").replace("SHLVL=1\n", "");
        assert!(out.contains("/mnt\n") && out.contains("A=é\nPATH=/bin\n"), "{ran:?}");
        assert!(out.ends_with("of the host\n"), "{ran:?}");
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        assert_eq!(fs::read_to_string(f.host("source/file")).unwrap(), "of the host\n");
    });
}

#[test]
fn a_configuration_from_a_descriptor_leaves_standard_input_alone() {
    for_everyone(|f| {
        fs::write(f.host("box"), config(f, &json!({ "command": ["cat"] }))).unwrap();
        let ran = redirected(f, "7<box", &["--config-fd", "7"], "to cat\n");
        ran.prints("to cat\n");
        fs::write(f.host("box"), format!("command = ['cat']\nroot = '{}'", f.text("tree")))
            .unwrap();
        redirected(f, "7<box", &["--config-fd", "7"], "toml, too\n").prints("toml, too\n");
        // Flags override and add, as they do for a file.
        let words = ["--config-fd", "7", "--env", "A=1", "/", "sh", "-c", "echo $A"];
        redirected(f, "7<box", &words, "").prints("1\n");
        let stdin = config(f, &json!({ "command": ["cat"], "stdin": { "file": "source/file" } }));
        redirected(f, "", &["--config-fd", "0"], &stdin).prints("of the host\n");
        fs::remove_file(f.host("box")).unwrap();
    });
}

#[test]
fn configurations_that_are_none() {
    for_everyone(|f| {
        let stdin = |text: &str| redirected(f, "", &["--config", "-"], text);
        stdin("").refused(&["command is missing"]);
        stdin("{").refused(&["stdin:1:1: EOF while parsing"]);
        stdin("{\"root\": \"/\",\n\"command\": [\"true\"").refused(&["stdin:2:18: EOF"]);
        stdin("{\"root\": \"/\", \"command\": \"true\"}")
            .refused(&["command: invalid type: string"]);
        stdin("{\"netwrok\": 1}").refused(&["unknown field `netwrok`, expected one of `root`"]);
        stdin("{\"root\": \"/\", \"command\": [\"a\\u0000b\"]}").refused(&["command", "NUL byte"]);
        stdin("{\"root\": \"/\\u0000\", \"command\": [\"true\"]}").refused(&["root", "NUL byte"]);
        stdin("{\"root\": \"/\", \"command\": [\"\u{0}\"]}").refused(&["stdin:1:28: command[0]"]);
        stdin("\u{0}").refused(&["stdin:1: "]);
        let piped = json!({ "command": ["true"], "stdin": "piped" });
        stdin(&config(f, &piped)).refused(&["stdin = piped"]);
        let none = redirected(f, "", &["--config-fd", "77"], "");
        none.refused(&["--config-fd 77", "Bad file descriptor"]);
        redirected(f, "7>/dev/null", &["--config-fd", "7"], "")
            .refused(&["--config-fd 7", "Bad f"]);
        redirected(f, "7</", &["--config-fd", "7"], "").refused(&["--config-fd 7", "directory"]);
        let endless = redirected(f, "7</dev/zero", &["--config-fd", "7"], "");
        endless.refused(&["--config-fd 7 holds more than 64 MiB"]);
    });
}

#[test]
fn events_of_a_command_that_ran() {
    for_everyone(|f| {
        for code in [0, 1, 125, 126, 127] {
            let script = format!("echo said >&2; exit {code}");
            let (ran, events) = with_events(f, &[&f.text("tree"), "sh", "-c", &script]);
            assert_eq!((ran.code, ran.err.as_str()), (Some(code), "said\n"), "only its own words");
            let [started, exited] = &events[..] else { panic!("{events:?}") };
            assert_eq!(started["event"], "started");
            assert_eq!(started["backend"], "linux-user-chroot");
            assert_eq!((&started["downgrades"], &started["notes"]), (&json!([]), &json!([])));
            assert!(started["pid"].is_u64());
            assert_eq!((&exited["event"], &exited["status"]), (&json!("exited"), &json!(code)));
            assert!(exited["usage"]["wall"].as_f64().unwrap() > 0.0, "{exited}");
            assert!(exited["usage"]["max-rss-kib"].as_u64().unwrap() > 0, "{exited}");
        }
        let (ran, events) = with_events(f, &[&f.text("tree"), "sh", "-c", "kill -TERM $$"]);
        assert_eq!(ran.code, Some(143));
        assert_eq!((&events[1]["event"], &events[1]["signal"]), (&json!("signaled"), &json!(15)));
    });
}

#[test]
fn events_of_less_isolation() {
    for_everyone(|f| {
        if f.who == Who::Root {
            let words = ["-e", "chroot", "--best-effort", "--network", "isolated"];
            let (ran, events) = with_events(f, &[&words[..], &[&f.text("tree"), "true"]].concat());
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
            let downgrade = &events[0]["downgrades"][0];
            assert_eq!(downgrade["setting"], "network", "{events:?}");
            assert_eq!(
                (&downgrade["from"], &downgrade["to"]),
                (&json!("isolated"), &json!("undefined"))
            );
            assert_eq!(downgrade["obstacle"], "backend");
        }
    });
}

/// The one event of a run that failed before the command did.
fn failure(f: &Fixture, words: &[&str]) -> Value {
    let (ran, mut events) = with_events(f, words);
    assert_eq!((ran.out.as_str(), ran.err.as_str(), events.len()), ("", "", 1), "{events:?}");
    assert!(matches!(ran.code, Some(125..=127)), "{ran:?}");
    assert_eq!(events[0]["event"], "error");
    assert!(!events[0]["message"].as_str().unwrap().is_empty());
    events.remove(0)
}

#[test]
fn events_of_failures() {
    for_everyone(|f| {
        let tree = &f.text("tree");
        let usage = failure(f, &["--network", "off", tree, "true"]);
        assert_eq!(usage["kind"], "usage");
        assert!(usage["message"].as_str().unwrap().contains("'off'"), "{usage}");
        // The mistake may come first.
        let words = ["--nonsense", "--status-fd=9", tree, "true"];
        let ran = redirected(f, "9>source/events", &words, "");
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(125), "", ""));
        let told = fs::read_to_string(f.host("source/events")).unwrap();
        assert!(told.contains("\"usage\"") && told.contains("--nonsense"), "{told}");
        let config = failure(f, &["--hostname", "a b", tree, "true"]);
        assert_eq!((&config["kind"], &config["setting"]), (&json!("config"), &json!("hostname")));
        let unknown = failure(f, &["-e", "no-such", tree, "true"]);
        assert_eq!((&unknown["kind"], &unknown["setting"]), (&json!("config"), &json!("backend")));
        let none = failure(f, &["--config", "/no/file"]);
        assert_eq!((&none["kind"], &none["errno"]), (&json!("config"), &json!(2)));
        let cwd = failure(f, &["--cwd", "/no/such", tree, "true"]);
        assert_eq!((&cwd["kind"], &cwd["setting"]), (&json!("setup"), &json!("cwd")), "{cwd}");
        assert_eq!(cwd["errno"], 2);
        assert!(cwd["step"].as_str().unwrap().contains("/no/such"), "{cwd}");
        let root = failure(f, &["/no/such", "true"]);
        assert_eq!((&root["kind"], &root["setting"]), (&json!("setup"), &json!("root")), "{root}");
        let bind = failure(f, &["--bind", "/no/such:/mnt", tree, "true"]);
        assert_eq!(bind["setting"], "extra-mounts", "{bind}");
        let writable = failure(f, &["--writable", "/no/such", tree, "true"]);
        assert_eq!(writable["setting"], "writable", "{writable}");
        let exec = failure(f, &[tree, "no-such"]);
        assert_eq!((&exec["kind"], &exec["errno"]), (&json!("exec"), &json!(2)), "{exec}");
        if f.who == Who::Plain {
            let chroot = failure(f, &["-e", "chroot", tree, "true"]);
            assert_eq!(chroot["kind"], "unsupported");
            assert_eq!(chroot["unmet"][0]["obstacle"], "privilege", "{chroot}");
        } else {
            let chroot = failure(f, &["-e", "chroot", "--network", "isolated", tree, "true"]);
            assert_eq!(
                (&chroot["kind"], &chroot["setting"]),
                (&json!("unsupported"), &json!("network"))
            );
            assert_eq!(chroot["unmet"][0]["supported"], json!(["undefined"]));
        }
    });
}

#[test]
fn a_descriptor_that_is_none_is_an_error_before_anything_is_done() {
    for_everyone(|f| {
        let words = [&f.text("tree"), "touch", "/tmp/done"];
        for (number, redirection) in [("77", ""), ("8", "8</dev/null"), ("8", "8</")] {
            let ran =
                redirected(f, redirection, &[&["--status-fd", number], &words[..]].concat(), "");
            ran.refused(&[&format!("--status-fd {number}: Bad file descriptor")]);
        }
        for number in ["0", "1", "2", "x", "99999999999"] {
            let ran = redirected(f, "", &[&["--status-fd", number], &words[..]].concat(), "");
            ran.refused(&["--status-fd", "give "]);
        }
        assert!(!f.tree().join("tmp/done").exists());
    });
}

#[test]
fn the_descriptors_stay_outside() {
    for_everyone(|f| {
        let config =
            json!({ "command": ["sh", "-c", "echo x >&9; echo x >&8; read y <&7; exit 4"] });
        fs::write(f.host("box"), self::config(f, &config)).unwrap();
        let words = ["--config-fd", "7", "--status-fd", "9"];
        let ran = redirected(f, "7<box 8>source/events 9>&8", &words, "");
        assert_eq!(ran.err.matches("Bad file descriptor").count(), 3, "{ran:?}");
        let events = fs::read_to_string(f.host("source/events")).unwrap();
        // The control: outside it is open.
        assert_eq!((ran.code, events.lines().count()), (Some(4), 2), "{events}");
        assert!(events.contains("\"status\":4"), "{events}");
        fs::remove_file(f.host("source/events")).unwrap();
        fs::remove_file(f.host("box")).unwrap();
    });
}

/// The error of a configuration that is handed over on 7, where 9 is for events and 8 is open, too.
fn failure_of(f: &Fixture, settings: &Value) -> Value {
    fs::write(f.host("box"), config(f, settings)).unwrap();
    let words = ["--config-fd", "7", "--status-fd", "9"];
    let ran = redirected(f, "7<box 8</dev/null 9>source/events", &words, "");
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(125), "", ""));
    let told = fs::read_to_string(f.host("source/events")).unwrap();
    fs::remove_file(f.host("source/events")).unwrap();
    fs::remove_file(f.host("box")).unwrap();
    serde_json::from_str(&told).unwrap()
}

/// Settings that hand descriptor N over, and how the setting is called.
fn handing_over(number: i32) -> Vec<(&'static str, Value)> {
    let bind =
        json!({ "target": "/mnt", "filesystem": { "bind-descriptor": { "descriptor": number } } });
    let fields = [
        ("stdin", json!({ "stdin": { "descriptor": number } })),
        ("stdout", json!({ "stdout": { "descriptor": number } })),
        ("stderr", json!({ "stderr": { "descriptor": number } })),
        ("process.descriptors", json!({ "process": { "descriptors": [number] } })),
        ("process.gates.start", json!({ "process": { "gates": { "start": number } } })),
        ("process.gates.ids-mapped", json!({ "process": { "gates": { "ids-mapped": number } } })),
        ("extra-mounts[0]", json!({ "extra-mounts": [bind] })),
    ];
    let with_command = |(field, mut settings): (_, Value)| {
        settings["command"] = json!(["sh", "-c", "echo '{\"event\":\"exited\",\"status\":0}' >&9"]);
        (field, settings)
    };
    fields.into_iter().map(with_command).collect()
}

#[test]
fn a_command_cannot_be_given_the_descriptors_that_are_ours() {
    for_everyone(|f| {
        for (flag, number) in [("--status-fd", 9), ("--config-fd", 7)] {
            for (field, settings) in handing_over(number) {
                let error = failure_of(f, &settings);
                assert_eq!((&error["kind"], &error["setting"]), (&json!("config"), &json!(field)));
                let message = error["message"].as_str().unwrap();
                let said = format!("{field} is descriptor {number}, which is that of {flag}: ");
                assert!(message.starts_with(&said), "{message}");
            }
        }
        // The same number where it is nobody's.
        let words = ["--config", "box"];
        let settings =
            json!({ "command": ["sh", "-c", "echo x >&9"], "process": { "descriptors": [9] } });
        fs::write(f.host("box"), config(f, &settings)).unwrap();
        redirected(f, "9>&1", &words, "").prints("x\n");
        fs::remove_file(f.host("box")).unwrap();
    });
}

/// An image has mounts before those of the configuration, which are counted with them.
#[test]
fn nor_can_what_is_run_of_an_image() {
    for_everyone(|f| {
        let mut tar = Command::new("tar");
        tar.arg("-cf").arg(f.host("x.tar")).arg("-C").arg(f.tree()).arg("bin");
        assert!(tar.status().unwrap().success());
        for (flag, number) in [("--status-fd", 9), ("--config-fd", 7)] {
            let has_one_name = |(field, _): &(&str, Value)| !field.starts_with("extra-mounts");
            for (field, mut settings) in handing_over(number).into_iter().filter(has_one_name) {
                settings["root"] = json!(f.text("x.tar"));
                let error = failure_of(f, &settings);
                assert_eq!((&error["kind"], &error["setting"]), (&json!("config"), &json!(field)));
                let message = error["message"].as_str().unwrap();
                let said = format!("{field} is descriptor {number}, which is that of {flag}: ");
                assert!(message.starts_with(&said), "{message}");
            }
        }
        fs::remove_file(f.host("x.tar")).unwrap();
    });
}

#[test]
fn a_descriptor_that_is_not_open_is_named_with_its_setting() {
    for_everyone(|f| {
        // 99 is open nowhere; 3 is what `run-sandbox` gets for a copy of its own.
        for number in [99, 3] {
            for (field, settings) in handing_over(number) {
                let error = failure_of(f, &settings);
                assert_eq!((&error["kind"], &error["setting"]), (&json!("config"), &json!(field)));
                assert_eq!(error["errno"], 9, "{error}");
                let message = error["message"].as_str().unwrap();
                assert!(message.starts_with(&format!("{field} is descriptor {number}: Bad")));
            }
        }
        let words = ["--status-fd", "9", "--config-fd", "3"];
        let ran = redirected(f, "9>/dev/null", &words, "");
        assert_eq!((ran.code, ran.out.as_str()), (Some(125), ""), "{ran:?}");
    });
}

#[test]
fn the_sandbox_ends_when_nobody_reads_any_more() {
    for_everyone(|f| {
        let script = "exec \"$0\" \"$@\" 9>&1 >/dev/null";
        let mut command = f.started_by(&["sh", "-c", script]);
        command.args(["--status-fd", "9", "--tmpfs", "/made/here", &f.text("tree")]);
        command.args(["sh", "-c", "trap '' TERM HUP INT; sleep 300"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut events = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        events.read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap();
        let init = format!("/proc/{}", started["pid"]);
        assert!(Path::new(&init).exists(), "it runs while somebody reads");
        drop(events);
        let end = Instant::now() + Duration::from_secs(20);
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it goes on");
            thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(status.code(), Some(137));
        assert!(!Path::new(&init).exists());
    });
}

#[test]
fn what_is_possible_here_as_json() {
    for_everyone(|f| {
        let ran = Ran::of(f.command().arg("--capabilities"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
        let [luc, chroot] = &report["backends"].as_array().unwrap()[..] else { panic!("{report}") };
        assert_eq!((&luc["name"], &luc["available"]), (&json!("linux-user-chroot"), &json!(true)));
        assert_eq!(luc["settings"]["network"], json!(["undefined", "isolated"]));
        assert_eq!(chroot["available"], json!(f.who == Who::Root));
        assert!(
            chroot["lacking"].as_array().unwrap().iter().any(|one| one["setting"] == "network")
        );
    });
}
