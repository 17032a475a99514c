//! Backends, best effort, and what is told.

use std::fs;

use crate::fixture::{Ran, Who, for_everyone, for_root};

#[test]
fn explain_runs_nothing() {
    for_everyone(|f| {
        let ran = f.run(&["--explain", "--network", "isolated"], &["touch", "/data/ran"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
        assert!(ran.out.starts_with("backend: linux-user-chroot\n"), "{ran:?}");
        assert!(ran.out.contains("bring the loopback interface up"), "{ran:?}");
        assert!(ran.out.ends_with("execute touch /data/ran\n"), "{ran:?}");
        assert!(!f.tree().join("data/ran").exists());
    });
}

#[test]
fn a_named_backend_is_taken() {
    for_everyone(|f| {
        for flag in ["-e", "--backend", "--executor"] {
            let ran = f.run(&["-v", flag, "linux_user_chroot"], &["true"]);
            assert!(
                ran.err.starts_with("run-sandbox: info: using the linux-user-chroot backend\n")
            );
            assert!(ran.err.contains("info: exit status 0 after 0."), "{ran:?}");
        }
        f.run(&["-e", "nonsense"], &["true"])
            .refused(&["\"nonsense\" is not a known backend", "linux-user-chroot, chroot"]);
    });
}

#[test]
fn the_variable_is_obeyed_or_reported() {
    for_everyone(|f| {
        let run = |value: &str| {
            let mut command = f.command();
            command.env("SANDBOXLIB_BACKEND", value).arg("-v").arg(f.tree()).arg("true");
            Ran::of(&mut command)
        };
        let ran = run("nonsense");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.err.contains("warning: SANDBOXLIB_BACKEND is \"nonsense\""), "{ran:?}");
        let ran = run("linux_user-chroot");
        assert!(ran.code == Some(0) && !ran.err.contains("warning"), "{ran:?}");
        assert!(!run("").err.contains("warning"));
        for name in ["bubblewrap", "linux-user-chroot", "linux_user_chroot"] {
            let id = |command: &mut std::process::Command| {
                command.args([&f.text("tree"), "id", "-u"]);
                Ran::of(command)
            };
            let by_variable = id(f.command().env("SANDBOXLIB_BACKEND", name));
            let by_flag = id(f.command().args(["-e", name]));
            let user = match f.who {
                Who::Plain if name != "bubblewrap" => "54321\n",
                _ => "0\n",
            };
            by_variable.prints(user);
            by_flag.prints(user);
        }
    });
}

#[test]
fn what_is_not_possible_is_refused_or_stepped_down() {
    for_root(|f| {
        let chroot = ["-e", "chroot", "--network", "isolated", "--ipc", "isolated"];
        let ran = f.run(&chroot, &["true"]);
        ran.refused(&[
            "\n  the chroot backend cannot give network = isolated: ",
            "ipc = isolated",
            "--best-effort",
        ]);
        let ran = f.run(&[&chroot[..], &["--best-effort"]].concat(), &["echo", "ran"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), "ran\n"), "{ran:?}");
        let warnings: Vec<_> = ran.err.lines().collect();
        assert_eq!(warnings.len(), 2, "{ran:?}");
        let first =
            "run-sandbox: warning: network = isolated is not possible here, using undefined";
        assert!(warnings[0].starts_with(first), "{ran:?}");
        let required = ["--best-effort", "--require", "network"];
        let ran = f.run(&[&chroot[..], &required].concat(), &["true"]);
        ran.refused(&["network = isolated"]);
        assert!(!ran.err.contains("ipc"), "{ran:?}");
    });
}

#[test]
fn the_doctor_and_the_list_always_answer() {
    for_everyone(|f| {
        let doctor = Ran::of(f.command().arg("--doctor"));
        assert_eq!((doctor.code, doctor.err.as_str()), (Some(0), ""));
        for word in ["\nlinux-user-chroot: ", "\nchroot: ", "  network  "] {
            assert!(doctor.out.contains(word), "no {word:?} in {}", doctor.out);
        }
        let list = Ran::of(f.command().arg("--list-backends"));
        let names: Vec<_> = list.out.lines().map(|line| &line[..20]).collect();
        assert_eq!(names, ["linux-user-chroot   ", "chroot              "]);
    });
}

#[test]
fn a_file_has_the_same_settings_as_the_flags() {
    for_everyone(|f| {
        let file = f.text("box.toml");
        let text = format!(
            r#"
            root = "{}"
            command = ["sh", "-c", "hostname; echo $A$HOME; pwd; ls /data; echo x > /data/one/x"]
            cwd = "data"
            env = {{ inherit = "nothing", set = {{ A = "1" }} }}
            hostname = "filed"
            writable = ["/tmp"]
            extra-mounts = [
                "tmpfs /data tmpfs size=1m",
                {{ target = "/data/one", filesystem = {{ bind = {{ source = "{}" }} }} }},
            ]
            "#,
            f.text("tree"),
            f.text("source"),
        );
        fs::write(&file, text).unwrap();
        let ran = Ran::of(f.command().args(["--config", &file]));
        assert_eq!(ran.out, "filed\n1\n/data\none\n", "{ran:?}");
        assert!(ran.err.contains("Read-only file system"), "{ran:?}");
        let ran = Ran::of(f.command().args(["--config", &file, "--hostname", "flagged"]));
        assert!(ran.out.starts_with("flagged\n"), "{ran:?}");
        fs::write(&file, "network = 'isolated'\n\nwritabel = ['/a']\n").unwrap();
        Ran::of(f.command().args(["--config", &file]))
            .refused(&["box.toml:3: unknown field `writabel`", "`writabel = ['/a']`"]);
        fs::write(&file, "cwd = \"/a\\u0000\"\n").unwrap();
        Ran::of(f.command().args(["--config", &file]))
            .refused(&["box.toml:1: path \"/a\\0\" contains a NUL byte"]);
        fs::remove_file(&file).unwrap();
    });
}

#[test]
fn a_bad_file_names_the_line_and_the_value() {
    for_everyone(|f| {
        let file = f.text("box.toml");
        let with = |text: &str| {
            fs::write(&file, text).unwrap();
            f.run(&["--config", &file], &["true"])
        };
        with("network = \n").refused(&["box.toml:1: "]);
        with("ipc = 'on'").refused(&["box.toml:1: unknown variant `on`", "isolated"]);
        with("\nwritable = ['/a', 7]").refused(&["box.toml:2: ", "writable = ['/a', 7]"]);
        with("\n\nextra-mounts = ['a b']").refused(&["box.toml:3: ", "extra-mounts = ['a b']"]);
        with("command = []").refused(&["box.toml:1: command is empty"]);
        with("env = { set = { 'A=B' = 'x' } }").refused(&["env", "\"A=B\"", "="]);
        with("require = ['netwrok']\nbest-effort = true").refused(&["--require \"netwrok\""]);
        with("backend = 'nonsense'").refused(&["\"nonsense\" is not a known backend"]);
        fs::write(&file, b"# \xff\n").unwrap();
        f.run(&["--config", &file], &["true"]).refused(&["box.toml", "UTF-8"]);
        fs::remove_file(&file).unwrap();
        let directory = f.text("source");
        f.run(&["--config", &directory], &["true"]).refused(&[&directory, "Is a directory"]);
    });
}
