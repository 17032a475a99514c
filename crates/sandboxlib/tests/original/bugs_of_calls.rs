//! Bugs of the original in how it is called and what it returns.

use std::fs;

use sandboxlib::{
    Config, Executor, Isolation, Stream, WritablePaths, get_executor, validate_extra_mounts,
};

use crate::fixture::{Fixture, SKIPPED, for_everyone, isolating, refused, runs};

#[test]
fn bug_05_large_output_does_not_deadlock() {
    for_everyone(|f| {
        for executor in f.executors() {
            // More than any pipe or socket holds, on both at once.
            let script = "yes err | head -c 3000000 >&2 | yes out | head -c 8000000";
            let finished = runs(executor, &f.shell(script));
            let (out, err) = (finished.out.unwrap(), finished.err.unwrap());
            assert_eq!((finished.exit, out.len(), err.len()), (0, 8_000_000, 3_000_000));
            assert!(out.starts_with(b"out\nout\n") && err.ends_with(b"err\nerr\n"));
        }
    });
}

#[test]
fn bug_06_nothing_is_logged_or_left_in_the_working_directory() {
    for_everyone(|f| {
        let here = f.host("here");
        fs::create_dir(&here).unwrap();
        let mut role = f.role("runs_quietly");
        let (out, err) = Fixture::play(role.current_dir(&here).env("SECRET", "swordfish"));
        assert!(!out.contains("swordfish"), "{out}");
        // As the harness prints it, and nothing else.
        let lines: Vec<_> = out.lines().filter(|line| !line.is_empty()).collect();
        assert!(lines.len() == 3 && lines[0] == "running 1 test", "{out}");
        let told = err.lines().find(|line| !line.starts_with(SKIPPED));
        assert_eq!(told, None);
        fs::remove_dir(here).expect("it is empty");
    });
}

#[test]
fn bug_07_messages_name_the_value_and_what_would_work() {
    for_everyone(|f| {
        for executor in f.executors() {
            let config = f.config(["true"]).extra_mount(("x", "/data", "ext5"));
            refused(executor, &config, &["\"ext5\"", "proc, tmpfs"]);
            let config = f.config(["true"]).stdout(Stream::Stdout);
            refused(executor, &config, &["stdout", "only stderr"]);
            if executor == Executor::Chroot {
                let config = f.config(["true"]).network(Isolation::Isolated);
                refused(executor, &config, &["network = isolated", "supported here: undefined"]);
            }
        }
    });
}

#[test]
fn bug_08_only_executors_are_executors() {
    for_everyone(|_| {
        for name in ["logging", "os", "executor_for_platform", "", "Chroot", "chroot ", "CAPTURE"] {
            let error = get_executor(name).unwrap_err();
            assert_eq!(error.name, name);
            assert!(error.to_string().contains("linux-user-chroot, bubblewrap, chroot"), "{error}");
        }
    });
}

#[test]
fn bug_09_bad_values_are_errors_in_every_build() {
    for_everyone(|f| {
        let fine = || f.config(["true"]);
        for executor in f.executors() {
            for (config, words) in [
                (Config::new(Vec::<String>::new()), "command is empty"),
                (Config::new(""), "command is empty"),
                (Config::new(["a", "b\0c"]), "command \"b\\0c\""),
                (fine().cwd(""), "cwd is empty"),
                (fine().cwd("a\0b"), "cwd"),
                (fine().env([("", "x")]), "env is empty"),
                (fine().env([("a=b", "x")]), "env \"a=b\""),
                (fine().filesystem_root(""), "root is empty"),
                (fine().filesystem_writable_paths([""]), "filesystem_writable_paths is empty"),
                (fine().extra_mount(("proc", "/", "proc")), "extra_mounts[0]"),
                (fine().stdout(Stream::Path("".into())), "stdout is empty"),
            ] {
                refused(executor, &config, &[words]);
            }
        }
    });
}

#[test]
fn bug_11_options_are_compared_by_value_and_arguments_are_not_changed() {
    for_everyone(|f| {
        for executor in f.executors() {
            // Put together here, so that it is a string of its own; and everything stays writable.
            let option = ["bi", "nd"].concat();
            let config = f.shell("echo inside > /data/one/file").extra_mount((
                f.host("source"),
                "/data/one",
                "",
                option,
            ));
            let before = format!("{config:?}");
            assert_eq!(runs(executor, &config).exit, 0);
            assert_eq!(format!("{config:?}"), before);
            assert_eq!(config.filesystem_writable_paths, WritablePaths::All);
            assert_eq!(fs::read_to_string(f.host("source/file")).unwrap(), "inside\n");
            fs::write(f.host("source/file"), "of the host\n").unwrap();

            let entries = config.extra_mounts.clone();
            validate_extra_mounts(&entries).unwrap();
            assert_eq!(entries, config.extra_mounts);
        }
        for executor in isolating() {
            let config = f
                .config(["true"])
                .extra_mount((f.host("source"), "/data/one", "", "bind"))
                .filesystem_writable_paths(["/tmp"]);
            assert_eq!(runs(executor, &config).exit, 0);
            assert_eq!(config.filesystem_writable_paths, ["/tmp"].into());
        }
    });
}

#[test]
fn bug_17_descriptor_0_is_a_file_like_another() {
    for_everyone(|f| {
        Fixture::play(&mut f.role("logs_to_descriptor_0"));
    });
}

#[test]
fn bug_19_degrade_returns_a_copy() {
    for_everyone(|f| {
        for executor in f.executors() {
            let asked = f.config(["true"]).env([("A", "1")]);
            let before = format!("{asked:?}");
            let mut lowered = executor.degrade_config_for_capabilities(&asked).unwrap().config;
            lowered.env.set.clear();
            lowered.extra_mounts.push(("proc", "/proc", "proc").into());
            lowered.network = Isolation::Isolated;
            assert_eq!(format!("{asked:?}"), before);
        }
    });
}
