//! Configurations, whatever they are read from: what was taken once is taken again, means the same, and can be
//! planned.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use sandbox_chroot::Chroot;
use sandbox_cli::fuzzing;
use sandbox_core::{
    Ability, Backend, HostFacts, Mount, Platform, Policy, SandboxConfig, Standing, Support,
    negotiate,
};
use sandbox_luc::LinuxUserChroot;

/// Plans it for root and for a user, by each backend, as far as it can be granted.
fn plan(config: &SandboxConfig) {
    for (standing, uid) in [(Standing::Privileged, 0), (Standing::Unprivileged, 1000)] {
        let facts = HostFacts::unknown(Platform::Linux, uid, uid).standing(standing);
        let all = |facts: HostFacts, one: &Ability| facts.with(*one, Support::Yes);
        let facts = Ability::ALL.iter().fold(facts, all);
        for backend in [&LinuxUserChroot as &dyn Backend, &Chroot] {
            let capabilities = backend.capabilities(&facts);
            let Ok(granted) = negotiate(config, &capabilities, &Policy::best_effort()) else {
                continue;
            };
            let plan = backend.plan(&granted, &facts).expect("what was granted is planned");
            assert!(!plan.to_string().is_empty());
        }
    }
}

/// A configuration, in JSON or TOML, as the library and the command read it.
pub fn config(bytes: &[u8]) {
    let taken = fuzzing::config_file(bytes);
    let Ok(text) = str::from_utf8(bytes) else { return };
    let read: Option<SandboxConfig> =
        serde_json::from_str(text).ok().or_else(|| toml::from_str(text).ok());
    let Some(config) = read else { return };
    // What the library takes is a part of what the command takes; it has no mark at the beginning.
    assert!(taken, "the command takes what the library takes");
    let json = serde_json::to_string(&config).expect("it is written");
    let again: SandboxConfig = serde_json::from_str(&json).expect("what was written is read");
    assert_eq!(again, config);
    // TOML has no numbers beyond i64.
    if let Ok(toml) = toml::to_string(&config) {
        let again: SandboxConfig = toml::from_str(&toml).expect("what was written is read");
        assert_eq!(again, config);
    }
    if config.validate().is_ok() {
        plan(&config);
    }
}

/// A mount: a line of fstab, and the value of each option of the command that mounts something.
pub fn mounts(bytes: &[u8]) {
    let line = str::from_utf8(bytes).ok().and_then(|line| line.parse::<Mount>().ok());
    for mount in line.into_iter().chain(fuzzing::mount_flags(OsStr::from_bytes(bytes))) {
        assert!(mount.target.as_os_str().as_bytes().starts_with(b"/"), "{mount:?}");
        let json = serde_json::to_string(&mount).expect("it is written");
        assert_eq!(serde_json::from_str::<Mount>(&json).expect("it is read"), mount);
    }
}

/// Amounts, as flags have them.
pub fn quantities(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (bytes, thousandths, count, shown) = fuzzing::quantities(text);
    assert!(bytes != Some(0) && thousandths != Some(0) && count != Some(0), "nothing is no limit");
    assert!(shown.ends_with('B'), "{shown}");
}

/// Words, with a zero byte between each two.
fn words(bytes: &[u8]) -> Vec<OsString> {
    bytes.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect()
}

/// The words of `bwrap`; after an empty one, what each descriptor holds that is read.
pub fn bwrap_args(bytes: &[u8]) {
    let end = bytes.windows(2).position(|pair| pair == [0, 0]);
    let (line, data) = end.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 2..]));
    if let Some(config) = sandbox_drop_ins::fuzzing::bwrap(words(line), data) {
        plan(&config);
    }
}

/// The words of `linux-user-chroot`, its name first.
pub fn linux_user_chroot_args(bytes: &[u8]) {
    if let Some(config) = sandbox_drop_ins::fuzzing::linux_user_chroot(&words(bytes)) {
        plan(&config);
    }
}

/// The kernel's tables of mounts and of cgroups, with a zero byte between; and what the caller and the init
/// say to each other.
pub fn kernel_and_init(bytes: &[u8]) {
    sandbox_sys::fuzzing::protocol(bytes);
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (mounts, own) = text.split_once('\0').unwrap_or((text, ""));
    sandbox_sys::fuzzing::kernel_tables(mounts, own);
}
