//! The grammar, held against the words that people write.

use std::ffi::OsString;
use std::io;

use sandbox_core::{Filesystem, Missing, MountFlag, Recursion};

use super::{Action, parse};
use crate::bwrap::error::BwrapError;
use crate::bwrap::options::Word;
use crate::bwrap::request::Request;

/// Descriptor 9 has these words, 8 nothing, and there is no other.
fn parse_with(line: &str, file: &[u8]) -> (Result<Action, BwrapError>, Request) {
    let mut read = |number| match number {
        9 => Ok(file.to_vec()),
        8 => Ok(Vec::new()),
        _ => Err(io::Error::from_raw_os_error(9)),
    };
    let words = line.split(' ').filter(|word| !word.is_empty());
    let words = words.map(|word| OsString::from(if word == "''" { "" } else { word })).collect();
    let mut request = Request::default();
    (parse(words, &mut request, &mut read), request)
}

#[track_caller]
fn parsed(line: &str) -> Request {
    let (action, request) = parse_with(line, b"");
    assert_eq!(action.unwrap(), Action::Run, "{line}");
    request
}

#[track_caller]
fn refused(line: &str) -> String {
    parse_with(line, b"").0.unwrap_err().to_string()
}

fn targets(request: &Request) -> Vec<String> {
    request.operations.iter().map(|operation| operation.mount.target.to_string()).collect()
}

fn filesystems(line: &str) -> Vec<Filesystem> {
    parsed(line).operations.into_iter().map(|operation| operation.mount.filesystem).collect()
}

#[test]
fn the_command_starts_at_the_first_word_that_is_no_option() {
    assert_eq!(parsed("--bind a b true --dir x").command, ["true", "--dir", "x"]);
    assert_eq!(parsed("--new-session -- --dir x").command, ["--dir", "x"]);
    assert_eq!(parsed("''").command, [""]);
    assert!(parsed("--new-session --").command.is_empty());
    assert!(parsed("").command.is_empty());
    assert_eq!(
        parsed("--setenv A -x true").command,
        ["true"],
        "an operand may look like an option"
    );
}

#[test]
fn help_and_version_win_where_they_stand() {
    let action = |line| parse_with(line, b"").0.ok();
    assert_eq!(action("--help --nonsense"), Some(Action::Help));
    assert_eq!(action("--bind a b --version"), Some(Action::Version));
    assert_eq!(action("--nonsense --help"), None);
    assert_eq!(action("true --help"), Some(Action::Run));
    assert_eq!(parse_with("--args 9 true", b"--help").0.ok(), Some(Action::Help));
}

#[test]
fn unknown_options_are_named() {
    for word in ["--nonsense", "-x", "-", "--bin", "--bind=a", "---"] {
        let message = refused(&format!("--new-session {word} true"));
        assert!(message.starts_with(&format!("unknown option {word:?}")), "{message}");
    }
}

#[test]
fn missing_operands_are_told() {
    assert_eq!(refused("--bind"), "--bind takes SRC DEST: there are too few words");
    assert_eq!(refused("--bind a"), "--bind takes SRC DEST: there are too few words");
    assert_eq!(
        refused("--overlay a b"),
        "--overlay takes RWSRC WORKDIR DEST: there are too few words"
    );
    assert_eq!(refused("--uid"), "--uid takes UID: there are too few words");
}

#[test]
fn operations_keep_their_order_and_paths_may_be_relative() {
    let request = parsed("--tmpfs / --bind /a b/c --dir ./d//e --symlink x y true");
    assert_eq!(targets(&request), ["/", "/b/c", "/d/e", "/y"]);
}

#[test]
fn binds_differ_in_devices_writing_and_what_may_be_missing() {
    use MountFlag::{NoDev, NoSuid, ReadOnly};
    let cases: [(&str, &[MountFlag], Missing); 6] = [
        ("--bind", &[NoSuid, NoDev], Missing::Fails),
        ("--bind-try", &[NoSuid, NoDev], Missing::IsFine),
        ("--dev-bind", &[NoSuid], Missing::Fails),
        ("--dev-bind-try", &[NoSuid], Missing::IsFine),
        ("--ro-bind", &[ReadOnly, NoSuid, NoDev], Missing::Fails),
        ("--ro-bind-try", &[ReadOnly, NoSuid, NoDev], Missing::IsFine),
    ];
    for (option, flags, missing) in cases {
        let mut request = parsed(&format!("{option} /a /b true"));
        let mount = request.operations.remove(0).mount;
        assert_eq!(mount.flags.iter().copied().collect::<Vec<_>>(), flags, "{option}");
        assert_eq!(mount.missing, missing, "{option}");
        let (source, recursion) = ("/a".into(), Recursion::Recursive);
        assert_eq!(mount.filesystem, Filesystem::Bind { source, recursion });
    }
}

#[test]
fn permissions_and_size_are_for_the_next_operation_only() {
    let tmpfs = |size, mode| Filesystem::Tmpfs { size, mode };
    let line = "--perms 0700 --size 4096 --tmpfs /a --tmpfs /b --size 10 --tmpfs /c true";
    let expected = [tmpfs(Some(4096), Some(0o700)), tmpfs(None, None), tmpfs(Some(10), None)];
    assert_eq!(filesystems(line), expected);
    let message =
        "--perms must be followed by --dir, --file, --tmpfs, --bind-data or --ro-bind-data";
    for next in ["--bind a b", "--unshare-pid", "--symlink a b", "--chmod 0700 a", "--proc p"] {
        assert_eq!(refused(&format!("--perms 0700 {next} true")), message, "{next}");
    }
    assert_eq!(refused("--size 10 --dir a true"), "--size must be followed by --tmpfs");
    assert_eq!(
        refused("--perms 0700 --perms 0700 --dir a"),
        "--perms is given twice, and counts once"
    );
    assert_eq!(refused("--size 1 --size 1 --tmpfs a"), "--size is given twice, and counts once");
    // Nothing is left undone.
    assert!(parsed("--perms 0700 true").operations.is_empty());
}

#[test]
fn permissions_that_shut_others_out_hold_for_new_parents() {
    let directory = |mode| Filesystem::Directory { mode: Some(mode) };
    let request = parsed("--perms 0700 --dir a/b/c true");
    assert_eq!(targets(&request), ["/a", "/a/b", "/a/b/c"]);
    let expected = [directory(0o700), directory(0o700), directory(0o700)];
    assert_eq!(filesystems("--perms 0700 --dir a/b/c true"), expected);
    assert_eq!(filesystems("--perms 0750 --dir a/b true"), [directory(0o750), directory(0o750)]);
    assert_eq!(filesystems("--perms 0711 --dir a/b true"), [directory(0o711)]);
}

#[test]
fn overlays_take_the_layers_before_them() {
    let line = "--overlay-src low --overlay-src high --ro-overlay d true";
    let lower = vec!["high".into(), "low".into()];
    assert_eq!(filesystems(line), [Filesystem::Overlay { lower, upper: None }]);
    let lower = vec!["low".into()];
    let line = "--overlay-src low --tmp-overlay d true";
    assert_eq!(filesystems(line), [Filesystem::TemporaryOverlay { lower }]);
    let request = parsed("--overlay-src low --overlay rw work d true");
    assert_eq!(targets(&request), ["/d"]);
    let two = "--ro-overlay needs at least two --overlay-src before it";
    assert_eq!(refused("--overlay-src low --ro-overlay d true"), two);
    let one = "--overlay needs at least one --overlay-src before it";
    assert_eq!(refused("--overlay rw work d true"), one);
    for rest in ["--bind a b true", "true", "--perms 0700 --dir x true"] {
        let message = refused(&format!("--overlay-src low {rest}"));
        assert!(message.starts_with("--overlay-src must be followed by"), "{message}");
    }
}

#[test]
fn namespaces_of_unshare_all_can_be_taken_back() {
    let all = parsed("--unshare-all true");
    assert!(
        all.has(Word::UnshareNet) && all.has(Word::UnshareUserTry) && all.has(Word::UnsharePid)
    );
    assert!(!parsed("--unshare-all --share-net true").has(Word::UnshareNet));
    assert!(parsed("--share-net --unshare-all true").has(Word::UnshareNet));
}

#[test]
fn of_some_options_the_last_counts_and_that_is_told() {
    let request = parsed("--chdir /a --chdir b --uid 1 --seccomp 3 --seccomp 4 true");
    assert_eq!(request.chdir.unwrap().to_string(), "/b");
    assert_eq!(request.filters, [4]);
    assert_eq!(request.repeated, ["--chdir", "--seccomp"]);
    assert_eq!(parsed("--add-seccomp-fd 3 --add-seccomp-fd 4 true").filters, [3, 4]);
    assert_eq!(refused("--argv0 a --argv0 b true"), "--argv0 is given twice, and counts once");
}

#[test]
fn words_of_a_file_stand_where_it_is_named() {
    let file = b"--dir\0/in/file\0--setenv\0A\0\0";
    let (action, request) = parse_with("--dir /before --args 9 --dir /after true", file);
    assert_eq!(action.unwrap(), Action::Run);
    assert_eq!(targets(&request), ["/before", "/in/file", "/after"]);
    assert_eq!(request.command, ["true"]);
    assert_eq!(parsed("--args 8 true").command, ["true"], "an empty file has no words");
    for end in
        [&b"--dir\0a"[..], b"--dir\0a\0", b"--dir\0a\0\0", b"--dir\0a\0\0\0", b"--dir\0a\0--\0"]
    {
        let (action, request) = parse_with("--args 9 true", end);
        assert_eq!(
            (action.ok(), targets(&request)),
            (Some(Action::Run), vec!["/a".into()]),
            "{end:?}"
        );
    }
}

#[test]
fn a_file_holds_options_only_and_names_no_other() {
    let refused = |file| parse_with("--args 9 true", file).0.unwrap_err().to_string();
    let stray = "--args 9: \"true\" is not an option; the command is given on the command line";
    assert_eq!(refused(b"--dir\0a\0true\0"), stray);
    assert_eq!(refused(b"\0true\0"), stray);
    assert!(refused(b"--args\x008\0").starts_with("--args in what --args has read"));
    assert_eq!(refused(b"--bind\0a\0"), "--bind takes SRC DEST: there are too few words");
    let closed = parse_with("--args 7 true", b"").0.unwrap_err().to_string();
    assert!(closed.starts_with("--args 7: "), "{closed}");
}

#[test]
fn many_arguments_are_as_good_as_few() {
    let file = b"--dir\0/a\0".repeat(10_000);
    let (action, request) = parse_with("--args 9 true", &file);
    assert_eq!((action.ok(), request.operations.len()), (Some(Action::Run), 10_000));
}

#[test]
fn values_are_checked_where_they_stand() {
    let cases = [
        ("--uid x true", "--uid \"x\""),
        ("--gid 4294967295 true", "--gid \"4294967295\""),
        ("--sync-fd x true", "--sync-fd \"x\""),
        ("--bind-fd -1 /a true", "--bind-fd \"-1\""),
        ("--perms 999 --dir a true", "--perms \"999\""),
        ("--chmod 8 / true", "--chmod \"8\""),
        ("--size 0 --tmpfs a true", "--size \"0\""),
        ("--hostname a_b! true", "--hostname \"a_b!\""),
        ("--cap-add nonsense true", "--cap-add \"nonsense\""),
        ("--setenv a=b c true", "--setenv \"a=b\""),
        ("--setenv '' c true", "--setenv \"\""),
        ("--unsetenv '' true", "--unsetenv \"\""),
        ("--pass-fd 2 true", "--pass-fd \"2\""),
        ("--exec-label l true", "--exec-label \"l\""),
        ("--file-label l true", "--file-label \"l\""),
        ("--bind /a '' true", "--bind DEST is empty"),
        ("--chdir '' true", "--chdir DIR is empty"),
    ];
    for (line, start) in cases {
        let message = refused(line);
        assert!(message.starts_with(start), "{line}: {message}");
    }
}
