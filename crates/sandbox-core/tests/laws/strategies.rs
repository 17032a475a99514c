//! Arbitrary configurations, capabilities, mounts and strings.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sandbox_core::{
    BackendName, Capabilities, Capability, CaptureLimit, CommandLine, Environment, Feature,
    Filesystem, First, Hostname, Inherit, Input, InsidePath, Isolation, KeptCapabilities, Limits,
    ListenPid, Loopback, Missing, Mount, MountFlag, MountPoint, Obstacle, Output, OverlayUpper,
    ProcessSettings, Recursion, Root, SandboxConfig, Seccomp, SeccompProgram, Session, Setting,
    Support, TimeOut, User, UserNamespace, WhyNot, Writable,
};

pub(crate) const BACKEND: BackendName = BackendName::new("test-backend");

/// Any string that the kernel can take; often not UTF-8.
pub(crate) fn os_string() -> impl Strategy<Value = OsString> {
    prop_oneof![
        "[a-z ./:=\\\\äß-]{1,8}".prop_map(OsString::from),
        vec(1..=u8::MAX, 1..8).prop_map(OsString::from_vec),
    ]
}

/// A path as people write them: with empty, `.` and `..` components, absolute or not.
pub(crate) fn written_path() -> impl Strategy<Value = OsString> {
    let component = prop_oneof![
        Just(OsString::new()),
        select(vec![".", "..", "a", "ab", "tmp"]).prop_map(OsString::from),
        os_string(),
    ];
    vec(component, 1..6)
        .prop_map(|parts| parts.join(std::ffi::OsStr::new("/")))
        .prop_filter("a path is not empty", |path| !path.is_empty())
}

pub(crate) fn inside_path() -> impl Strategy<Value = InsidePath> {
    written_path().prop_map(|path| InsidePath::from_root(path, "path").unwrap())
}

fn host_path() -> impl Strategy<Value = PathBuf> {
    os_string().prop_map(PathBuf::from)
}

fn flags() -> impl Strategy<Value = BTreeSet<MountFlag>> {
    use MountFlag::{NoDev, NoExec, NoSuid, ReadOnly};
    subsequence(vec![ReadOnly, NoSuid, NoDev, NoExec], 0..=4)
        .prop_map(|flags| flags.into_iter().collect())
}

fn filesystem() -> impl Strategy<Value = Filesystem> {
    let recursion = select(vec![Recursion::Recursive, Recursion::Single]);
    let upper = (host_path(), host_path()).prop_map(|(upper, work)| OverlayUpper { upper, work });
    // TOML has no integers above i64::MAX.
    let size = option::of(1..=u64::try_from(i64::MAX).unwrap());
    prop_oneof![
        (host_path(), recursion)
            .prop_map(|(source, recursion)| Filesystem::Bind { source, recursion }),
        Just(Filesystem::Proc),
        (size, option::of(0..=0o7777_u32))
            .prop_map(|(size, mode)| Filesystem::Tmpfs { size, mode }),
        Just(Filesystem::Dev),
        Just(Filesystem::DevWithoutConsole),
        Just(Filesystem::Sysfs),
        Just(Filesystem::Mqueue),
        (vec(host_path(), 1..3), option::of(upper))
            .prop_map(|(lower, upper)| Filesystem::Overlay { lower, upper }),
        vec(host_path(), 1..3).prop_map(|lower| Filesystem::TemporaryOverlay { lower }),
        select(vec![
            Filesystem::Remount,
            Filesystem::RemountSingle,
            Filesystem::RemountInPlace,
            Filesystem::Directory { mode: None },
            Filesystem::Directory { mode: Some(0o1777) },
            Filesystem::Chmod { mode: 0o700 },
        ]),
        (0..1024_i32, select(vec![Recursion::Recursive, Recursion::SinglePreferred])).prop_map(
            |(descriptor, recursion)| Filesystem::BindDescriptor { descriptor, recursion }
        ),
        (vec(any::<u8>(), 0..8), option::of(0..=0o7777_u32), any::<bool>()).prop_map(
            |(content, mode, bound)| {
                if bound {
                    Filesystem::Data { content, mode }
                } else {
                    Filesystem::File { content, mode }
                }
            }
        ),
        host_path().prop_map(|to| Filesystem::Symlink { to }),
    ]
}

/// What is rarely set.
fn odd_settings() -> impl Strategy<Value = (KeptCapabilities, Seccomp, ProcessSettings)> {
    let capabilities = subsequence(Capability::all().collect::<Vec<_>>(), 0..4);
    let capabilities = prop_oneof![
        Just(KeptCapabilities::Nothing),
        Just(KeptCapabilities::All),
        capabilities.prop_map(|some| KeptCapabilities::Only(some.into_iter().collect())),
    ];
    let program = any::<[u8; 16]>().prop_map(|bytes| SeccompProgram::new(bytes).unwrap());
    let descriptor = || option::of(0..1024_i32);
    let process = (
        option::of(os_string()),
        vec(inside_path(), 0..2),
        select(vec![Session::Callers, Session::New]),
        btree_set(3..1024_i32, 0..3),
        (descriptor(), descriptor()),
        vec(inside_path(), 0..2),
        (vec(0..1024_i32, 0..3), select(vec![ListenPid::AsGiven, ListenPid::Own])),
    );
    let process =
        process.prop_map(|(argv0, candidates, session, descriptors, gates, locks, listen)| {
            let mut process = ProcessSettings::default();
            (process.argv0, process.cwd_candidates, process.session) = (argv0, candidates, session);
            (process.gates.ids_mapped, process.gates.start) = gates;
            (process.descriptors, process.locks) = (descriptors, locks);
            (process.listen_fds, process.listen_pid) = listen;
            process.descriptors.retain(|number| *number > 5);
            process
        });
    let seccomp = prop_oneof![
        select(vec![Seccomp::Default, Seccomp::Build, Seccomp::None]),
        vec(program, 0..2).prop_map(Seccomp::Programs),
    ];
    (capabilities, seccomp, process)
}

pub(crate) fn mount() -> impl Strategy<Value = Mount> {
    let target = inside_path().prop_filter("a target is below the root", |path| !path.is_root());
    let missing = select(vec![Missing::Fails, Missing::IsFine]);
    let point = select(vec![MountPoint::Made, MountPoint::Required]);
    let rest = (flags(), missing, point);
    (target, filesystem(), rest).prop_map(|(target, filesystem, (flags, missing, point))| {
        let mut mount = Mount::new(target.as_os_str(), filesystem).unwrap();
        mount.flags.extend(flags);
        (mount.missing, mount.mount_point) = (missing, point);
        mount
    })
}

fn isolation() -> impl Strategy<Value = Isolation> {
    select(vec![Isolation::Undefined, Isolation::Isolated])
}

pub(crate) fn environment() -> impl Strategy<Value = Environment> {
    let name = || {
        os_string()
            .prop_filter("a name has no `=`", |name| !name.as_encoded_bytes().contains(&b'='))
    };
    let names = || btree_set(name(), 0..3);
    let inherit = prop_oneof![
        Just(Inherit::All),
        Just(Inherit::Nothing),
        names().prop_map(Inherit::AllBut),
        names().prop_map(Inherit::Only),
    ];
    (inherit, btree_map(name(), os_string(), 0..3)).prop_map(|(inherit, set)| {
        let mut env = Environment::default();
        (env.inherit, env.set) = (inherit, set);
        env
    })
}

fn time_out() -> impl Strategy<Value = Option<TimeOut>> {
    option::of((1..10_000_000_u64, 0..10_000_000_u64, 1..=64).prop_map(|(after, grace, signal)| {
        let time_out = TimeOut::new(Duration::from_millis(after));
        time_out.grace(Duration::from_millis(grace)).signal(signal)
    }))
}

fn limits() -> impl Strategy<Value = Limits> {
    let memory = option::of(1..1_u64 << 50);
    (memory, option::of(1..100_000_u32), option::of(1..100_000_u32)).prop_map(
        |(memory, cpu, processes)| {
            let mut limits = Limits::default();
            (limits.memory, limits.cpu, limits.processes) = (memory, cpu, processes);
            limits
        },
    )
}

fn output() -> impl Strategy<Value = Output> {
    prop_oneof![
        Just(Output::default()),
        (0..1_u64 << 40).prop_map(|n| Output::Capture(CaptureLimit::Bytes(n))),
        Just(Output::Inherit),
        Just(Output::Null),
        host_path().prop_map(Output::File),
        (0..1024_i32).prop_map(Output::Descriptor),
    ]
}

/// Any valid configuration.
pub(crate) fn config() -> impl Strategy<Value = SandboxConfig> {
    let root =
        prop_oneof![Just(Root::Host), Just(Root::Empty), host_path().prop_map(Root::Directory),];
    let writable = prop_oneof![
        Just(Writable::All),
        Just(Writable::Nothing),
        vec(inside_path(), 0..3).prop_map(Writable::Only),
    ];
    let user = prop_oneof![
        Just(User::Same),
        Just(User::Root),
        any::<(u32, u32)>().prop_map(|(uid, gid)| User::Ids { uid, gid }),
    ];
    let input = prop_oneof![
        select(vec![Input::Null, Input::Inherit, Input::Piped]),
        host_path().prop_map(Input::File),
        (0..1024_i32).prop_map(Input::Descriptor),
    ];
    let hostname = "[a-z0-9_.-]{1,64}".prop_map(|name| Hostname::new(name).unwrap());
    let namespace = select(vec![UserNamespace::Undefined, UserNamespace::Own, UserNamespace::Last]);
    let command = vec(os_string(), 1..4).prop_map(|words| CommandLine::new(words).unwrap());
    (
        (command, option::of(inside_path()), environment(), root, writable),
        (isolation(), isolation(), isolation(), isolation()),
        (
            vec(mount(), 0..4),
            option::of(hostname),
            user,
            vec(0..70_000_u32, 0..3),
            limits(),
            time_out(),
        ),
        (
            isolation(),
            isolation(),
            select(vec![Loopback::Up, Loopback::Down]),
            namespace,
            odd_settings(),
        ),
        (input, output(), prop_oneof![output(), Just(Output::ToStdout)]),
    )
        .prop_map(|(what, isolations, place, rest, streams)| {
            let mut config = SandboxConfig::new(what.0);
            (config.cwd, config.env, config.root, config.writable) =
                (what.1, what.2, what.3, what.4);
            (config.mounts, config.network, config.processes, config.ipc) = isolations;
            (config.extra_mounts, config.hostname, config.user) = (place.0, place.1, place.2);
            (config.groups, config.limits) = (place.3, place.4);
            config.time_out = place.5;
            (config.uts, config.cgroup, config.loopback, config.user_namespace) =
                (rest.0, rest.1, rest.2, rest.3);
            (config.capabilities, config.seccomp, config.process) = rest.4;
            if config.user_namespace != UserNamespace::Undefined {
                config.groups = Vec::new();
            }
            if config.processes == Isolation::Isolated && config.user == User::Root {
                config.process.first = First::Command;
            }
            (config.stdin, config.stdout, config.stderr) = streams;
            config
        })
}

/// The capabilities of a backend that has exactly these features.
pub(crate) fn capable_of(features: &[Feature]) -> Capabilities {
    let lacks = Support::No(WhyNot::new(Obstacle::Privilege, "it is a test"));
    Capabilities::none(BACKEND).with(Feature::ALL, &lacks).with(features, &Support::Yes)
}

/// Any capabilities, as the features that are there.
pub(crate) fn features() -> impl Strategy<Value = Vec<Feature>> {
    prop_oneof![
        subsequence(Feature::ALL, 0..=Feature::ALL.len()),
        // Few obstacles, so that many requests can be met.
        subsequence(Feature::ALL, Feature::ALL.len() - 3..=Feature::ALL.len()),
    ]
}

/// Any of the settings that are negotiated.
pub(crate) fn settings() -> impl Strategy<Value = BTreeSet<Setting>> {
    let all: BTreeSet<_> = Feature::ALL.iter().map(|feature| feature.setting()).collect();
    subsequence(all.into_iter().collect::<Vec<_>>(), 0..=3)
        .prop_map(|settings| settings.into_iter().collect())
}
