//! Each message, its stream and its status.

use crate::fixture::{Ran, Who, closed_directory, for_everyone, with_help_of_root};

#[test]
fn help_and_version() {
    for_everyone(|f| {
        let help = "See \"man linux-user-chroot\"\n";
        f.with(&["--help"]).prints(help);
        f.with(&["--unshare-net", "--mount-bind", "a", "b", "--help", "--mount-proc"]).prints(help);
        f.with(&["--version"]).prints("linux-user-chroot 2015.1\n");
        f.with(&["--version", "--help"]).prints("linux-user-chroot 2015.1\n");
        f.with(&["--mount-bind", "--help"]).fails("--mount-bind takes two arguments");
    });
}

#[test]
fn missing_operands() {
    for_everyone(|f| {
        f.with(&["--mount-bind"]).fails("--mount-bind takes two arguments");
        f.with(&["--unshare-net", "--mount-bind", "/a"]).fails("--mount-bind takes two arguments");
        for option in [
            "--mount-readonly",
            "--mount-proc",
            "--mount-devapi",
            "--chdir",
            "--seccomp-profile-version",
        ] {
            f.with(&[option]).fails(&format!("{option} takes one argument"));
        }
    });
}

#[test]
fn missing_words() {
    for_everyone(|f| {
        f.with(&[]).fails("ROOTDIR argument must be specified");
        let (program, tree) = (f.text("linux-user-chroot"), f.text("tree"));
        for words in [&["--unshare-net"][..], &[&tree], &["--unshare-net", &tree]] {
            let ran = f.with(words);
            let usage = format!("usage: {program} [--unshare-ipc] ");
            assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
            assert!(ran.err.starts_with(&usage), "{ran:?}");
            assert!(ran.err.ends_with(" ROOTDIR PROGRAM ARGS...\n"), "{ran:?}");
        }
    });
}

#[test]
fn an_unknown_option_is_the_root() {
    for_everyone(|f| {
        for word in ["--foo", "--", "-h", "--unshare-net=1"] {
            f.with(&[word, "true"]).fails("chdir: No such file or directory");
        }
    });
}

#[test]
fn too_many_options() {
    for_everyone(|f| {
        let many = |count| vec!["--unshare-net"; count];
        f.run(&many(1023), &["echo", "all"]).prints("all\n");
        f.run(&many(1024), &["true"]).fails("Too many mounts (maximum of 1024)");
        let file = f.text("source/file");
        let binds = ["--mount-bind", &file, "/data/one/own"].repeat(1023);
        f.run(&binds, &["cat", "/data/one/own"]).prints("of source\n");
    });
}

#[test]
fn a_root_that_is_none() {
    for_everyone(|f| {
        f.with(&["/no/such", "true"]).fails("chdir: No such file or directory");
        f.with(&["", "true"]).fails("chdir: No such file or directory");
        f.with(&[&f.text("source/file"), "true"]).fails("chdir: Not a directory");
        let relative = Ran::of(f.command(&["tree", "true"]).current_dir(f.host("")));
        relative.fails("mount (MS_MOVE): No such file or directory");
        assert!(relative.err.contains("give an absolute path"), "{relative:?}");
    });
}

#[test]
fn a_root_that_the_caller_may_not_enter() {
    with_help_of_root(Who::Plain, |f| {
        let closed = closed_directory();
        let path = closed.path().to_str().unwrap();
        f.with(&[path, "true"]).fails("chdir: Permission denied");
    });
}

#[test]
fn a_source_that_is_none() {
    for_everyone(|f| {
        let bind = |source: &str| f.run(&["--mount-bind", source, "/data"], &["true"]);
        for source in ["/no/such", "", &format!("{}/x", f.text("source/file"))] {
            bind(source).fails("Couldn't open bind mount source");
        }
    });
}

#[test]
fn a_source_that_the_caller_may_not_read() {
    with_help_of_root(Who::Plain, |f| {
        let closed = closed_directory();
        let path = closed.path().to_str().unwrap();
        let ran = f.run(&["--mount-bind", path, "/data"], &["true"]);
        ran.fails("Couldn't open bind mount source");
    });
}

#[test]
fn a_target_that_is_missing() {
    for_everyone(|f| {
        let source = f.text("source");
        let missing = "No such file or directory";
        let run = |options: &[&str]| f.run(options, &["true"]);
        run(&["--mount-bind", &source, "/none"]).fails(&format!("mount (MS_BIND): {missing}"));
        run(&["--mount-readonly", "/none"]).fails(&format!("mount (MS_BIND): {missing}"));
        run(&["--mount-proc", "/none"]).fails(&format!("mount (\"proc\"): {missing}"));
        run(&["--mount-devapi", "/none"]).fails(&format!("setting up devapi: {missing}"));
        run(&["--chdir", "/none"]).fails(&format!("chdir: {missing}"));
    });
}

/// What is inside an earlier mount shows only when that is there.
#[test]
fn a_target_that_is_missing_in_an_earlier_mount() {
    for_everyone(|f| {
        let source = f.text("source");
        let bind = ["--mount-bind", source.as_str()];
        let words = [&bind[..], &["/data"], &bind, &["/data/none"]].concat();
        f.run(&words, &["true"]).fails("mount (MS_BIND): No such file or directory");
        assert!(!f.host("source/none").exists(), "the mount point was made in the source");
    });
}

#[test]
fn a_target_of_the_wrong_kind() {
    for_everyone(|f| {
        let (source, file) = (f.text("source"), f.text("source/file"));
        let not = "Not a directory";
        let run = |options: &[&str]| f.run(options, &["true"]);
        let on = "/data/one/own";
        run(&["--mount-bind", &source, on]).fails(&format!("mount (MS_BIND): {not}"));
        run(&["--mount-bind", &file, "/data"]).fails(&format!("mount (MS_BIND): {not}"));
        run(&["--mount-proc", on]).fails(&format!("mount (\"proc\"): {not}"));
        run(&["--mount-devapi", on]).fails(&format!("setting up devapi: {not}"));
        run(&["--mount-readonly", "/data/one/own/x"]).fails(&format!("mount (MS_BIND): {not}"));
        run(&["--chdir", on]).fails(&format!("chdir: {not}"));
    });
}

#[test]
fn without_user_namespaces_there_is_a_reason() {
    with_help_of_root(Who::Plain, |f| {
        // A namespace in which the limit is 0 stands for a host where it is.
        let limit = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
        let prefix = ["unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh"];
        let (program, tree) = (f.text("linux-user-chroot"), f.text("tree"));
        let command = [&prefix[..], &["setpriv", "--bounding-set=-all"]].concat();
        let ran = Ran::of(&mut f.as_user(&[&command[..], &[&program, &tree, "true"]].concat()));
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert!(ran.err.starts_with("clone: "), "{ran:?}");
        assert!(ran.err.contains("user.max_user_namespaces is 0"), "{ran:?}");
    });
}
