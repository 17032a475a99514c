//! From what an image runs and where its files are to the sandbox of each of its processes.

use std::ffi::OsString;

use sandbox_core::{
    CommandLine, ConfigError, Environment, Filesystem, Hostname, Input, InsidePath, Isolation,
    KeptCapabilities, Mount, MountFlag, Output, OverlayUpper, Recursion, Root, SandboxConfig,
    Standing, User, Writable,
};

use super::accounts::{self, Identity};
use super::environment;
use super::error::AppError;
use super::inside::{self, Found, Node, RootDirectory, RootSource};
use super::isolators;
use super::model::App;
use super::options::{MissingDirectory, Options, RootAccess};
use super::report::{IsolatorReport, Warning};
use super::volumes::{self, Mounted};

/// The longest host name (uname(2), `__NEW_UTS_LEN`).
const LONGEST_HOSTNAME: usize = 64;
/// Where the kernel's files and the devices are: whatever the image has there is not seen.
const OF_THE_SANDBOX: [&str; 3] = ["proc", "sys", "dev"];

/// Whether a directory can be mounted on another one.
const HAS_BINDS: bool = cfg!(target_os = "linux");

/// The sandboxes of an app's processes, one after the other. They have the same files.
#[derive(Debug)]
#[non_exhaustive]
pub struct Lifecycle {
    /// What must exit with status 0 before the main process starts.
    pub pre_start: Option<SandboxConfig>,
    /// The app.
    pub main: SandboxConfig,
    /// What runs when the main process has ended, however it did.
    pub post_stop: Option<SandboxConfig>,
    /// What became of each isolator, in the manifest's order.
    pub reports: Vec<IsolatorReport>,
    /// What the user should know.
    pub warnings: Vec<Warning>,
}

/// Makes the sandboxes of an app. Where its root is this run's own, places for volumes are made in it.
///
/// # Errors
/// What the image or the caller asks for cannot be done. Only then may something have been made in the
/// root that is not needed.
pub fn prepare(
    app: &App,
    root: &RootDirectory,
    options: &Options<'_>,
) -> Result<Lifecycle, AppError> {
    let command = options.command.as_ref().unwrap_or(&app.exec);
    let command = command_line(app, "exec", command)?;
    let handler = |process, words: &Option<Vec<OsString>>| match words {
        None => Ok(None),
        Some(_) if matches!(root.source(), RootSource::TemporaryOverlay { .. }) => {
            Err(AppError::HandlerOnTemporaryFiles { app: app.name.clone(), process })
        }
        Some(words) => command_line(app, process, words).map(Some),
    };
    let pre_start = handler("pre-start", &app.pre_start)?;
    let post_stop = handler("post-stop", &app.post_stop)?;

    let group = app.group.as_deref();
    let listed = options.rules.listed_groups;
    let who = accounts::look_up(root, &app.user, group, &app.supplementary_gids, listed)?;
    let capabilities = &options.rules.capabilities;
    let effects = isolators::effects(app, who.uid, capabilities, options.strictness)?;
    let (variables, mut warnings) = environment::variables(app, &who, options);
    let Mounted { mounts, targets, writable, warnings: of_volumes } =
        volumes::mount(app, root, options)?;
    warnings.extend(of_volumes);
    warnings.extend(of_privilege(app, &who, &effects.capabilities, options.standing));

    let mut main = SandboxConfig::new(command);
    main.env = Environment::exactly(variables);
    (main.root, main.extra_mounts) = root_of(root.source(), options.standing)?;
    main.extra_mounts.extend(own_mounts(root)?);
    main.extra_mounts.extend(mounts);
    main.extra_mounts.extend(working_directory(app, root, options, &targets)?);
    main.cwd = Some(app.working_directory.clone());
    if options.root_access == RootAccess::ReadOnly {
        let kernel = ["proc", "dev"].map(|name| InsidePath::root().join(name));
        main.writable = Writable::Only(kernel.into_iter().chain(writable).collect());
    }
    main.user = match (who.uid, who.gid) {
        (0, 0) => User::Root,
        (uid, gid) => User::Ids { uid, gid },
    };
    main.groups = groups(who.groups, options.standing, &mut warnings);
    main.limits = effects.limits;
    main.capabilities = effects.capabilities;
    main.seccomp = effects.seccomp;
    main.hostname = Some(hostname(options.hostname.as_ref().unwrap_or(&app.name))?);
    for isolation in [
        &mut main.mounts,
        &mut main.network,
        &mut main.processes,
        &mut main.ipc,
        &mut main.uts,
        &mut main.cgroup,
    ] {
        *isolation = Isolation::Isolated;
    }
    (main.stdin, main.stdout, main.stderr) = (Input::Inherit, Output::Inherit, Output::Inherit);
    main.validate()?;

    let handler = |command| {
        let mut handler = main.clone();
        // It does not take what is meant for the app.
        (handler.command, handler.stdin) = (command, Input::Null);
        handler
    };
    Ok(Lifecycle {
        pre_start: pre_start.map(handler),
        post_stop: post_stop.map(handler),
        reports: effects.reports,
        warnings,
        main,
    })
}

fn command_line(
    app: &App,
    process: &'static str,
    words: &[OsString],
) -> Result<CommandLine, AppError> {
    if words.is_empty() {
        return Err(AppError::NoCommand { app: app.name.clone(), process });
    }
    Ok(CommandLine::new(words)?)
}

/// What the user should know of what privilege does here, and what its lack does.
fn of_privilege(
    app: &App,
    who: &Identity,
    capabilities: &KeptCapabilities,
    standing: Standing,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if standing == Standing::Privileged {
        if let KeptCapabilities::Only(kept) = capabilities {
            let unusual = kept - &isolators::default_capabilities();
            let capabilities: Vec<_> = unusual.iter().map(ToString::to_string).collect();
            if !capabilities.is_empty() {
                warnings.push(Warning::PowerOverHost { capabilities });
            }
        }
        return warnings;
    }
    if app.user.starts_with('/') {
        warnings.push(Warning::OwnerNotKept { path: app.user.clone() });
    }
    if who.uid != 0 {
        warnings.push(Warning::OneUser { uid: who.uid });
    }
    warnings
}

/// The supplementary groups that the caller can give.
fn groups(groups: Vec<u32>, standing: Standing, warnings: &mut Vec<Warning>) -> Vec<u32> {
    if standing == Standing::Privileged || groups.is_empty() {
        return groups;
    }
    warnings.push(Warning::GroupsNotGiven { groups });
    Vec::new()
}

/// The root, and what is mounted on it. Device nodes that an image brings, or that an app makes, are those of
/// the host where the caller has privilege: there they cannot be opened.
///
/// # Errors
/// A path that no mount can have.
pub fn root_of(source: &RootSource, standing: Standing) -> Result<(Root, Vec<Mount>), ConfigError> {
    let filesystem = match source.clone() {
        RootSource::Directory(path) if standing == Standing::Unprivileged || !HAS_BINDS => {
            return Ok((Root::Directory(path), Vec::new()));
        }
        RootSource::Directory(source) => {
            Filesystem::Bind { source, recursion: Recursion::default() }
        }
        RootSource::Overlay { lower, upper, work } => {
            Filesystem::Overlay { lower: vec![lower], upper: Some(OverlayUpper { upper, work }) }
        }
        RootSource::TemporaryOverlay { lower } => {
            Filesystem::TemporaryOverlay { lower: vec![lower] }
        }
    };
    let mount = Mount::new("/", filesystem)?.with(MountFlag::NoDev).with(MountFlag::NoSuid);
    Ok((Root::Empty, vec![mount]))
}

/// What each app finds on Linux, whatever its image has (OS-SPEC.md).
fn own_mounts(root: &RootDirectory) -> Result<Vec<Mount>, AppError> {
    let mut mounts = vec![
        Mount::new("/proc", Filesystem::Proc)?,
        Mount::new("/sys", Filesystem::Sysfs)?,
        Mount::new("/dev", Filesystem::Dev)?,
    ];
    // What the image has there is never covered, not even where it leads nowhere.
    let hosts = InsidePath::root().join("etc").join("hosts");
    if root.stat(&hosts).is_ok_and(|stat| stat.is_none()) {
        let content = b"127.0.0.1 localhost\n::1 localhost ip6-localhost\n".to_vec();
        let data = Filesystem::Data { content, mode: Some(0o644) };
        mounts.push(Mount::new(hosts.as_os_str(), data)?);
    }
    Ok(mounts)
}

/// Checks that the working directory is there, or makes it. Below what is mounted only the sandbox can
/// know.
fn working_directory(
    app: &App,
    root: &RootDirectory,
    options: &Options<'_>,
    volumes: &[InsidePath],
) -> Result<Option<Mount>, AppError> {
    let path = app.working_directory.clone();
    let Found { real, node } = match root.find(&path) {
        Err(AppError::Inside { source, .. })
            if source.kind() == std::io::ErrorKind::NotADirectory =>
        {
            return Err(AppError::WorkingDirectoryIsFile { path });
        }
        found => found?,
    };
    let own = OF_THE_SANDBOX.map(|name| InsidePath::root().join(name));
    if own.iter().chain(volumes).any(|mounted| real.is_within(mounted)) {
        return Ok(None);
    }
    match (node, options.rules.missing_directory, root.source()) {
        (Node::Directory(_), ..) => Ok(None),
        (Node::Other { .. }, ..) => Err(AppError::WorkingDirectoryIsFile { path }),
        (Node::Missing { .. }, MissingDirectory::Fails, _) => {
            Err(AppError::NoWorkingDirectory { path })
        }
        (Node::Missing { parent, names }, MissingDirectory::Made, RootSource::Directory(_)) => {
            match inside::make_directories(parent, &names) {
                Ok(()) => Ok(None),
                Err(source) => Err(AppError::Inside { path, source }),
            }
        }
        (Node::Missing { .. }, MissingDirectory::Made, _) => {
            Ok(Some(Mount::new(real.as_os_str(), Filesystem::Directory { mode: None })?))
        }
    }
}

/// A host name that is like a name.
fn hostname(name: &str) -> Result<Hostname, AppError> {
    let plain =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') { c } else { '-' };
    let name: String = name.chars().map(plain).take(LONGEST_HOSTNAME).collect();
    Ok(Hostname::new(if name.is_empty() { "sandbox".to_owned() } else { name })?)
}

#[cfg(test)]
mod tests;
