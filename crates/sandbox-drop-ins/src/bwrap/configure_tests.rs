//! Configurations, of words and of callers that are values.

use std::collections::BTreeMap;
use std::io;

use sandbox_core::{
    Filesystem, First, Isolation, KeptCapabilities, Policy, Root, SandboxConfig, Seccomp, Session,
    Setting, User, UserNamespace,
};

use super::{Caller, check, configure, policy};
use crate::bwrap::args::parse;
use crate::bwrap::capabilities::Own;
use crate::bwrap::error::BwrapError;
use crate::bwrap::request::Request;

fn request(line: &str) -> Request {
    let mut request = Request::default();
    let words = line.split(' ').map(Into::into).collect();
    parse(words, &mut request, &mut |_| Ok(Vec::new())).unwrap();
    request
}

fn config(line: &str) -> Result<SandboxConfig, BwrapError> {
    let caller = Caller { uid: 1000, gid: 100, ..Caller::default() };
    let content = BTreeMap::from([(3, b"three".to_vec()), (4, vec![0; 8]), (5, vec![0; 7])]);
    let mut read = |number| content.get(&number).cloned().ok_or(io::ErrorKind::NotFound.into());
    configure(request(line), &caller, &mut read)
}

#[test]
fn a_bare_command_has_an_empty_root_and_the_callers_everything_else() {
    let config = config("true").unwrap();
    assert_eq!(config.root, Root::Empty);
    assert_eq!(config.capabilities, KeptCapabilities::Nothing);
    assert_eq!((config.user, config.user_namespace), (User::Same, UserNamespace::Undefined));
    for isolation in [config.network, config.processes, config.ipc, config.uts, config.cgroup] {
        assert_eq!(isolation, Isolation::Undefined);
    }
    assert!(config.extra_mounts.is_empty());
    config.validate().unwrap();
}

#[test]
fn namespaces_are_settings() {
    let all = config("--unshare-all true").unwrap();
    assert_eq!(all.user_namespace, UserNamespace::Own);
    for isolation in [all.network, all.processes, all.ipc, all.uts, all.cgroup] {
        assert_eq!(isolation, Isolation::Isolated);
    }
    let last = config("--unshare-user --disable-userns true").unwrap();
    assert_eq!(last.user_namespace, UserNamespace::Last);
    let process = config("--unshare-pid --as-pid-1 --new-session true").unwrap().process;
    assert_eq!((process.first, process.session), (First::Command, Session::New));
}

#[test]
fn one_id_leaves_the_other_the_callers() {
    assert_eq!(config("--unshare-user --uid 0 true").unwrap().user, User::Ids { uid: 0, gid: 100 });
    assert_eq!(
        config("--unshare-user --gid 0 true").unwrap().user,
        User::Ids { uid: 1000, gid: 0 }
    );
}

#[test]
fn content_is_read() {
    let mounts = config("--file 3 /a true").unwrap().extra_mounts;
    let (content, mode) = (b"three".to_vec(), Some(0o666));
    assert_eq!(mounts[0].filesystem, Filesystem::File { content, mode });
    assert_eq!(config("--seccomp 4 true").unwrap().seccomp.programs().len(), 1);
    assert_eq!(config("true").unwrap().seccomp, Seccomp::None);
    assert!(matches!(config("--seccomp 5 true"), Err(BwrapError::Config(_))));
    let error = config("--bind-data 9 /a true").unwrap_err().to_string();
    assert!(error.starts_with("--bind-data 9: "), "{error}");
}

#[test]
fn only_what_is_tried_may_step_down() {
    let Policy::BestEffort { except } = policy(&request("--unshare-cgroup-try true")) else {
        panic!()
    };
    assert!(!except.contains(&Setting::Cgroup));
    assert!(except.contains(&Setting::UserNamespace) && except.contains(&Setting::Network));
    for required in
        ["true", "--unshare-user-try --uid 1 true", "--unshare-cgroup-try --unshare-cgroup true"]
    {
        assert_eq!(policy(&request(required)), Policy::Require);
    }
}

#[test]
fn options_are_held_against_each_other() {
    let root = Caller { root: Some(Own(u64::MAX)), ..Caller::default() };
    check(&request("--uid 1 --gid 1 true"), &Caller::default()).unwrap();
    let cases = [
        ("--uid 1 true", "--uid needs --unshare-user or --userns"),
        ("--gid 1 true", "--gid needs --unshare-user or --userns"),
        ("--hostname a true", "--hostname needs --unshare-uts"),
        ("--as-pid-1 true", "--as-pid-1 needs --unshare-pid"),
        ("--disable-userns --unshare-all true", "--disable-userns needs --unshare-user"),
        ("--userns-block-fd 3 --unshare-all true", "--userns-block-fd needs --unshare-user"),
        ("--userns-block-fd 3 --unshare-user true", "--userns-block-fd needs --info-fd"),
        ("--userns 3 --unshare-user true", "--userns cannot be combined with --unshare-user"),
        ("--userns 3 --unshare-all true", "--userns cannot be combined with --unshare-user-try"),
        ("--pidns 3 --unshare-pid true", "--pidns cannot be combined with --unshare-pid"),
        (
            "--seccomp 3 --add-seccomp-fd 4 true",
            "--add-seccomp-fd cannot be combined with --seccomp",
        ),
    ];
    for (line, message) in cases {
        assert_eq!(check(&request(line), &root).unwrap_err().to_string(), message);
    }
    for fine in
        ["--uid 1 --unshare-all true", "--uid 1 --userns 3 true", "--hostname a --unshare-all true"]
    {
        check(&request(fine), &root).unwrap();
    }
}
