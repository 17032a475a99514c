//! Bug 16 of the original: its list of writable paths was turned into one of read-only ones.

use std::fs;

use sandboxlib::WritablePaths;

use crate::fixture::{for_everyone, isolating, prints, refused, runs, text};

const READ_ONLY: &str = "Read-only file system";

#[test]
fn bug_16_parents_of_writable_paths_stay_read_only() {
    for_everyone(|f| {
        for executor in isolating() {
            // `/data/one2` begins like the one that is writable.
            let script =
                "for dir in / /data /data/one2 /data/one; do touch $dir/new && echo $dir; done";
            let config = f.shell(script).filesystem_writable_paths(["/data/one"]);
            let finished = runs(executor, &config);
            assert_eq!(text(finished.out.as_ref()), "/data/one\n");
            let err = text(finished.err.as_ref());
            assert_eq!(err.lines().filter(|line| line.contains(READ_ONLY)).count(), 3, "{err}");
            fs::remove_file(f.inside("data/one/new")).unwrap();
            // The control: permissions would allow all of it.
            let all = runs(executor, &config.filesystem_writable_paths(WritablePaths::All));
            assert_eq!(text(all.out.as_ref()), "/\n/data\n/data/one2\n/data/one\n");
            for name in ["new", "data/new", "data/one2/new", "data/one/new"] {
                fs::remove_file(f.inside(name)).unwrap();
            }
        }
    });
}

#[test]
fn bug_16_a_missing_writable_path_is_an_error() {
    for_everyone(|f| {
        for executor in isolating() {
            let config = f.config(["true"]).filesystem_writable_paths(["/tmp", "/data/missing"]);
            refused(executor, &config, &["/data/missing", "No such file"]);
        }
    });
}

#[test]
fn bug_16_the_number_of_paths_and_files_has_no_limit() {
    for_everyone(|f| {
        let many = f.inside("data/one/many");
        fs::create_dir(&many).unwrap();
        let names: Vec<_> = (0..1500).map(|number| format!("data/one/many/{number}")).collect();
        for name in &names {
            fs::create_dir(f.inside(name)).unwrap();
        }
        for executor in isolating() {
            // More than the original has options for, to be left out or to be let in.
            let script = "touch /data/one/many/1499/new && touch /data/one/many/new";
            let config = f.shell(script).filesystem_writable_paths(names.clone());
            let finished = runs(executor, &config);
            let err = text(finished.err.as_ref());
            assert_eq!(err, format!("touch: /data/one/many/new: {READ_ONLY}\n"));
            fs::remove_file(f.inside("data/one/many/1499/new")).unwrap();
            let one = f.config(["touch", "/tmp/new"]).filesystem_writable_paths(["/tmp"]);
            prints(executor, &one, "");
            fs::remove_file(f.inside("tmp/new")).unwrap();
        }
        fs::remove_dir_all(many).unwrap();
    });
}

#[test]
fn bug_16_binds_are_made_before_paths_become_read_only() {
    for_everyone(|f| {
        for executor in isolating() {
            let config = f
                .shell("cat /data/file; touch /data/new; touch /data/inner/new")
                .extra_mount((f.host("source"), "/data", "", "bind"))
                .extra_mount(("tmpfs", "/data/inner", "tmpfs"))
                .filesystem_writable_paths(["/data/inner"]);
            let finished = runs(executor, &config);
            assert_eq!(
                (finished.exit, text(finished.out.as_ref())),
                (0, "of the host\n".to_owned())
            );
            let err = text(finished.err.as_ref());
            assert_eq!(err, format!("touch: /data/new: {READ_ONLY}\n"));
        }
    });
}
