//! `--build`, and the environment.

use std::fs;

use crate::fixture::{Ran, for_everyone};

#[test]
fn a_build_sees_nothing_of_the_host() {
    for_everyone(|f| {
        let mut command = f.command();
        command.env("SECRET", "1").env_remove("TERM").arg("--build").arg(f.tree());
        let ran = Ran::of(command.arg("env"));
        let mut lines: Vec<_> = ran.out.lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "HOME=/tmp",
                "LC_ALL=C.UTF-8",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ]
        );
        f.shell(&["--build"], "hostname; ls -A /tmp").prints("sandbox\n");
    });
}

#[test]
fn a_build_has_only_loopback_and_its_own_processes() {
    for_everyone(|f| {
        let ran = f.shell(&["--build"], "cat /proc/net/dev; ls -d /proc/[0-9]*");
        let interfaces = ran.out.lines().filter(|line| line.contains(':')).count();
        assert_eq!(interfaces, 1, "{ran:?}");
        assert!(ran.out.contains(" lo:"), "{ran:?}");
        assert!(ran.out.lines().filter(|line| line.starts_with("/proc/")).count() <= 4, "{ran:?}");
        // The control: without isolation there is more to see.
        let open = f.run(&["--bind", "/proc:/proc"], &["ls", "/proc"]);
        assert!(open.out.lines().filter(|line| line.parse::<u32>().is_ok()).count() > 4);
    });
}

#[test]
fn a_build_writes_where_it_may() {
    for_everyone(|f| {
        let script = "for d in /tmp /dev/shm /data/one /data/two /bin; do
                          touch $d/x 2>/dev/null && echo $d; done; true";
        f.shell(&["--build", "--writable", "/data/one"], script)
            .prints("/tmp\n/dev/shm\n/data/one\n");
        fs::remove_file(f.tree().join("data/one/x")).unwrap();
        f.shell(&["--build", "--tmpfs", "/data/two"], script).prints("/tmp\n/dev/shm\n/data/two\n");
        f.shell(&["--build", "--read-only"], script).prints("");
    });
}

#[test]
fn flags_override_the_preset() {
    for_everyone(|f| {
        let bind = format!("{}:/tmp", f.text("source"));
        let ran = f.shell(&["--build", "--bind", &bind, "--hostname", "mine"], "ls /tmp; hostname");
        ran.prints("file\nmine\n");
        let kept = ["--build", "--clear-env", "--env", "A=b=c"];
        f.run(&kept, &["/bin/env"]).prints("A=b=c\n");
    });
}

#[test]
fn the_environment_is_exactly_what_is_said() {
    for_everyone(|f| {
        let run = |options: &[&str]| {
            let mut command = f.command();
            command.env_clear().envs([("PATH", "/bin:/usr/bin"), ("KEPT", "1"), ("OTHER", "2")]);
            let ran = Ran::of(command.args(options).arg(f.tree()).arg("/bin/env"));
            assert_eq!(ran.code, Some(0), "{ran:?}");
            let mut lines: Vec<_> = ran.out.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(run(&[]), ["KEPT=1", "OTHER=2", "PATH=/bin:/usr/bin"]);
        assert_eq!(run(&["--env", "OTHER=3"]), ["KEPT=1", "OTHER=3", "PATH=/bin:/usr/bin"]);
        assert!(run(&["--clear-env"]).is_empty());
        assert_eq!(run(&["--clear-env", "--env", "KEPT", "--env", "NONE"]), ["KEPT=1"]);
    });
}
