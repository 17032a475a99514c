//! Mounts are made in the order of the command line.

use std::os::unix::fs::symlink;

use crate::fixture::for_everyone;

const READ_ONLY: &str = "Read-only file system";

#[test]
fn a_bind_after_readonly_can_be_written() {
    for_everyone(|f| {
        let options = ["--mount-readonly", "/data", "--mount-bind", &f.text("source"), "/data/one"];
        f.shell(&options, "touch /data/one/new && rm /data/one/new").prints("");
        f.shell(&options, "touch /data/two/new").refused_inside(READ_ONLY);
    });
}

#[test]
fn a_readonly_hides_the_binds_before_it() {
    for_everyone(|f| {
        let options = ["--mount-bind", &f.text("source"), "/data/one", "--mount-readonly", "/data"];
        f.run(&options, &["ls", "/data/one"]).prints("own\n");
        f.shell(&options, "touch /data/one/new").refused_inside(READ_ONLY);
        let root = ["--mount-bind", &f.text("source"), "/data/one", "--mount-readonly", "/"];
        f.run(&root, &["ls", "/data/one"]).prints("own\n");
        f.shell(&root, "touch /data/one/new").refused_inside(READ_ONLY);
    });
}

#[test]
fn a_readonly_of_a_bind_keeps_it() {
    for_everyone(|f| {
        let source = f.text("source");
        let options = ["--mount-bind", &source, "/data/one", "--mount-readonly", "/data/one"];
        f.run(&options, &["cat", "/data/one/file"]).prints("of source\n");
        f.shell(&options, "touch /data/one/new").refused_inside(READ_ONLY);
        let root = ["--mount-bind", &f.text("tree/bin"), "/", "--mount-readonly", "/"];
        f.run(&root, &["/busybox", "touch", "/new"]).refused_inside(READ_ONLY);
    });
}

#[test]
fn a_bind_hides_the_binds_before_it() {
    for_everyone(|f| {
        let (source, other) = (f.text("source"), f.text("other"));
        let options = ["--mount-bind", &source, "/data/one", "--mount-bind", &other, "/data"];
        f.run(&options, &["ls", "/data"]).prints("file\n");
        f.run(&options, &["cat", "/data/file"]).prints("of other\n");
        let same = ["--mount-bind", &source, "/data", "--mount-bind", &other, "/data"];
        f.run(&same, &["cat", "/data/file"]).prints("of other\n");
    });
}

#[test]
fn a_mount_can_be_in_an_earlier_one() {
    for_everyone(|f| {
        let (source, other) = (f.text("source"), f.text("other"));
        let options = ["--mount-bind", &source, "/data", "--mount-bind", &other, "/data/below"];
        f.run(&options, &["cat", "/data/below/file"]).prints("of other\n");
        let file = f.text("source/file");
        let device = ["--mount-devapi", "/dev", "--mount-bind", &file, "/dev/null"];
        f.run(&device, &["cat", "/dev/null"]).prints("of source\n");
        let late = ["--mount-bind", &file, "/dev/null", "--mount-devapi", "/dev"];
        f.run(&late, &["true"]).fails("mount (MS_BIND): No such file or directory");
        let proc = ["--mount-bind", &source, "/data", "--mount-proc", "/data/below"];
        f.shell(&proc, "test -e /data/below/self/comm").prints("");
    });
}

#[test]
fn a_mount_can_be_in_an_earlier_one_by_a_link() {
    for_everyone(|f| {
        symlink("data", f.tree().join("link")).unwrap();
        f.seal();
        let (source, other) = (f.text("source"), f.text("other"));
        let options = ["--mount-bind", &source, "/data", "--mount-bind", &other, "/link/below"];
        f.run(&options, &["cat", "/data/below/file"]).prints("of other\n");
    });
}

#[test]
fn a_proc_before_a_readonly_root_is_hidden_and_one_after_it_is_there() {
    for_everyone(|f| {
        let before = ["--mount-proc", "/proc", "--mount-readonly", "/"];
        f.run(&before, &["ls", "/proc"]).prints("");
        let after = ["--mount-readonly", "/", "--mount-proc", "/proc"];
        f.shell(&after, "test -e /proc/self/comm").prints("");
    });
}

/// ROOTDIR `/` is not mounted anew.
#[test]
fn on_the_hosts_root_a_readonly_keeps_what_is_mounted() {
    for_everyone(|f| {
        let path = f.text("other");
        let options = ["--mount-bind", &f.text("source"), &path, "--mount-readonly", "/"];
        let file = format!("{path}/file");
        f.with(&[&options[..], &["/", "cat", &file]].concat()).prints("of source\n");
        let beside = f.text("new");
        let touch = format!("touch {beside}");
        let words = ["--mount-readonly", "/", "/", "sh", "-c", &touch];
        f.with(&words).refused_inside("Read-only");
    });
}

#[test]
fn the_first_that_fails_is_the_one_that_is_told() {
    for_everyone(|f| {
        let missing = ["--mount-bind", "/no/such", "/data"];
        let proc = ["--mount-proc", "/no/such"];
        let chdir = ["--chdir", "/no/such"];
        let run = |options: &[&[&str]]| f.run(&options.concat(), &["true"]);
        run(&[&missing, &proc, &chdir]).fails("Couldn't open bind mount source");
        run(&[&chdir, &proc, &missing]).fails("mount (\"proc\"): No such file or directory");
    });
}
