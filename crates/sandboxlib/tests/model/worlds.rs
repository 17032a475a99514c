//! Configurations and hosts in which most paths exist, by names that are links, or covered, or missing.

use std::collections::BTreeSet;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use sandbox_testkit::model::Host;
use sandboxlib::{
    Ability, Backend, CgroupView, Feature, Filesystem, HostFacts, InsidePath, Isolation,
    KeptCapabilities, Limits, Missing, Mount, MountFlag, MountPoint, Obstacle, OverlayUpper,
    Platform, Recursion, Root, SandboxConfig, Standing, Support, User, UserNamespace, WhyNot,
    Writable,
};

use crate::strategies;

/// A configuration, and where it is carried out.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) config: SandboxConfig,
    pub(crate) facts: HostFacts,
    pub(crate) host: Host,
}

/// Paths inside, as people write them.
const INSIDE: &[&str] = &[
    "/a",
    "/a/b",
    "/a/b/c",
    "/tmp",
    "/usr",
    "/mnt",
    "/home",
    "/srv/tree",
    "/link",
    "/link/b",
    "/out",
    "/a/d",
    "/a/b/x",
    "/a/mnt",
    "/a/new",
    "/tmp/x/y",
    "/dev",
    "/dev/shm",
    "/dev/pts",
    "/dev/null",
    "/proc",
    "/proc/sys",
    "/sys",
    "/sys/fs/cgroup",
    "/etc",
    "/etc/passwd",
    "/file",
    "/home/user",
    "/srv/tree/a",
    "/srv/ro",
    "/srv/ro/d",
    "/usr/bin/cc",
    "/mnt/d",
    "/link/new",
    "/out/x",
    "/up",
    "/loop",
    "/a/../tmp",
    "/a/b/../../usr",
    "/link/..",
    "/../a",
    "/missing",
    "/missing/x",
    "/dev/mqueue",
];

const HOST: &[&str] = &[
    "/",
    "/a",
    "/a/b",
    "/a/b/x",
    "/tmp",
    "/usr",
    "/etc",
    "/etc/passwd",
    "/home",
    "/home/user",
    "/mnt",
    "/srv/tree",
    "/srv/tree/a",
    "/srv/tree/a/mnt",
    "/srv/tree/a/b/c",
    "/srv/tree/file",
    "/srv/tree/link",
    "/srv/tree/out",
    "/srv/tree/up",
    "/srv/ro",
    "/srv/ro/d",
    "/srv",
    "/proc",
    "/proc/sys",
    "/sys",
    "/dev",
    "/dev/shm",
    "/dev/null",
    "/dev/sda",
    "/link",
    "/link/../a/b",
    "/missing",
    "/etc/passwd/x",
];

fn flags() -> impl Strategy<Value = BTreeSet<MountFlag>> {
    use MountFlag::{NoDev, NoExec, NoSuid, ReadOnly};
    let some = subsequence(vec![ReadOnly, NoSuid, NoDev, NoExec], 0..=4);
    prop_oneof![3 => Just(BTreeSet::new()), 2 => some.prop_map(|some| some.into_iter().collect())]
}

fn inside() -> impl Strategy<Value = InsidePath> {
    let path = prop_oneof![2 => select(&INSIDE[..12]), 1 => select(INSIDE)];
    path.prop_map(|path| InsidePath::absolute(path, "path").unwrap())
}

fn host() -> impl Strategy<Value = PathBuf> {
    select(HOST).prop_map(PathBuf::from)
}

fn filesystem() -> impl Strategy<Value = Filesystem> {
    let recursion =
        select(vec![Recursion::Recursive, Recursion::Single, Recursion::SinglePreferred]);
    let dirs = || select(vec!["/a", "/usr", "/srv/tree", "/home", "/srv/ro/d", "/etc", "/missing"]);
    let dirs = move || dirs().prop_map(PathBuf::from);
    let upper = (dirs(), dirs()).prop_map(|(upper, work)| OverlayUpper { upper, work });
    prop_oneof![
        6 => (host(), recursion.clone()).prop_map(|(source, recursion)| Filesystem::Bind { source, recursion }),
        4 => Just(Filesystem::Tmpfs { size: None, mode: None }),
        1 => Just(Filesystem::Proc),
        1 => Just(Filesystem::Sysfs),
        1 => Just(Filesystem::Mqueue),
        1 => select(vec![Filesystem::Dev, Filesystem::DevWithoutConsole]),
        1 => (vec(dirs(), 1..3), option::of(upper))
            .prop_map(|(lower, upper)| Filesystem::Overlay { lower, upper }),
        1 => vec(dirs(), 1..3).prop_map(|lower| Filesystem::TemporaryOverlay { lower }),
        3 => select(vec![
            Filesystem::Remount, Filesystem::RemountSingle, Filesystem::RemountInPlace,
        ]),
        1 => (select(vec![10, 11]), recursion)
            .prop_map(|(descriptor, recursion)| Filesystem::BindDescriptor { descriptor, recursion }),
        1 => Just(Filesystem::Data { content: vec![1], mode: None }),
        1 => Just(Filesystem::File { content: vec![1], mode: None }),
        1 => Just(Filesystem::Directory { mode: None }),
        1 => Just(Filesystem::Chmod { mode: 0o700 }),
        1 => host().prop_map(|to| Filesystem::Symlink { to }),
    ]
}

fn mount() -> impl Strategy<Value = Option<Mount>> {
    let target = prop_oneof![12 => inside(), 1 => Just(InsidePath::root())];
    let missing = select(vec![Missing::Fails, Missing::IsFine]);
    let point = prop_oneof![5 => Just(MountPoint::Made), 1 => Just(MountPoint::Required)];
    (target, filesystem(), flags(), missing, point).prop_map(
        |(target, filesystem, flags, missing, point)| {
            // What cannot be on the root is not made there.
            let mut mount = Mount::new(target.as_os_str(), filesystem).ok()?;
            mount.flags.extend(flags);
            (mount.missing, mount.mount_point) = (missing, point);
            Some(mount)
        },
    )
}

fn facts() -> impl Strategy<Value = HostFacts> {
    let lacking = [
        Ability::FreshProc,
        Ability::FreshSysfs,
        Ability::CgroupNamespace,
        Ability::Seccomp,
        Ability::SetIds,
        Ability::Overlay,
    ];
    let lacking = prop_oneof![3 => Just(Vec::new()), 1 => subsequence(lacking.to_vec(), 1..3)];
    let standing = select(vec![Standing::Privileged, Standing::Unprivileged]);
    (standing, select(vec![0, 1000_u32]), lacking).prop_map(|(standing, id, lacking)| {
        let no = Support::No(WhyNot::new(Obstacle::Kernel, "it is a test"));
        let with = |facts: HostFacts, ability: &Ability| {
            let support = if lacking.contains(ability) { no.clone() } else { Support::Yes };
            facts.with(*ability, support)
        };
        let facts = HostFacts::unknown(Platform::Linux, id, id).standing(standing);
        Ability::ALL.iter().fold(facts, with)
    })
}

fn writable() -> impl Strategy<Value = Writable> {
    let path = prop_oneof![15 => inside(), 1 => Just(InsidePath::root())];
    prop_oneof![
        2 => Just(Writable::All),
        1 => Just(Writable::Nothing),
        4 => vec(path, 0..3).prop_map(Writable::Only),
    ]
}

fn root() -> impl Strategy<Value = Root> {
    let tree = select(vec!["/srv/tree", "/srv/tree/a", "/", "/link", "/srv/ro", "/home"]);
    prop_oneof![
        2 => Just(Root::Host),
        1 => Just(Root::Empty),
        4 => tree.prop_map(|tree| Root::Directory(tree.into())),
    ]
}

/// Any configuration of `strategies`, with files that are those of a host.
pub(crate) fn world() -> impl Strategy<Value = World> {
    let more = vec((0..8_usize, flags()), 0..3);
    let files = (root(), writable(), vec(mount(), 0..6), option::weighted(0.2, inside()));
    let limits = option::weighted(0.2, Just(()));
    let view = select(vec![CgroupView::Own, CgroupView::Callers]);
    let odd = (limits, view, vec(inside(), 0..2), any::<bool>());
    (strategies::config(), files, facts(), more, odd).prop_map(
        |(mut config, (root, writable, mounts, cwd), facts, more, (limits, view, locks, plain))| {
            (config.root, config.writable, config.cwd) = (root, writable, cwd);
            config.extra_mounts = mounts.into_iter().flatten().collect();
            config.process.locks = locks;
            config.process.cgroup_view = view;
            if limits.is_none() {
                config.limits = Limits::default();
            }
            if plain {
                config.user = User::Same;
                config.groups = Vec::new();
                config.process.locks = Vec::new();
                config.process.cgroup_view = CgroupView::Own;
            }
            World { config, facts, host: Host::typical(&more) }
        },
    )
}

/// Without what the backend never gives, so that most can be planned.
pub(crate) fn tame(backend: &dyn Backend, mut config: SandboxConfig) -> SandboxConfig {
    if backend.name().as_str() != "chroot" {
        return config;
    }
    if config.root == Root::Empty {
        config.root = Root::Directory("/srv/tree".into());
    }
    config.capabilities = KeptCapabilities::Nothing;
    config.user_namespace = UserNamespace::Undefined;
    config.seccomp = sandbox_core::Seccomp::None;
    config.process = sandboxlib::ProcessSettings::default();
    if config.processes == Isolation::Isolated {
        config.processes = Isolation::Undefined;
    }
    let none = backend.capabilities(&everything());
    config.extra_mounts.retain(|mount| {
        let mut one = SandboxConfig::new(config.command.clone());
        one.extra_mounts = vec![mount.clone()];
        Feature::needed_by(&one).into_iter().all(|feature| none.supports(feature))
    });
    config
}

/// A host on which all can be done.
pub(crate) fn everything() -> HostFacts {
    let facts = HostFacts::unknown(Platform::Linux, 0, 0).standing(Standing::Privileged);
    Ability::ALL.iter().fold(facts, |facts, ability| facts.with(*ability, Support::Yes))
}
