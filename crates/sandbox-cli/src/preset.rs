//! `--build`: what a build wants, as a base that files and flags override.

use sandbox_core::{
    CommandLine, ConfigError, Environment, Filesystem, Hostname, Inherit, InsidePath, Isolation,
    Mount, MountFlag, SandboxConfig, Writable,
};

/// Where programs are in any tree that follows the Filesystem Hierarchy Standard.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Isolation, a host name and an environment that are the same on every host.
pub(crate) fn base(command: CommandLine) -> Result<SandboxConfig, ConfigError> {
    let mut config = SandboxConfig::new(command);
    config.network = Isolation::Isolated;
    config.processes = Isolation::Isolated;
    config.ipc = Isolation::Isolated;
    config.mounts = Isolation::Isolated;
    config.hostname = Some(Hostname::new("sandbox")?);
    // HOME must be a place that can be written, and is gone afterwards.
    config.env = Environment::exactly([("PATH", PATH), ("HOME", "/tmp"), ("LC_ALL", "C.UTF-8")]);
    // TERM says nothing of the host, and messages in colour are readable.
    config.env.inherit = Inherit::Only(["TERM".into()].into());
    Ok(config)
}

/// The mounts of a build, and after them the user's own. Where the user mounts the same target,
/// the preset keeps out of the way.
pub(crate) fn with_mounts(own: Vec<Mount>) -> Result<Vec<Mount>, ConfigError> {
    let tmp = Filesystem::Tmpfs { size: None, mode: Some(0o1777) };
    let mut mounts = vec![
        Mount::new("/proc", Filesystem::Proc)?,
        Mount::new("/dev", Filesystem::Dev)?,
        Mount::new("/tmp", tmp)?,
    ];
    mounts.retain(|mount| own.iter().all(|own| own.target != mount.target));
    mounts.extend(own);
    Ok(mounts)
}

/// A read-only tree but for the paths that were named, and what the sandbox has for itself: fresh
/// file systems, which are gone afterwards. A bind shows files of the host, so it must be named.
pub(crate) fn writable(mounts: &[Mount], named: Option<Writable>) -> Writable {
    let mut paths: Vec<InsidePath> =
        mounts.iter().filter(|mount| is_fresh(mount)).map(|mount| mount.target.clone()).collect();
    match named {
        None => {}
        Some(Writable::Only(named)) => paths.extend(named),
        Some(other) => return other,
    }
    Writable::Only(paths)
}

fn is_fresh(mount: &Mount) -> bool {
    use Filesystem::{Dev, DevWithoutConsole, Mqueue, Proc, Tmpfs};
    matches!(mount.filesystem, Dev | DevWithoutConsole | Mqueue | Proc | Tmpfs { .. })
        && !mount.flags.contains(&MountFlag::ReadOnly)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mounts: &[Mount]) -> Vec<String> {
        mounts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn mounts_of_the_user_come_after_and_replace() {
        let none = with_mounts(Vec::new()).unwrap();
        assert_eq!(lines(&none), ["proc on /proc", "a minimal /dev on /dev", "tmpfs on /tmp"]);
        let own = vec![Mount::bind("/x", "/tmp/x").unwrap(), Mount::bind("/dev", "/dev/").unwrap()];
        assert_eq!(
            lines(&with_mounts(own).unwrap()),
            ["proc on /proc", "tmpfs on /tmp", "/x on /tmp/x", "/dev on /dev"]
        );
    }

    #[test]
    fn only_fresh_file_systems_and_what_is_named_can_be_written() {
        let own = ["/x /src none rbind", "t /cache tmpfs", "t /empty tmpfs ro"];
        let mounts = with_mounts(own.map(|line| line.parse().unwrap()).into()).unwrap();
        let text = |writable: Writable| match writable {
            Writable::Only(paths) => {
                paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
            other => format!("{other:?}"),
        };
        assert_eq!(text(writable(&mounts, None)), "/proc /dev /tmp /cache");
        let named = Writable::Only(vec![InsidePath::root().join("src")]);
        assert_eq!(text(writable(&mounts, Some(named))), "/proc /dev /tmp /cache /src");
        assert_eq!(text(writable(&mounts, Some(Writable::Nothing))), "Nothing");
        assert_eq!(text(writable(&mounts, Some(Writable::All))), "All");
    }

    #[test]
    fn nothing_of_the_host_shows() {
        let config = base(CommandLine::new(["make"]).unwrap()).unwrap();
        let callers = [("TERM", "xterm"), ("HOME", "/home/me"), ("SSH_AUTH_SOCK", "/x")];
        let env = config.env.resolve(callers.map(|(name, value)| (name.into(), value.into())));
        let names: Vec<_> = env.keys().map(|name| name.to_str().unwrap()).collect();
        assert_eq!(names, ["HOME", "LC_ALL", "PATH", "TERM"]);
        assert_eq!(env[std::ffi::OsStr::new("HOME")], "/tmp");
    }
}
