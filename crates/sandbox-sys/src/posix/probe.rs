//! What can be done here.

use nix::unistd::{getegid, geteuid};
use sandbox_core::{Ability, HostFacts, Obstacle, Platform, Support, WhyNot};

use super::mounts;
use super::program::{Act, Program};
use super::spawn::attempt;
use crate::error::SpawnError;

const PLATFORM: Platform = if cfg!(target_os = "macos") {
    Platform::MacOs
} else if cfg!(any(
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "netbsd",
    target_os = "openbsd"
)) {
    Platform::Bsd
} else {
    Platform::OtherPosix
};

/// What is known without trying: root can do all that there is.
pub(crate) fn assume() -> HostFacts {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let support = |what: &str| {
        if uid == 0 {
            return Support::Yes;
        }
        let why = WhyNot::new(Obstacle::Privilege, format!("{what} is for root"));
        Support::No(why.remedy("run as root"))
    };
    HostFacts::unknown(PLATFORM, uid, gid)
        .with(Ability::Chroot, support("chroot(2)"))
        .with(Ability::SetIds, support("becoming another user"))
        .with(Ability::HostMount, mounting().and(&support("mounting")))
}

/// The mount programs of macOS and OpenBSD have nothing that a plan mounts.
fn mounting() -> Support {
    if mounts::bind_words().is_some() {
        return Support::Yes;
    }
    let reason = "this platform has no bind mounts";
    Support::No(WhyNot::new(Obstacle::Platform, reason))
}

/// The same, with chroot(2) tried out, which jails and policies can forbid even to root.
#[allow(clippy::unnecessary_wraps, reason = "other engines can fail")]
pub(crate) fn probe() -> Result<HostFacts, SpawnError> {
    let facts = assume();
    if !facts.can(Ability::Chroot).is_yes() {
        return Ok(facts);
    }
    let program = Program { acts: vec![(0, Act::Chroot(c"/".into()))], ..Program::default() };
    Ok(match attempt(&program) {
        Ok(()) => facts,
        Err(error) => {
            let why = WhyNot::new(Obstacle::Privilege, format!("chroot(2) fails: {error}"));
            facts.with(Ability::Chroot, Support::No(why.remedy("run outside of the jail")))
        }
    })
}
