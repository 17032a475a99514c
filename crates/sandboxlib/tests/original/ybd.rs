//! The calls of a known user of the original, whole: a build step with its log.

use std::fs;

use sandboxlib::{
    Config, Executor, Finished, Isolation, Stream, WritablePaths, executor_for_platform,
};

use crate::fixture::{Fixture, for_everyone, isolating};

fn environment() -> [(&'static str, &'static str); 9] {
    [
        ("PATH", "/bin"),
        ("PREFIX", "/usr"),
        ("DESTDIR", "/hello.inst"),
        ("HOME", "/tmp"),
        ("TERM", "dumb"),
        ("SHELL", "/bin/sh"),
        ("LC_ALL", "C"),
        ("TZ", "UTC"),
        ("MAKEFLAGS", "-j2"),
    ]
}

/// `degrade(config, warn=False)`, then the run, with everything that is printed in a log.
fn step(f: &Fixture, executor: Executor, config: &Config) -> (Finished, String) {
    let log = f.host("log");
    fs::write(&log, "# the step\n").unwrap();
    let config = executor.degrade_config_for_capabilities(config).unwrap().config;
    let open = fs::OpenOptions::new().append(true).open(&log).unwrap();
    let config = config.stdout(open).stderr(Stream::Stdout);
    let finished = executor.run_sandbox_with_redirection(&config).unwrap();
    let printed = fs::read_to_string(&log).unwrap();
    fs::remove_file(log).unwrap();
    (finished, printed)
}

fn normal(f: &Fixture, script: &str, writable: impl Into<WritablePaths>) -> Config {
    Config::new(["sh", "-c", "-e", script])
        .env(environment())
        .cwd("hello.build")
        .filesystem_root(f.tree())
        .filesystem_writable_paths(writable)
        .mounts(Isolation::Isolated)
        .network(Isolation::Isolated)
        .extra_mount((f.host("source"), "/tmp/ccache", "", "bind"))
        .extra_mount(("tmpfs", "/dev/shm", "tmpfs"))
        .extra_mount(("proc", "/proc", "proc"))
}

#[test]
fn row_known_user_normal_mode() {
    for_everyone(|f| {
        for name in ["hello.build", "hello.inst"] {
            fs::create_dir(f.inside(name)).unwrap();
        }
        let script = "pwd; echo aside >&2; cat /tmp/ccache/file; ls -d /proc/self; \
                      touch made /tmp/ccache/hit /dev/shm/x $DESTDIR/done; echo $MAKEFLAGS";
        let printed = "# the step\n/hello.build\naside\nof the host\n/proc/self\n-j2\n";
        let paths = ["hello.build", "hello.inst", "/dev", "/proc", "/tmp"];
        for executor in f.executors() {
            for writable in [WritablePaths::All, paths.into()] {
                let (finished, log) = step(f, executor, &normal(f, script, writable));
                assert_eq!((finished.exit, log.as_str()), (0, printed), "{executor:?}");
                let made = ["hello.build/made", "hello.inst/done"].map(|name| f.inside(name));
                for file in made.into_iter().chain([f.host("source/hit")]) {
                    fs::remove_file(file).unwrap();
                }
                assert!(!f.inside("tmp/ccache").exists() && !f.inside("dev/shm").exists());
            }
            // A step that fails stops there, and its status is reported.
            let (finished, log) = step(f, executor, &normal(f, "false; echo not reached", paths));
            assert_eq!((finished.exit, log.as_str()), (1, "# the step\n"));
        }
        for executor in isolating() {
            let (finished, log) = step(f, executor, &normal(f, "touch /data/new", paths));
            assert!(finished.exit == 1 && log.contains("Read-only file system"), "{log}");
        }
        for name in ["hello.build", "hello.inst"] {
            fs::remove_dir(f.inside(name)).unwrap();
        }
    });
}

#[test]
fn row_known_user_bootstrap_mode() {
    for_everyone(|f| {
        if isolating().is_empty() {
            return;
        }
        let checkout = f.host("source");
        let chosen = executor_for_platform().unwrap().executor;
        let tmp = f.inside("tmp");
        let script = "pwd; echo aside >&2; touch made; echo $TZ";
        let config = Config::new(["sh", "-c", "-e", script])
            .env(environment())
            .cwd(&checkout)
            .filesystem_writable_paths([&checkout, &tmp])
            .filesystem_root("/")
            .mounts(Isolation::Isolated)
            .network(Isolation::Isolated);
        let mut outside = config.clone();
        let (finished, log) = step(f, chosen, &config);
        let printed = format!("# the step\n{}\naside\nUTC\n", checkout.display());
        assert_eq!((finished.exit, log), (0, printed));
        // No more than those.
        fs::remove_file(checkout.join("made")).unwrap();
        let elsewhere = f.inside("data/made");
        let script = format!("echo x > {}", elsewhere.display());
        outside.command = ["sh", "-c", "-e", &script].into();
        let (finished, log) = step(f, chosen, &outside);
        assert!(finished.exit != 0 && log.contains("Read-only file system"), "{log}");
        assert!(!elsewhere.exists());
    });
}
