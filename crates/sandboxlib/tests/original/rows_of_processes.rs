//! Promises about the command: its words, environment, streams, ids and end.

use std::fs;

use sandboxlib::{Config, Error, Executor, RunError, SpawnError, Status, Stream, Words};

use crate::fixture::{BUSYBOX, Fixture, Who, for_everyone, prints, refused, runs, text};

#[test]
fn row_command_is_a_list_that_nothing_splits() {
    for_everyone(|f| {
        for executor in f.executors() {
            prints(executor, &f.config(["echo", "a b", "$PATH", "*"]), "a b $PATH *\n");
            // One string is one word.
            let mut one = f.config(["true"]);
            one.command = "echo hi".into();
            assert_eq!(one.command, Words(vec!["echo hi".into()]));
            refused(executor, &one, &["\"echo hi\"", "No such file"]);
            one.command = "true".into();
            prints(executor, &one, "");
        }
    });
}

#[test]
fn row_env_replaces_wholly() {
    for_everyone(|f| {
        for executor in f.executors() {
            let config = f.config(["/bin/env"]);
            prints(executor, &config.clone().env([("foo", "bar")]), "foo=bar\n");
            prints(executor, &config.env::<&str, &str>([]), "");
        }
    });
}

#[test]
fn row_env_none_inherits() {
    for_everyone(|f| {
        for executor in f.executors() {
            let config = Config::new([BUSYBOX, "env", "-0"]);
            let out = runs(executor, &config).out.unwrap();
            let mut inside: Vec<_> =
                out.split(|byte| *byte == 0).filter(|v| !v.is_empty()).collect();
            inside.sort_unstable();
            let host = std::process::Command::new(BUSYBOX).args(["env", "-0"]).output().unwrap();
            let mut host: Vec<_> =
                host.stdout.split(|byte| *byte == 0).filter(|v| !v.is_empty()).collect();
            host.sort_unstable();
            assert_eq!(inside, host);
        }
    });
}

#[test]
fn row_stdout_and_stderr_are_captured_as_bytes() {
    for_everyone(|f| {
        for executor in f.executors() {
            let finished = runs(executor, &f.shell(r"printf 'a\377\000b\r'; echo aside >&2"));
            assert_eq!(finished.out.as_deref(), Some(&b"a\xff\0b\r"[..]));
            assert_eq!(finished.err.as_deref(), Some(&b"aside\n"[..]));
        }
    });
}

#[test]
fn row_stdout_none_is_discarded() {
    for_everyone(|f| {
        for executor in f.executors() {
            // Not merely lost: the shell tells where its output goes.
            let script = "echo out; exec 3>&1; busybox readlink /proc/self/fd/3 >&2";
            let config = Config::new([BUSYBOX, "sh", "-c", script]).stdout(Stream::Discard);
            let finished = runs(executor, &config);
            assert_eq!(finished.out, None);
            assert_eq!(text(finished.err.as_ref()), "/dev/null\n");
            let finished = runs(executor, &config.stderr(Stream::Discard));
            assert_eq!((finished.out, finished.err), (None, None));
        }
    });
}

#[test]
fn row_stdout_file_gets_what_is_printed() {
    for_everyone(|f| {
        for executor in f.executors() {
            let log = f.host("log");
            fs::write(&log, "before\n").unwrap();
            let config = f.shell("echo out; echo err >&2");
            let by_path = config.clone().stdout(log.clone()).stderr(Stream::Stdout);
            let finished = executor.run_sandbox_with_redirection(&by_path).unwrap();
            assert_eq!((finished.exit, finished.out, finished.err), (0, None, None));
            let file = fs::OpenOptions::new().append(true).open(&log).unwrap();
            let open = config.stdout(file).stderr(Stream::Stdout);
            assert_eq!(executor.run_sandbox_with_redirection(&open).unwrap().exit, 0);
            assert_eq!(fs::read_to_string(&log).unwrap(), "before\nout\nerr\nout\nerr\n");
            fs::remove_file(log).unwrap();
        }
    });
}

#[test]
fn row_stderr_to_stdout_is_merged_in_order() {
    for_everyone(|f| {
        for executor in f.executors() {
            let script = "echo 1; echo 2 >&2; echo 3; echo 4 >&2";
            let finished = runs(executor, &f.shell(script).stderr(Stream::Stdout));
            assert_eq!(text(finished.out.as_ref()), "1\n2\n3\n4\n");
            assert_eq!(finished.err, None);
            // Apart where it is not asked for.
            assert_eq!(text(runs(executor, &f.shell(script)).out.as_ref()), "1\n3\n");
        }
    });
}

#[test]
fn row_with_redirection_keeps_nothing() {
    for_everyone(|f| {
        for executor in f.executors() {
            let config = f.shell("yes | head -c 300000; echo err >&2; exit 4");
            let finished = executor.run_sandbox_with_redirection(&config).unwrap();
            assert_eq!((finished.exit, finished.out, finished.err), (4, None, None));
        }
    });
}

#[test]
fn row_stdin_is_empty_and_other_descriptors_are_closed() {
    for_everyone(|f| {
        for executor in f.executors() {
            prints(executor, &f.config(["cat"]), "");
        }
        // Of a caller with one that is inherited; the control is in the role.
        Fixture::play(&mut f.role_with("lists_descriptors", "9</dev/null"));
    });
}

#[test]
fn row_errors_are_apart_from_the_commands_end() {
    for_everyone(|f| {
        for executor in f.executors() {
            for code in [0, 1, 125, 255] {
                let finished = runs(executor, &f.shell(&format!("exit {code}")));
                assert_eq!((finished.exit, finished.ended), (code, Status::Exited(code)));
            }
            let finished = runs(executor, &f.shell("kill -TERM $$"));
            assert_eq!((finished.exit, finished.ended), (143, Status::Signaled(15)));
            // The same number, and told apart.
            let finished = runs(executor, &f.shell("exit 143"));
            assert_eq!((finished.exit, finished.ended), (143, Status::Exited(143)));

            let gone = executor.run_sandbox(&f.config(["no-such-program"])).unwrap_err();
            assert!(matches!(gone, Error::Run(RunError::Spawn(SpawnError::Exec { .. }))), "{gone}");
            let missing = f.host("missing").to_str().unwrap().to_owned();
            let rootless = Config::new("true").filesystem_root(&missing);
            refused(executor, &rootless, &[&missing, "No such file"]);
            let config = f.config(["true"]).extra_mount((&missing, "/data", "", "bind"));
            refused(executor, &config, &[&missing, "No such file"]);
            refused(executor, &f.config(["true"]).cwd("/missing"), &["/missing", "No such file"]);
        }
    });
}

#[test]
fn row_ids_are_the_callers_and_0_with_bubblewrap() {
    for_everyone(|f| {
        let [user, group] = ["-u", "-g"].map(|option| {
            let id = std::process::Command::new(BUSYBOX).args(["id", option]).output().unwrap();
            String::from_utf8(id.stdout).unwrap()
        });
        for executor in f.executors() {
            let config = f.shell("id -u; id -g");
            let is_root = executor == Executor::Bubblewrap || f.who == Who::Root;
            let ids = if is_root { "0\n0\n".to_owned() } else { format!("{user}{group}") };
            prints(executor, &config, &ids);
            // Other names, the same rights: what is written belongs to the caller.
            runs(executor, &f.config(["touch", "/tmp/mine"]));
            let owner =
                std::os::unix::fs::MetadataExt::uid(&fs::metadata(f.inside("tmp/mine")).unwrap());
            assert_eq!(format!("{owner}\n"), user);
            fs::remove_file(f.inside("tmp/mine")).unwrap();
        }
    });
}
