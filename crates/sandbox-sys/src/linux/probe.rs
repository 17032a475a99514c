//! Finds out what can be done here, by doing it: each ability in a child of its own.

use std::io;

use caps::{CapSet, Capability};
use nix::unistd::{getegid, geteuid};
use sandbox_core::{
    Ability, HostFacts, IdMap, InsidePath, KeptCapabilities, Limits, MountFlag, Namespace,
    NewFilesystem, Obstacle, OverlayMarks, Platform, Standing, Step, Support, WhyNot,
};

use super::calls::Calls;
use super::cgroup;
use super::init_file::InitFile;
use super::spawn::{Failure, attempt, attempt_limits};
use super::why;
use crate::error::SpawnError;

/// What is known without trying. What is not known to fail is taken to work: a plan that asks too
/// much then fails at a step, and nothing is granted that was not given.
pub(crate) fn assume() -> HostFacts {
    let has = |capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    let privileged = has(Capability::CAP_SYS_ADMIN) && has(Capability::CAP_SETPCAP);
    let standing = if privileged { Standing::Privileged } else { Standing::Unprivileged };
    let need = |capabilities: &[Capability]| match capabilities.iter().find(|c| !has(**c)) {
        None => Support::Yes,
        Some(missing) => {
            let why = WhyNot::new(Obstacle::Privilege, format!("the caller has no {missing}"));
            Support::No(why.remedy("run as root"))
        }
    };
    let facts = HostFacts::unknown(Platform::Linux, geteuid().as_raw(), getegid().as_raw());
    let facts = Ability::ALL.iter().fold(facts, |facts, ability| {
        let support = match ability {
            Ability::Chroot => need(&[Capability::CAP_SYS_CHROOT, Capability::CAP_SETPCAP]),
            Ability::SetIds => need(&[Capability::CAP_SETUID, Capability::CAP_SETGID]),
            Ability::HostMount => need(&[Capability::CAP_SYS_ADMIN]),
            Ability::Pidfd => Calls::known().pidfd(),
            _ => Support::Yes,
        };
        facts.with(*ability, support)
    });
    facts.standing(standing)
}

/// Tries everything.
///
/// # Errors
/// Something has run out in this process, which says nothing about the host.
pub(crate) fn probe() -> Result<HostFacts, SpawnError> {
    let mut facts = assume();
    let prober = Prober { standing: facts.standing, uid: facts.uid, gid: facts.gid };
    for ability in Ability::ALL {
        if let Some(support) = prober.try_out(*ability)? {
            facts = facts.with(*ability, support);
        }
    }
    Ok(facts)
}

struct Prober {
    standing: Standing,
    uid: u32,
    gid: u32,
}

impl Prober {
    /// `None` where what is assumed is all there is to know.
    fn try_out(&self, ability: Ability) -> Result<Option<Support>, SpawnError> {
        use Namespace::{Cgroup, Ipc, Mount, Network, Pid, User, Uts};
        let support = match ability {
            Ability::UserNamespace => support(attempt(&[User], &[self.map()]), &[User], TRIED),
            Ability::MountNamespace => self.mounting(&[Mount], [Step::RootEmpty]),
            Ability::PidNamespace => self.mounting(&[Pid], []),
            Ability::NetworkNamespace => self.mounting(&[Network], [Step::LoopbackUp]),
            Ability::IpcNamespace => self.mounting(&[Ipc], []),
            Ability::UtsNamespace => self.mounting(&[Uts], []),
            Ability::CgroupNamespace => self.mounting(&[Cgroup], []),
            Ability::MountApi => self.mounting(&[Mount], [Step::RootEmpty, Step::ReadOnly]),
            Ability::PivotRoot => {
                self.mounting(&[Mount], [Step::RootTree("/".into()), Step::PivotRoot])
            }
            Ability::FreshProc => self.filesystem(&[Mount, Pid], NewFilesystem::Proc),
            Ability::FreshSysfs => self.filesystem(&[Mount, Network], NewFilesystem::Sysfs),
            Ability::Mqueue => self.filesystem(&[Mount, Ipc], NewFilesystem::Mqueue),
            Ability::Overlay => self.overlay(),
            Ability::Seccomp => {
                let profile = Step::BuildProfile(KeptCapabilities::Nothing);
                let steps = [Step::NoNewPrivileges, profile];
                support(attempt(&[], &steps), &[], "installing a seccomp filter")
            }
            Ability::MemfdExec => memfd_exec(),
            Ability::SetIds => return Ok(set_groups_denied().map(Support::No)),
            Ability::LimitMemory => limit(|limits| limits.memory = Some(1 << 30)),
            Ability::LimitCpu => limit(|limits| limits.cpu = Some(10)),
            Ability::LimitProcesses => limit(|limits| limits.processes = Some(100)),
            _ => return Ok(None),
        };
        support.map(Some)
    }

    /// A user namespace with ids mapped, where the caller needs one for the rest.
    fn enter(&self) -> (Vec<Namespace>, Vec<Step>) {
        match self.standing {
            Standing::Privileged => (Vec::new(), Vec::new()),
            Standing::Unprivileged => (vec![Namespace::User], vec![self.map()]),
        }
    }

    fn map(&self) -> Step {
        let same = |id| IdMap { inside: id, outside: id };
        Step::MapIds { uid: same(self.uid), gid: same(self.gid) }
    }

    fn mounting<const N: usize>(
        &self,
        kinds: &[Namespace],
        steps: [Step; N],
    ) -> Result<Support, SpawnError> {
        self.mounting_what(kinds, steps, TRIED)
    }

    fn mounting_what<const N: usize>(
        &self,
        kinds: &[Namespace],
        steps: [Step; N],
        what: &str,
    ) -> Result<Support, SpawnError> {
        let (mut namespaces, mut all) = self.enter();
        namespaces.extend_from_slice(kinds);
        if kinds.contains(&Namespace::Mount) {
            all.push(Step::PrivateMounts);
        }
        all.extend(steps);
        support(attempt(&namespaces, &all), &namespaces, what)
    }

    fn filesystem(
        &self,
        kinds: &[Namespace],
        filesystem: NewFilesystem,
    ) -> Result<Support, SpawnError> {
        let what = format!("mounting {filesystem}");
        let target = InsidePath::root().join("probe");
        let flags = vec![MountFlag::NoSuid, MountFlag::NoDev, MountFlag::NoExec];
        let make = Step::MakeDirectory(target.clone());
        let mount = Step::Mount { filesystem, target, flags };
        self.mounting_what(kinds, [Step::RootEmpty, make, mount], &what)
    }

    /// Of two directories that nothing is mounted below: what is depends on the caller's namespace.
    fn overlay(&self) -> Result<Support, SpawnError> {
        let marks = match self.standing {
            Standing::Privileged => OverlayMarks::Trusted,
            Standing::Unprivileged => OverlayMarks::User,
        };
        let [a, b, target] = ["a", "b", "probe"].map(|name| InsidePath::root().join(name));
        let lower = vec![a.as_path().to_owned(), b.as_path().to_owned()];
        let filesystem = NewFilesystem::Overlay { lower, upper: None, marks };
        let steps = [
            Step::RootEmpty,
            Step::MakeDirectory(a),
            Step::MakeDirectory(b),
            Step::MakeDirectory(target.clone()),
            Step::PivotRoot,
            Step::Mount { filesystem, target, flags: Vec::new() },
        ];
        self.mounting_what(&[Namespace::Mount], steps, "mounting an overlay")
    }
}

/// Whether nobody may change groups in the caller's user namespace (user_namespaces(7)).
fn set_groups_denied() -> Option<WhyNot> {
    let setting = std::fs::read_to_string("/proc/self/setgroups").unwrap_or_default();
    let denied = || WhyNot::new(Obstacle::Disabled, "setgroups is denied in this user namespace");
    let remedy = "give the user namespace around us its ids by newuidmap(1) and newgidmap(1)";
    (setting.trim() == "deny").then(|| denied().remedy(remedy))
}

/// Whether a limit can be set, so high or low that no cgroup around this process has anything against it.
fn limit(change: impl FnOnce(&mut Limits)) -> Result<Support, SpawnError> {
    let mut limits = Limits::default();
    change(&mut limits);
    let Err(refused) = attempt_limits(&limits) else { return Ok(Support::Yes) };
    let why = cgroup::why_not(&refused);
    match refused.source() {
        source if source.raw_os_error().is_some_and(has_run_out) => {
            Err(SpawnError::host("find out what this host can do", source))
        }
        _ => Ok(Support::No(why)),
    }
}

/// What is done in most attempts.
const TRIED: &str = "setting up the namespace";

/// What a failure says about the host.
fn support(
    result: Result<(), Failure>,
    namespaces: &[Namespace],
    what: &str,
) -> Result<Support, SpawnError> {
    let errno = match &result {
        Err(Failure::Caller { source, .. } | Failure::NotWanted { source }) => {
            source.raw_os_error()
        }
        Err(
            Failure::Clone { errno }
            | Failure::Step { errno, .. }
            | Failure::Child { errno, .. }
            | Failure::Exec { errno },
        ) => Some(*errno),
        Ok(()) | Err(Failure::Killed | Failure::Signal { .. }) => None,
    };
    if let Some(errno) = errno.filter(|errno| has_run_out(*errno)) {
        return Err(SpawnError::Host {
            action: "find out what can be isolated here".to_owned(),
            hint: why::clone_hint(errno, namespaces),
            source: io::Error::from_raw_os_error(errno),
        });
    }
    let why = match result {
        Ok(()) => return Ok(Support::Yes),
        Err(Failure::Clone { errno }) => {
            // The kind that was asked for is the last one; without a user namespace none can be made.
            let user = || attempt(&[Namespace::User], &[]).is_err();
            let kind = match namespaces {
                [Namespace::User, ..] if user() => Namespace::User,
                kinds => kinds.last().copied().unwrap_or(Namespace::User),
            };
            why::namespace(kind, errno)
        }
        Err(Failure::Caller { action, source }) => {
            WhyNot::new(Obstacle::Disabled, format!("cannot {action}: {source}"))
        }
        Err(
            Failure::Step { errno, .. } | Failure::Child { errno, .. } | Failure::Exec { errno },
        ) => why::probed(what, errno, namespaces),
        Err(Failure::Killed | Failure::NotWanted { .. } | Failure::Signal { .. }) => {
            WhyNot::new(Obstacle::Disabled, "the probe was killed")
        }
    };
    Ok(Support::No(why))
}

/// What says nothing of the host, but of this process.
fn has_run_out(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM)
}

fn memfd_exec() -> Result<Support, SpawnError> {
    let failed = |source| Failure::Caller { action: "make a memfd to execute", source };
    let support = support(InitFile::kept().map(drop).map_err(failed), &[], "making a memfd")?;
    Ok(match support {
        Support::No(_) if why::memfd_noexec() => {
            let why = WhyNot::new(Obstacle::Disabled, "vm.memfd_noexec is 2");
            Support::No(why.remedy("as root: sysctl vm.memfd_noexec=1"))
        }
        support => support,
    })
}
