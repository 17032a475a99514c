//! From what was granted to the ordered list of what will be done.

use std::path::{Path, PathBuf};

use sandbox_core::{
    Ability, CgroupView, Console, Filesystem, Granted, HostFacts, IdMap, InsidePath, Isolation,
    KeptCapabilities, Loopback, Missing, Mount, MountFlag, MountPoint, Namespace, NewFilesystem,
    Note, OverlayMarks, Plan, Recursion, Root, SandboxConfig, Session, Setting, Standing, Step,
    Support, User, UserNamespace, Writable, build_profile, minimal_dev, protect_host, set_ids,
};

use crate::cover;
use crate::made::file_step;

/// The restrictions that file systems of the kernel's own have everywhere.
const KERNEL_FILES: [MountFlag; 3] = [MountFlag::NoSuid, MountFlag::NoDev, MountFlag::NoExec];

pub(crate) fn make(granted: &Granted, host: &HostFacts) -> Plan {
    let config = granted.config();
    let mut planner =
        Planner { plan: Plan::new(granted), config, host, mount_point: MountPoint::Made };
    planner.namespaces();
    planner.map_ids();
    if planner.mounting() {
        planner.root();
        planner.hide_hosts();
        for mount in &config.extra_mounts {
            planner.mount(mount);
        }
        planner.protect_host();
        let cover = cover::steps(&config.writable, &planner.plan.steps);
        planner.plan.steps.extend(cover);
    }
    // The sysctl is found below the host's /proc, whether or not anything is mounted.
    if config.user_namespace == UserNamespace::Last {
        planner.push(Step::LastUserNamespace);
    }
    if planner.mounting() {
        planner.push(Step::PivotRoot);
    }
    planner.finish();
    planner.plan
}

/// A fixed path of the host, inside.
fn place(path: &str) -> InsidePath {
    path.split('/')
        .filter(|name| !name.is_empty())
        .fold(InsidePath::root(), |at, name| at.join(name))
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

    fn privileged(&self) -> bool {
        self.host.standing == Standing::Privileged
            && self.config.user_namespace == UserNamespace::Undefined
    }

    /// Whether anything needs a mount namespace.
    fn mounting(&self) -> bool {
        let config = self.config;
        config.root != Root::Host
            || config.writable != Writable::All
            || config.mounts == Isolation::Isolated
            || config.processes == Isolation::Isolated
            || config.ipc == Isolation::Isolated
            || !config.extra_mounts.is_empty()
            || !config.process.locks.is_empty()
            || !config.limits.is_none()
    }

    fn namespaces(&mut self) {
        let isolated = |setting| setting == Isolation::Isolated;
        let processes = isolated(self.config.processes);
        let hides_cgroups = processes && self.config.process.cgroup_view == CgroupView::Own;
        let kinds = [
            (Namespace::User, !self.privileged()),
            (Namespace::Mount, self.mounting()),
            (Namespace::Pid, processes),
            (Namespace::Network, isolated(self.config.network)),
            (Namespace::Ipc, isolated(self.config.ipc)),
            (Namespace::Uts, self.config.hostname.is_some() || isolated(self.config.uts)),
            // Where a process stands on the host is no business of a sandbox with its own processes.
            (
                Namespace::Cgroup,
                isolated(self.config.cgroup)
                    || hides_cgroups && self.host.can(Ability::CgroupNamespace).is_yes(),
            ),
        ];
        if let (true, Support::No(why)) = (hides_cgroups, self.host.can(Ability::CgroupNamespace)) {
            let text = format!("the command can see which cgroups of the host it is in: {why}");
            self.note(Setting::Processes, text);
        }
        self.plan.namespaces =
            kinds.iter().filter(|(_, wanted)| *wanted).map(|(k, _)| *k).collect();
    }

    fn map_ids(&mut self) {
        if self.privileged() {
            return;
        }
        if let Some(gate) = self.config.process.gates.ids_mapped {
            return self.push(Step::Await(gate));
        }
        let (uid, gid) = match self.config.user {
            User::Root => (0, 0),
            User::Ids { uid, gid } => (uid, gid),
            _ => (self.host.uid, self.host.gid),
        };
        let uid = IdMap { inside: uid, outside: self.host.uid };
        let gid = IdMap { inside: gid, outside: self.host.gid };
        self.push(Step::MapIds { uid, gid });
    }

    fn root(&mut self) {
        self.push(Step::PrivateMounts);
        self.push(match &self.config.root {
            Root::Directory(path) => Step::RootTree(path.clone()),
            Root::Empty => Step::RootEmpty,
            _ => Step::RootTree("/".into()),
        });
    }

    /// On the host's own root, its processes and IPC objects can be reached as files, too.
    fn hide_hosts(&mut self) {
        let config = self.config;
        if config.root != Root::Host {
            return;
        }
        let [proc, shm, mqueue] = ["/proc", "/dev/shm", "/dev/mqueue"].map(place);
        let is_covered =
            |place: &InsidePath| config.extra_mounts.iter().any(|m| place.is_within(&m.target));
        if config.processes == Isolation::Isolated && !is_covered(&proc) {
            self.proc(&proc, &[]);
        }
        if config.ipc == Isolation::Isolated && !is_covered(&shm) {
            let filesystem = NewFilesystem::Tmpfs { size: None, mode: 0o1777 };
            self.fresh(filesystem, &shm, &[MountFlag::NoSuid, MountFlag::NoDev], &[]);
        }
        if config.ipc == Isolation::Isolated && !is_covered(&mqueue) {
            self.push(Step::Mask(mqueue));
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
            Filesystem::BindDescriptor { descriptor, recursion } => {
                let (descriptor, recursion, target) = (*descriptor, *recursion, target.clone());
                if self.is_made(&target) {
                    self.push(Step::MakeTargetFor { target: target.clone(), descriptor });
                }
                self.push(Step::BindDescriptor { descriptor, target, recursion, flags });
            }
            Filesystem::Tmpfs { size, mode } => {
                let filesystem = NewFilesystem::Tmpfs { size: *size, mode: mode.unwrap_or(0o755) };
                self.fresh(filesystem, target, &[MountFlag::NoSuid, MountFlag::NoDev], &flags);
            }
            Filesystem::Proc => self.proc(target, &flags),
            Filesystem::Sysfs => self.sysfs(target, &flags),
            Filesystem::Mqueue => self.mqueue(target, &flags),
            Filesystem::Dev => self.dev(target, Console::Bound, flags),
            Filesystem::DevWithoutConsole => self.dev(target, Console::Absent, flags),
            Filesystem::Overlay { lower, upper } => {
                let marks = self.overlay_marks();
                if upper.is_some() {
                    self.note_overlay(target);
                }
                let (lower, upper) = (lower.clone(), upper.clone());
                self.fresh(NewFilesystem::Overlay { lower, upper, marks }, target, &[], &flags);
            }
            Filesystem::TemporaryOverlay { lower } => {
                let marks = self.overlay_marks();
                self.note_overlay(target);
                let filesystem = NewFilesystem::TemporaryOverlay { lower: lower.clone(), marks };
                self.fresh(filesystem, target, &[], &flags);
            }
            Filesystem::RemountInPlace => {
                self.push(Step::RestrictInPlace { target: target.clone(), flags });
            }
            Filesystem::RemountSingle => {
                let (target, recursion) = (target.clone(), Recursion::SinglePreferred);
                let missing = Missing::Fails;
                self.push(Step::Restrict { target, recursion, flags, missing });
            }
            file => match file_step(file, target.clone(), &flags) {
                Some(step) => self.push(step),
                // Remount: what is there, restricted.
                None => self.restrict(target, flags),
            },
        }
    }

    fn overlay_marks(&self) -> OverlayMarks {
        if self.privileged() { OverlayMarks::Trusted } else { OverlayMarks::User }
    }

    fn note_overlay(&mut self, target: &InsidePath) {
        if !self.privileged() {
            let text = format!(
                "the overlay on {target} cannot change a file that belongs to another user than the \
                 caller (EOVERFLOW): its owner has no name in the sandbox"
            );
            self.note(Setting::ExtraMounts, text);
        }
    }

    fn dev(&mut self, target: &InsidePath, console: Console, flags: Vec<MountFlag>) {
        self.make_directory(target);
        self.plan.steps.extend(minimal_dev(target, console));
        if !flags.is_empty() {
            self.restrict(target, flags);
        }
    }

    fn restrict(&mut self, target: &InsidePath, flags: Vec<MountFlag>) {
        let (target, recursion) = (target.clone(), Recursion::Recursive);
        self.push(Step::Restrict { target, recursion, flags, missing: Missing::Fails });
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

    fn bind(
        &mut self,
        source: PathBuf,
        target: &InsidePath,
        recursion: Recursion,
        flags: Vec<MountFlag>,
        missing: Missing,
    ) {
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
        let mut flags = [always, flags].concat();
        flags.sort_unstable();
        flags.dedup();
        self.make_directory(target);
        self.push(Step::Mount { filesystem, target: target.clone(), flags });
    }

    /// What takes the place of a file system that the kernel does not let us mount.
    fn hosts(&mut self, path: &str, target: &InsidePath, flags: &[MountFlag], why: &str) {
        self.note(
            Setting::ExtraMounts,
            format!("the host's {path} is bound on {target}, with what is mounted below it: {why}"),
        );
        let (source, recursion) = (Path::new(path).to_owned(), Recursion::Recursive);
        self.bind(source, target, recursion, flags.to_vec(), Missing::Fails);
    }

    fn proc(&mut self, target: &InsidePath, flags: &[MountFlag]) {
        let fresh = self.host.can(Ability::FreshProc);
        match (self.config.processes, self.privileged(), fresh) {
            (Isolation::Undefined, false, _) => {
                let why = "without privilege a fresh one needs processes = isolated";
                self.hosts("/proc", target, flags, why);
            }
            (_, _, Support::No(why)) => {
                let why = format!("a fresh one is refused here ({why})");
                self.hosts("/proc", target, flags, &why);
            }
            _ => self.fresh(NewFilesystem::Proc, target, &KERNEL_FILES, flags),
        }
    }

    fn sysfs(&mut self, target: &InsidePath, flags: &[MountFlag]) {
        let fresh = self.host.can(Ability::FreshSysfs);
        let read_only = [flags, &[MountFlag::ReadOnly]].concat();
        match (self.config.network, self.privileged(), fresh) {
            (Isolation::Undefined, false, _) => {
                let why = "without privilege a fresh one needs network = isolated";
                self.hosts("/sys", target, &read_only, why);
            }
            (_, _, Support::No(why)) => {
                let why = format!("a fresh one is refused here ({why})");
                self.hosts("/sys", target, &read_only, &why);
            }
            _ => self.fresh(NewFilesystem::Sysfs, target, &KERNEL_FILES, &read_only),
        }
    }

    fn mqueue(&mut self, target: &InsidePath, flags: &[MountFlag]) {
        if self.config.ipc == Isolation::Undefined && !self.privileged() {
            let why = "without privilege a fresh one needs ipc = isolated";
            return self.hosts("/dev/mqueue", target, flags, why);
        }
        self.fresh(NewFilesystem::Mqueue, target, &KERNEL_FILES, flags);
    }

    /// Where user 0 inside is the host's, files that it owns need no capability to be written.
    fn protect_host(&mut self) {
        let uid = match self.config.user {
            User::Root if self.privileged() => 0,
            User::Ids { uid, .. } if self.privileged() => uid,
            _ => self.host.uid,
        };
        self.plan.steps.extend(protect_host(self.config, uid));
    }

    fn finish(&mut self) {
        let config = self.config;
        if config.network == Isolation::Isolated && config.loopback == Loopback::Up {
            self.push(Step::LoopbackUp);
        }
        if let Some(name) = &self.config.hostname {
            self.push(Step::SetHostname(name.as_str().to_owned()));
        }
        if self.privileged() {
            self.plan.steps.extend(set_ids(config, self.host));
        }
        self.plan.steps.extend(config.process.locks.iter().cloned().map(Step::Lock));
        self.plan.steps.extend(config.process.gates.start.map(Step::Await));
        self.push(Step::NoNewPrivileges);
        match &config.capabilities {
            KeptCapabilities::Only(kept) if !kept.is_empty() => {
                self.push(Step::KeepCapabilities(kept.iter().copied().collect()));
            }
            KeptCapabilities::All => {}
            _ => self.push(Step::DropCapabilities),
        }
        match self.host.can(Ability::Seccomp) {
            // With a session of its own there is no terminal to type into.
            _ if config.process.session == Session::New => {}
            Support::Yes => self.push(Step::BlockTerminalInput),
            Support::No(_) => self.plan.exec.session = Session::New,
        }
        let (step, note) = build_profile(self.config, self.host);
        self.plan.steps.extend(step);
        self.plan.notes.extend(note);
        self.push(match (&self.config.cwd, &self.config.root) {
            (Some(path), _) => Step::ChangeDirectory(path.clone()),
            (None, _) if !config.process.cwd_candidates.is_empty() => {
                Step::FirstDirectory(config.process.cwd_candidates.clone())
            }
            (None, Root::Host) => Step::KeepDirectory,
            (None, _) => Step::ChangeDirectory(InsidePath::root()),
        });
    }
}
