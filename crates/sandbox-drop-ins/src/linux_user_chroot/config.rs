//! From the options to the configuration of a sandbox. Pure: nothing is looked at, nothing done.

use std::collections::BTreeSet;
use std::path::Path;

use nix::errno::Errno;
use sandbox_core::{
    Capability, CommandLine, ConfigError, Filesystem, First, Input, InsidePath, Isolation,
    KeptCapabilities, Loopback, Mount, MountFlag, Output, Recursion, Root, SandboxConfig, Seccomp,
};

use super::arguments::{MountOption, Options};
use super::failure::{Call, Failure};
use super::seccomp_v0;

/// The devices of `--mount-devapi`.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// The links of `--mount-devapi`, and what they lead to.
const STREAMS: [(&str, &str); 3] =
    [("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")];

/// What user 0 keeps: what installing files and dropping privileges takes. The others act on the
/// kernel or the whole machine, and lead out of a root directory.
const KEPT: [&str; 9] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SYS_CHROOT",
];

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Root,
    Other,
}

/// What the options ask for, with their mounts on these places.
pub(super) fn config(
    options: &Options,
    places: &[InsidePath],
    caller: Caller,
) -> Result<SandboxConfig, Failure> {
    // Nothing but an empty word is refused here.
    let not_found = |call| move |_: ConfigError| Failure::call(call, Errno::ENOENT);
    let directory = options.directory.as_deref().unwrap_or("/".as_ref());
    let directory = InsidePath::from_root(directory, "--chdir");
    let command = CommandLine::new(options.command.clone());

    let mut config = SandboxConfig::new(command.map_err(not_found(Call::Execute))?);
    config.cwd = Some(directory.map_err(not_found(Call::ChangeDirectory))?);
    config.root = match options.root.as_os_str() {
        root if root == "/" => Root::Host,
        root => Root::Directory(root.into()),
    };
    config.mounts = Isolation::Isolated;
    config.extra_mounts = mounts(options, places)?;
    if options.unshare.ipc {
        config.ipc = Isolation::Isolated;
        config.uts = Isolation::Isolated;
    }
    if options.unshare.pid {
        config.processes = Isolation::Isolated;
        config.process.first = First::Command;
    }
    if options.unshare.network {
        config.network = Isolation::Isolated;
        config.loopback = Loopback::Down;
    }
    if caller == Caller::Root {
        let kept = KEPT.iter().map(Capability::named).collect::<Result<BTreeSet<_>, _>>()?;
        config.capabilities = KeptCapabilities::Only(kept);
    }
    config.seccomp = match options.filter {
        -1 => Seccomp::None,
        0 => Seccomp::Programs(vec![seccomp_v0::program()?]),
        _ => return Err(Failure::UnknownProfile),
    };
    config.stdin = Input::Inherit;
    config.stdout = Output::Inherit;
    config.stderr = Output::Inherit;
    Ok(config)
}

fn mounts(options: &Options, places: &[InsidePath]) -> Result<Vec<Mount>, ConfigError> {
    let mut mounts = Vec::new();
    let mut root: &Path = &options.root;
    for (option, place) in options.mounts.iter().zip(places) {
        match option {
            MountOption::Bind { source, .. } => {
                mounts.push(on(place, bind(source))?);
                if place.is_root() {
                    root = source;
                }
            }
            // ROOTDIR `/` is not mounted anew, so that its mount is the one that becomes read-only.
            MountOption::ReadOnly { .. } if place.is_root() && root.as_os_str() == "/" => {
                mounts.push(Mount::new("/", Filesystem::RemountInPlace)?);
            }
            // Another one is, without the mounts that were put into it before.
            MountOption::ReadOnly { .. } if place.is_root() => {
                mounts.push(Mount::new("/", bind(root))?.with(MountFlag::ReadOnly));
            }
            MountOption::ReadOnly { .. } => {
                mounts.push(on(place, Filesystem::RemountSingle)?);
            }
            MountOption::Proc { .. } => {
                mounts.push(on(place, Filesystem::Proc)?);
            }
            MountOption::Devices { .. } => mounts.extend(devices(place)?),
        }
    }
    Ok(mounts)
}

/// DEST is never made: it has to be there when its turn comes.
fn on(place: &InsidePath, filesystem: Filesystem) -> Result<Mount, ConfigError> {
    Ok(Mount::new(place.as_os_str(), filesystem)?.on_existing())
}

/// Without the mounts below the source, as far as a plain user may leave them out.
fn bind(source: &Path) -> Filesystem {
    Filesystem::Bind { source: source.into(), recursion: Recursion::SinglePreferred }
}

/// Not made anew, which would take a privilege: the host's own, each bound on a file of a tmpfs.
fn devices(place: &InsidePath) -> Result<Vec<Mount>, ConfigError> {
    let tmpfs = Filesystem::Tmpfs { size: None, mode: Some(0o755) };
    let mut mounts = vec![on(place, tmpfs)?];
    for name in DEVICES {
        let source = Path::new("/dev").join(name);
        mounts.push(Mount::new(place.join(name).as_os_str(), bind(&source))?);
    }
    for (name, to) in STREAMS {
        let link = Filesystem::Symlink { to: to.into() };
        mounts.push(Mount::new(place.join(name).as_os_str(), link)?);
    }
    Ok(mounts)
}
