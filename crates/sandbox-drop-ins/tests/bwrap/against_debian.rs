//! The same command lines through the system's bwrap and ours: the same status, the same output.

use std::process::Command;

use crate::fixture::{Fixture, Ran, Who, for_everyone, skip};

/// Words in one line; `@` stands for the tree, `%` for the directory that it is in.
const LINES: &[&str] = &[
    "--bind @ / true",
    "--bind @ / false",
    "--bind @ / sh -c exit\\ 37",
    "--bind @ / sh -c kill\\ -9\\ $$",
    "--bind @ / nonexistent",
    "--bind @ / /bin",
    "--bind @ / ls /",
    "--ro-bind @ / touch /new",
    "--bind @ / --chdir /data pwd",
    "--bind @ / --chdir data pwd",
    "--bind @ / --chdir /nonexistent pwd",
    "--bind @ / pwd",
    "--bind @ / --setenv HOME /tmp pwd",
    "--bind @ / --setenv HOME /nonexistent pwd",
    "--bind @ / --dir % pwd",
    "--bind @ / --unsetenv PWD --clearenv --setenv A b sh -c echo\\ $A$HOME",
    "--bind @ / --unshare-all --proc /proc --dev /dev sh -c echo\\ $$",
    "--bind @ / --unshare-pid --as-pid-1 sh -c echo\\ $$",
    "--bind @ / --as-pid-1 true",
    "--bind @ / --unshare-user --uid 0 --gid 0 id",
    "--bind @ / --unshare-user --uid 7 --gid 8 id",
    "--bind @ / --uid 7 id",
    "--bind @ / --unshare-uts --hostname build hostname",
    "--bind @ / --hostname build hostname",
    "--bind @ / --unshare-net --bind /proc /proc cat /proc/net/dev_mcast",
    "--bind @ / --tmpfs /data --dir /data/a/b --perms 0700 --dir /data/c/d stat -c %a%n /data /data/a /data/a/b /data/c /data/c/d",
    "--bind @ / --tmpfs /data --file 9 /data/a stat -c %a%s /data/a",
    "--bind @ / --bind-data 9 /tmp/a stat -c %a%s /tmp/a",
    "--bind @ / --ro-bind-data 9 /tmp/a cat /tmp/a",
    "--bind @ / --tmpfs /data --symlink x /data/l readlink /data/l",
    "--bind @ / --tmpfs /data --dir /data/l --symlink x /data/l true",
    "--bind @ / --tmpfs /data --chmod 0711 /data stat -c %a /data",
    "--bind @ / --chmod 0711 /nonexistent true",
    "--bind @ / --size 65536 --tmpfs /data stat -f -c %b /data",
    "--bind @ / --perms 0700 --tmpfs /data stat -c %a /data",
    "--bind @ / --perms 0700 --bind @ /data true",
    "--bind @ / --perms 999 --tmpfs /data true",
    "--bind @ / --size 0 --tmpfs /data true",
    "--bind @ / --perms 0700 true",
    "--bind @ / --tmpfs /data --tmpfs /data/b --remount-ro /data touch /data/b/x",
    "--bind @ / --tmpfs /data --tmpfs /data/b --remount-ro /data touch /data/x",
    "--bind @ / --bind-try /nonexistent /data ls /data",
    "--bind @ / --bind /nonexistent /data ls /data",
    "--bind @ / --ro-bind %/source /data cat /data/file",
    "--bind @ / --dev-bind /dev/null /tmp/null sh -c echo\\ >/tmp/null",
    "--bind @ / --dev /dev ls /dev",
    "--bind @ / --dev /dev sh -c readlink\\ /dev/fd\\ /dev/stdin\\ /dev/core\\ /dev/ptmx",
    "--bind @ / --proc /proc cat /proc/sys/kernel/ostype",
    "--bind @ / --unshare-ipc --mqueue /data ls /data",
    "--bind @ / --bind /proc /proc grep -E CapEff|CapPrm|CapAmb|NoNew /proc/self/status",
    "--bind @ / --bind /proc /proc --cap-drop ALL grep -E CapEff|CapPrm|CapAmb|NoNew /proc/self/status",
    "--bind @ / --bind /proc /proc --unshare-user --cap-drop ALL --cap-add CAP_KILL grep -E CapEff|CapPrm|CapAmb /proc/self/status",
    "--bind @ / --bind /proc /proc --unshare-user --cap-drop CAP_KILL grep -E CapEff|CapPrm|CapAmb /proc/self/status",
    "--bind @ / --bind /proc /proc --unshare-user --uid 7 grep -E CapEff|CapPrm|CapAmb /proc/self/status",
    "--bind @ / --bind /proc /proc --unshare-user --cap-add ALL grep -E CapEff|CapPrm|CapAmb /proc/self/status",
    "--bind @ / --bind /proc /proc --cap-drop CAP_KILL grep -E CapEff|CapPrm|CapAmb /proc/self/status",
    "--bind @ / --bind /proc /proc --cap-add CAP_NONE true",
    "--bind @ / --unshare-user --disable-userns --proc /proc unshare -U true",
    "--bind @ / --disable-userns true",
    "--bind @ / --assert-userns-disabled true",
    "--bind @ / --lock-file /bin/busybox true",
    "--bind @ / --lock-file /nonexistent true",
    "--bind @ / --block-fd 9 echo hello",
    "--bind @ / --sync-fd 9 echo hello",
    "--bind @ / --new-session echo hello",
    "--bind @ / --die-with-parent echo hello",
    "--bind @ / --exec-label x true",
    "--bind @ / --seccomp 9 true",
    "--bind @ / --userns 9 true",
    "--bind @ / --nonsense true",
    "--bind @ / -- --nonsense",
    "--bind @",
    "--bind @ /",
    "--dir a/b --ro-bind @/bin bin --symlink a c ls / /a",
    "--tmpfs / --ro-bind @/bin /bin ls -d /bin",
    "--ro-bind / / --tmpfs /tmp ls /tmp",
    "--bind @ / --bind / /data ls -d /data%",
    "true",
    // As BuildStream's buildbox-run calls it.
    "--unshare-pid --die-with-parent --bind @ / --unshare-net --unshare-uts --hostname buildbox \
     --unshare-ipc --dir data/project/hello.bst --chdir data/project/hello.bst --unshare-user --uid 0 \
     --gid 0 --cap-drop ALL --unsetenv PWD --unsetenv HOME --setenv PATH /usr/bin:/bin --setenv PWD \
     /data/project/hello.bst --proc /proc --tmpfs /tmp --dev /dev sh -c -e \
     pwd;\\ id;\\ hostname;\\ grep\\ CapEff\\ /proc/self/status;\\ exit\\ 37",
    // As sccache's build servers do.
    "--die-with-parent --cap-drop ALL --unshare-user --unshare-cgroup --unshare-ipc --unshare-pid \
     --unshare-net --unshare-uts --bind @ / --proc /proc --dev /dev --chdir /data --setenv MFLAGS \
     -j8\\ --jobserver-auth=3,4 -- sh -c echo\\ $MFLAGS;\\ pwd;\\ id",
];

fn words(line: &str, f: &Fixture) -> Vec<String> {
    // A blank after a backslash is part of the word.
    let line = line.replace("\\ ", "\0");
    let here = f.host("").into_os_string().into_string().unwrap();
    let here = here.trim_end_matches('/');
    let word =
        |word: &str| word.replace('\0', " ").replace('@', &f.text("tree")).replace('%', here);
    let is_format = |word: &str| word.starts_with("%a") || word.starts_with("%b");
    line.split(' ').map(|w| if is_format(w) { w.to_owned() } else { word(w) }).collect()
}

fn run(f: &Fixture, program: &str, line: &str) -> Ran {
    Ran::of(f.program(program, "9<words").args(words(line, f)))
}

#[test]
fn the_systems_bwrap_says_the_same() {
    if Command::new("bwrap").arg("--version").output().is_err() {
        return skip("bwrap is not installed (Debian: bubblewrap)");
    }
    for_everyone(|f: &Fixture| {
        if f.who == Who::Plain && run(f, "bwrap", "--bind @ / true").code != Some(0) {
            return skip("as a plain user: the system's bwrap does not work here");
        }
        let mut differences = Vec::new();
        for line in LINES {
            let [theirs, ours] = ["bwrap", &f.text("bwrap")].map(|program| run(f, program, line));
            clean(f);
            if (theirs.code, &theirs.out) != (ours.code, &ours.out) {
                differences.push(format!("{line}\n  theirs {theirs:?}\n  ours   {ours:?}"));
            }
            if ours.code == Some(1) && ours.err.is_empty() && !line.ends_with("false") {
                differences.push(format!("{line}: no message"));
            }
        }
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    });
}

/// Theirs leaves its mount points in the tree.
fn clean(f: &Fixture) {
    for name in ["tmp", "data", "dev"] {
        std::fs::remove_dir_all(f.host("tree").join(name)).unwrap();
        f.directory(&format!("tree/{name}"));
    }
    for entry in std::fs::read_dir(f.host("tree")).unwrap().flatten() {
        if !["bin", "tmp", "proc", "dev", "data"].iter().any(|name| entry.file_name() == *name) {
            std::fs::remove_dir_all(entry.path()).unwrap();
        }
    }
}
