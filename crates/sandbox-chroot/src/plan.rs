//! From what was granted to the ordered list of what will be done.

use std::path::PathBuf;

use sandbox_core::{
    Ability, Console, Filesystem, Granted, HostFacts, InsidePath, Isolation, Missing, Mount,
    MountFlag, MountPoint, Namespace, NewFilesystem, Note, Plan, Platform, Recursion, Root,
    SandboxConfig, Session, Setting, Step, Support, User, build_profile, minimal_dev, protect_host,
    set_ids,
};

/// The restrictions that file systems of the kernel's own have everywhere.
const KERNEL_FILES: [MountFlag; 3] = [MountFlag::NoSuid, MountFlag::NoDev, MountFlag::NoExec];

pub(crate) fn make(granted: &Granted, host: &HostFacts) -> Plan {
    let config = granted.config();
    let mut planner =
        Planner { plan: Plan::new(granted), config, host, mount_point: MountPoint::Made };
    planner.root();
    for mount in &config.extra_mounts {
        planner.mount(mount);
    }
    planner.protect_host();
    if planner.mounting() && planner.on_linux() {
        // A chroot would leave the host's mounts in the namespace. With its proc in there, whole, the
        // kernel lets a command that makes a user namespace mount another one without what is masked.
        planner.push(Step::PivotRoot);
    } else if config.root != Root::Host || planner.mounting() {
        planner.push(Step::Chroot);
    }
    planner.finish();
    planner.plan
}

struct Planner<'a> {
    plan: Plan,
    config: &'a SandboxConfig,
    host: &'a HostFacts,
    /// What the mount that is being planned says of its target.
    mount_point: MountPoint,
}

impl Planner<'_> {
    fn push(&mut self, step: Step) {
        self.plan.steps.push(step);
    }

    fn note(&mut self, setting: Setting, text: impl Into<String>) {
        self.plan.notes.push(Note::new(setting, text));
    }

    fn on_linux(&self) -> bool {
        self.host.platform == Platform::Linux
    }

    fn mounting(&self) -> bool {
        let config = self.config;
        config.mounts == Isolation::Isolated
            || !config.extra_mounts.is_empty()
            || !config.limits.is_none()
    }

    fn root(&mut self) {
        let path = match &self.config.root {
            Root::Directory(path) => path.clone(),
            _ => PathBuf::from("/"),
        };
        if !self.mounting() {
            if self.config.root != Root::Host {
                self.push(Step::RootDirectory(path));
            }
        } else if self.on_linux() {
            self.plan.namespaces.push(Namespace::Mount);
            self.push(Step::PrivateMounts);
            // A copy: what is mounted in it does not change what the host's paths mean to the mounts
            // after it.
            self.push(Step::RootTree(path));
        } else {
            self.push(Step::RootDirectory(path));
            self.note(
                Setting::ExtraMounts,
                "they are in the host's mount table, for everybody to see, until the sandbox has \
                 ended; if this program is killed before, unmount them by hand",
            );
        }
    }

    fn mount(&mut self, mount: &Mount) {
        self.mount_point = mount.mount_point;
        let target = &mount.target;
        let flags: Vec<_> = mount.flags.iter().copied().collect();
        match &mount.filesystem {
            Filesystem::Bind { source, recursion } => {
                self.bind(source.clone(), target, *recursion, flags, mount.missing);
            }
            Filesystem::Tmpfs { size, mode } => {
                let filesystem = NewFilesystem::Tmpfs { size: *size, mode: mode.unwrap_or(0o755) };
                self.fresh(filesystem, target, &[MountFlag::NoSuid, MountFlag::NoDev], &flags);
            }
            Filesystem::Proc => self.proc(target, &flags),
            Filesystem::Sysfs => {
                let read_only = [flags.as_slice(), &[MountFlag::ReadOnly]].concat();
                let sysfs = (NewFilesystem::Sysfs, "/sys", Ability::FreshSysfs);
                self.kernel_files(sysfs, target, &read_only);
            }
            Filesystem::Dev => self.dev(target, Console::Bound, flags),
            Filesystem::DevWithoutConsole => self.dev(target, Console::Absent, flags),
            Filesystem::RemountInPlace => {
                self.push(Step::RestrictInPlace { target: target.clone(), flags });
            }
            Filesystem::RemountSingle => {
                self.restrict(target.clone(), Recursion::SinglePreferred, flags);
            }
            // Remount: what is there, restricted.
            _ => self.restrict(target.clone(), Recursion::Recursive, flags),
        }
    }

    /// Capabilities do not matter to files that user 0 owns.
    fn protect_host(&mut self) {
        let uid = match self.config.user {
            User::Root => 0,
            User::Ids { uid, .. } => uid,
            _ => self.host.uid,
        };
        if self.on_linux() && self.mounting() {
            self.plan.steps.extend(protect_host(self.config, uid));
        }
    }

    fn dev(&mut self, target: &InsidePath, console: Console, flags: Vec<MountFlag>) {
        self.make_directory(target);
        self.plan.steps.extend(minimal_dev(target, console));
        if !flags.is_empty() {
            self.restrict(target.clone(), Recursion::Recursive, flags);
        }
    }

    fn restrict(&mut self, target: InsidePath, recursion: Recursion, flags: Vec<MountFlag>) {
        self.push(Step::Restrict { target, recursion, flags, missing: Missing::Fails });
    }

    fn bind(
        &mut self,
        source: PathBuf,
        target: &InsidePath,
        recursion: Recursion,
        flags: Vec<MountFlag>,
        missing: Missing,
    ) {
        if !self.on_linux() && recursion == Recursion::Recursive {
            let text = format!("what is mounted below {} does not come along", source.display());
            self.note(Setting::ExtraMounts, text);
        }
        let recursion = if self.on_linux() { recursion } else { Recursion::Single };
        if self.is_made(target) {
            let (target, like) = (target.clone(), source.clone());
            self.push(Step::MakeTarget { target, like, missing });
        }
        self.push(Step::Bind { source, target: target.clone(), recursion, flags, missing });
    }

    fn fresh(
        &mut self,
        filesystem: NewFilesystem,
        target: &InsidePath,
        always: &[MountFlag],
        flags: &[MountFlag],
    ) {
        // Elsewhere flags are not offered, and not every mount program knows these.
        let mut flags = if self.on_linux() { [always, flags].concat() } else { Vec::new() };
        flags.sort_unstable();
        flags.dedup();
        self.make_directory(target);
        self.push(Step::Mount { filesystem, target: target.clone(), flags });
    }

    /// Whether a mount's target is made where it is missing; the root is there already.
    fn is_made(&self, target: &InsidePath) -> bool {
        self.mount_point == MountPoint::Made && !target.is_root()
    }

    fn make_directory(&mut self, target: &InsidePath) {
        if self.is_made(target) {
            self.push(Step::MakeDirectory(target.clone()));
        }
    }

    fn proc(&mut self, target: &InsidePath, flags: &[MountFlag]) {
        self.note(
            Setting::ExtraMounts,
            format!("the proc on {target} shows the host's processes: they are the sandbox's too"),
        );
        self.kernel_files((NewFilesystem::Proc, "/proc", Ability::FreshProc), target, flags);
    }

    /// A file system of the kernel's own; in a container that has parts of it covered, the kernel
    /// refuses to show all of it in a fresh one.
    fn kernel_files(
        &mut self,
        (filesystem, hosts, fresh): (NewFilesystem, &str, Ability),
        target: &InsidePath,
        flags: &[MountFlag],
    ) {
        match self.host.can(fresh) {
            Support::No(why) if self.on_linux() => {
                let text = format!(
                    "the host's {hosts} is bound on {target}, with what is mounted below it: a \
                     fresh one is refused here ({why})"
                );
                self.note(Setting::ExtraMounts, text);
                let recursion = Recursion::Recursive;
                self.bind(hosts.into(), target, recursion, flags.to_vec(), Missing::Fails);
            }
            _ => self.fresh(filesystem, target, &KERNEL_FILES, flags),
        }
    }

    fn finish(&mut self) {
        let ids = set_ids(self.config, self.host);
        let uid = match &ids {
            Some(Step::SetIds { uid, .. }) => *uid,
            _ => self.host.uid,
        };
        self.plan.steps.extend(ids);
        if self.on_linux() {
            self.push(Step::NoNewPrivileges);
            // Also what keeps a process that is user 0 from a second chroot(2), the way out of one.
            self.push(Step::DropCapabilities);
        } else if uid == 0 {
            let text = "the command is user 0, which a chroot does not hold: take another user";
            self.note(Setting::User, text);
        }
        match self.host.can(Ability::Seccomp) {
            // With a session of its own there is no terminal to type into.
            _ if self.config.process.session == Session::New => {}
            Support::Yes => self.push(Step::BlockTerminalInput),
            Support::No(_) => self.plan.exec.session = Session::New,
        }
        let (step, note) = build_profile(self.config, self.host);
        self.plan.steps.extend(step);
        self.plan.notes.extend(note);
        self.push(match (&self.config.cwd, &self.config.root) {
            (Some(path), _) => Step::ChangeDirectory(path.clone()),
            (None, Root::Host) => Step::KeepDirectory,
            (None, _) => Step::ChangeDirectory(InsidePath::root()),
        });
    }
}
