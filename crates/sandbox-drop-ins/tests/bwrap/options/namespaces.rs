//! The options about namespaces and ids.

use std::fs;

use crate::fixture::{Fixture, Ran, Who};

/// The namespaces of the command, as the host names them: `cgroup:[1] …`, one a line.
fn namespaces(f: &Fixture, options: &[&str]) -> Vec<String> {
    const KINDS: &str = "cgroup ipc mnt net pid user uts";
    let options = [options, &["--bind", "/proc", "/proc"]].concat();
    let script = format!("cd /proc/self/ns; for n in {KINDS}; do readlink $n; done");
    let ran = f.shell(&options, &script);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    ran.out.lines().map(str::to_owned).collect()
}

/// The kinds that are not the caller's.
fn new(f: &Fixture, options: &[&str]) -> Vec<String> {
    let is_new = |name: &String| {
        let kind = name.split(':').next().unwrap();
        fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().to_str() != Some(name)
    };
    let names = namespaces(f, options).into_iter().filter(is_new);
    names.map(|name| name.split(':').next().unwrap().to_owned()).collect()
}

/// With `--proc`, as the host's shows no process of a new PID namespace.
fn new_pids(f: &Fixture, options: &[&str]) -> bool {
    let ran = f.shell(&[options, &["--proc", "/proc"]].concat(), "readlink /proc/self/ns/pid");
    let ours = fs::read_link("/proc/self/ns/pid").unwrap();
    ran.out.trim_end() != ours.to_str().unwrap()
}

/// What is new without being asked for.
fn always(f: &Fixture, more: &[&str]) -> Vec<String> {
    let user: &[&str] = if f.who == Who::Plain { &["user"] } else { &[] };
    let mut all: Vec<_> = [&["mnt"], user, more].concat().into_iter().map(str::to_owned).collect();
    all.sort();
    all
}

/// Runs inside a sandbox that may mount, and in which no user namespace can be made.
fn without_user_namespaces(f: &Fixture, options: &[&str]) -> Ran {
    let bwrap = f.text("bwrap");
    let outer = [
        "--bind",
        "/",
        "/",
        "--unshare-user",
        "--disable-userns",
        "--cap-add",
        "ALL",
        "--unshare-pid",
        "--proc",
        "/proc",
        &bwrap,
        "--bind",
        &f.text("tree"),
        "/",
    ];
    f.run(&[&outer[..], options, &["echo", "inside"]].concat())
}

/// Only root has to ask for the user namespace in which it is somebody else.
fn needs_user_namespace(f: &Fixture, option: &str) {
    let ran = f.inside(&[option, "7"], &["true"]);
    match f.who {
        Who::Root => ran.refused(&[option, "needs --unshare-user or --userns"]),
        Who::Plain => ran.prints(""),
    }
}

super::options! {
    "--unshare-all" unshare_all = |f| {
        let script = "id -u; cat /proc/net/dev | wc -l; hostname; echo $$";
        let options = ["--unshare-all", "--proc", "/proc"];
        let ran = f.shell(&options, script);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        let lines: Vec<_> = ran.out.lines().collect();
        assert_eq!((lines[0], lines[1], lines[3]), (&*f.uid().to_string(), "3", "2"), "{ran:?}");
        assert!(new_pids(f, &["--unshare-all"]));
    };
    "--share-net" share_net = |f| {
        let options = ["--unshare-all", "--share-net", "--proc", "/proc"];
        let ran = f.inside(&options, &["readlink", "/proc/self/ns/net"]);
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        ran.prints(&format!("{}\n", ours.display()));
    };
    "--unshare-user" unshare_user = |f| {
        assert_eq!(new(f, &["--unshare-user"]), ["mnt", "user"]);
        let uid = f.uid();
        let map = f.shell(&["--unshare-user", "--bind", "/proc", "/proc"], "echo $(cat /proc/self/uid_map)");
        map.prints(&format!("{uid} {uid} 1\n"));
    };
    "--unshare-user-try" unshare_user_try = |f| {
        assert_eq!(new(f, &["--unshare-user-try"]), ["mnt", "user"]);
        without_user_namespaces(f, &["--unshare-user-try"]).prints("inside\n");
        without_user_namespaces(f, &["--unshare-user"]).refused(&["user-namespace", "max_user_namespaces"]);
        without_user_namespaces(f, &["--unshare-user-try", "--uid", "5"]).refused(&["user-namespace"]);
    };
    "--unshare-ipc" unshare_ipc = |f| {
        assert_eq!(new(f, &["--unshare-ipc"]), always(f, &["ipc"]));
        assert_eq!(new(f, &[]), always(f, &[]));
    };
    "--unshare-pid" unshare_pid = |f| {
        assert!(new_pids(f, &["--unshare-pid"]));
        assert!(!new_pids(f, &[]));
        f.shell(&["--unshare-pid"], "echo $$").prints("2\n");
    };
    "--unshare-net" unshare_net = |f| assert_eq!(new(f, &["--unshare-net"]), always(f, &["net"]));
    "--unshare-uts" unshare_uts = |f| assert_eq!(new(f, &["--unshare-uts"]), always(f, &["uts"]));
    "--unshare-cgroup" unshare_cgroup = |f| {
        assert_eq!(new(f, &["--unshare-cgroup"]), always(f, &["cgroup"]));
    };
    "--unshare-cgroup-try" unshare_cgroup_try = |f| {
        assert_eq!(new(f, &["--unshare-cgroup-try"]), always(f, &["cgroup"]));
    };
    "--disable-userns" disable_userns = |f| {
        let proc = ["--unshare-user", "--proc", "/proc"];
        f.inside(&proc, &["unshare", "-U", "true"]).prints("");
        let disabled = f.inside(&[&["--disable-userns"], &proc[..]].concat(), &["unshare", "-U", "true"]);
        assert_eq!(disabled.code, Some(1), "{disabled:?}");
        assert!(disabled.err.contains("No space left on device"), "{disabled:?}");
        f.inside(&["--disable-userns"], &["true"]).refused(&["--disable-userns needs --unshare-user"]);
        let blocked = ["--unshare-user", "--disable-userns", "--info-fd", "1", "--userns-block-fd", "0"];
        f.inside(&blocked, &["true"]).refused(&["--disable-userns cannot be combined with --userns-block-fd"]);
    };
    "--assert-userns-disabled" assert_userns_disabled = |f| {
        f.inside(&["--assert-userns-disabled"], &["true"]).refused(&["--assert-userns-disabled"]);
        without_user_namespaces(f, &["--assert-userns-disabled"]).prints("inside\n");
        f.inside(&["--assert-userns-disabled", "--disable-userns", "--unshare-user"], &["true"]).prints("");
    };
    "--uid" uid = |f| {
        let ids = ["--unshare-user", "--uid", "7"];
        f.inside(&ids, &["id", "-u"]).prints("7\n");
        f.inside(&ids, &["id", "-g"]).prints(&format!("{}\n", f.uid()));
        // It is the caller's own user under another name.
        f.shell(&ids, "touch /tmp/a; stat -c %u /tmp/a; rm /tmp/a").prints("7\n");
        needs_user_namespace(f, "--uid");
    };
    "--gid" gid = |f| {
        f.inside(&["--unshare-user", "--gid", "8"], &["id", "-g"]).prints("8\n");
        needs_user_namespace(f, "--gid");
    };
    "--hostname" hostname = |f| {
        f.inside(&["--unshare-uts", "--hostname", "build-1"], &["hostname"]).prints("build-1\n");
        f.inside(&["--hostname", "build-1"], &["true"]).refused(&["--hostname needs --unshare-uts"]);
        f.inside(&["--unshare-uts", "--hostname", ""], &["true"]).refused(&["--hostname \"\""]);
    };
}
