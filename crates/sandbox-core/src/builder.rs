//! A builder for [`SandboxConfig`]: each setting by name, checked once at the end.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::command::{CommandLine, Environment, Input, Output};
use crate::config::{Isolation, Loopback, Root, SandboxConfig, User, UserNamespace, Writable};
use crate::error::ConfigError;
use crate::hostname::Hostname;
use crate::limits::Limits;
use crate::mount::Mount;
use crate::path::InsidePath;
use crate::privileges::KeptCapabilities;
use crate::process::ProcessSettings;
use crate::seccomp::{Seccomp, SeccompProgram};
use crate::time_out::TimeOut;

/// Collects settings; [`build`](Self::build) reports the first mistake among them.
#[derive(Debug, Clone)]
pub struct SandboxConfigBuilder {
    config: Result<SandboxConfig, ConfigError>,
}

impl SandboxConfig {
    /// Starts from a command; every setting has its default.
    ///
    /// ```
    /// use sandbox_core::{Isolation, SandboxConfig};
    ///
    /// let config = SandboxConfig::builder(["make", "check"])
    ///     .root("/srv/tree")
    ///     .writable(["/build", "/tmp"])
    ///     .network(Isolation::Isolated)
    ///     .build()?;
    /// # Ok::<(), sandbox_core::ConfigError>(())
    /// ```
    pub fn builder<W: Into<OsString>>(
        command: impl IntoIterator<Item = W>,
    ) -> SandboxConfigBuilder {
        SandboxConfigBuilder { config: CommandLine::new(command).map(Self::new) }
    }
}

impl SandboxConfigBuilder {
    fn set(mut self, change: impl FnOnce(&mut SandboxConfig)) -> Self {
        if let Ok(config) = &mut self.config {
            change(config);
        }
        self
    }

    fn try_set(self, change: impl FnOnce(&mut SandboxConfig) -> Result<(), ConfigError>) -> Self {
        Self { config: self.config.and_then(|mut config| change(&mut config).map(|()| config)) }
    }

    /// The working directory; a relative path is taken from the sandbox's root.
    #[must_use]
    pub fn cwd(self, path: impl AsRef<OsStr>) -> Self {
        self.try_set(|config| {
            config.cwd = Some(InsidePath::from_root(path, "cwd")?);
            Ok(())
        })
    }

    /// The environment.
    #[must_use]
    pub fn env(self, env: Environment) -> Self {
        self.set(|config| config.env = env)
    }

    /// A directory of the host as the root.
    #[must_use]
    pub fn root(self, directory: impl Into<PathBuf>) -> Self {
        self.set(|config| config.root = Root::Directory(directory.into()))
    }

    /// An empty root that the mounts fill.
    #[must_use]
    pub fn empty_root(self) -> Self {
        self.set(|config| config.root = Root::Empty)
    }

    /// Only these paths can be written; relative ones are taken from the sandbox's root.
    #[must_use]
    pub fn writable<P: AsRef<OsStr>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        self.try_set(|config| {
            let paths = paths.into_iter().map(|path| InsidePath::from_root(path, "writable"));
            config.writable = Writable::Only(paths.collect::<Result<_, _>>()?);
            Ok(())
        })
    }

    /// Nothing can be written.
    #[must_use]
    pub fn read_only(self) -> Self {
        self.set(|config| config.writable = Writable::Nothing)
    }

    /// Whether mounts made inside stay inside.
    #[must_use]
    pub fn mounts(self, isolation: Isolation) -> Self {
        self.set(|config| config.mounts = isolation)
    }

    /// One more mount, after those before it.
    #[must_use]
    pub fn mount(self, mount: Mount) -> Self {
        self.set(|config| config.extra_mounts.push(mount))
    }

    /// Whether the sandbox has a network of its own.
    #[must_use]
    pub fn network(self, isolation: Isolation) -> Self {
        self.set(|config| config.network = isolation)
    }

    /// Whether the sandbox sees only its own processes.
    #[must_use]
    pub fn processes(self, isolation: Isolation) -> Self {
        self.set(|config| config.processes = isolation)
    }

    /// Whether IPC objects are the sandbox's own.
    #[must_use]
    pub fn ipc(self, isolation: Isolation) -> Self {
        self.set(|config| config.ipc = isolation)
    }

    /// The host name inside.
    #[must_use]
    pub fn hostname(self, name: impl Into<String>) -> Self {
        self.try_set(|config| {
            config.hostname = Some(Hostname::new(name)?);
            Ok(())
        })
    }

    /// Whether the host's and domain's names are the sandbox's own.
    #[must_use]
    pub fn uts(self, isolation: Isolation) -> Self {
        self.set(|config| config.uts = isolation)
    }

    /// Whether the sandbox sees only its own cgroup.
    #[must_use]
    pub fn cgroup(self, isolation: Isolation) -> Self {
        self.set(|config| config.cgroup = isolation)
    }

    /// Whether the loopback interface of an isolated network is up.
    #[must_use]
    pub fn loopback(self, loopback: Loopback) -> Self {
        self.set(|config| config.loopback = loopback)
    }

    /// Whether the sandbox has a user namespace of its own.
    #[must_use]
    pub fn user_namespace(self, namespace: UserNamespace) -> Self {
        self.set(|config| config.user_namespace = namespace)
    }

    /// Which capabilities the command keeps.
    #[must_use]
    pub fn capabilities(self, kept: KeptCapabilities) -> Self {
        self.set(|config| config.capabilities = kept)
    }

    /// Which system calls the command is refused.
    #[must_use]
    pub fn seccomp(self, seccomp: Seccomp) -> Self {
        self.set(|config| config.seccomp = seccomp)
    }

    /// One more filter of system calls, after those before it and in place of a profile.
    #[must_use]
    pub fn seccomp_program(self, program: SeccompProgram) -> Self {
        self.set(|config| config.seccomp.add(program))
    }

    /// How much of the host's resources it may use.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.set(|config| config.limits = limits)
    }

    /// How long the command may take.
    #[must_use]
    pub fn time_out(self, time_out: TimeOut) -> Self {
        self.set(|config| config.time_out = Some(time_out))
    }

    /// What kind of process the command is.
    #[must_use]
    pub fn process(self, settings: ProcessSettings) -> Self {
        self.set(|config| config.process = settings)
    }

    /// Who the command runs as.
    #[must_use]
    pub fn user(self, user: User) -> Self {
        self.set(|config| config.user = user)
    }

    /// The supplementary groups of the command.
    #[must_use]
    pub fn groups(self, groups: impl IntoIterator<Item = u32>) -> Self {
        self.set(|config| config.groups = groups.into_iter().collect())
    }

    /// Standard input.
    #[must_use]
    pub fn stdin(self, stdin: Input) -> Self {
        self.set(|config| config.stdin = stdin)
    }

    /// Standard output.
    #[must_use]
    pub fn stdout(self, stdout: Output) -> Self {
        self.set(|config| config.stdout = stdout)
    }

    /// Standard error.
    #[must_use]
    pub fn stderr(self, stderr: Output) -> Self {
        self.set(|config| config.stderr = stderr)
    }

    /// The checked configuration.
    ///
    /// # Errors
    /// The first setting that is not valid, by name, with what would work.
    pub fn build(self) -> Result<SandboxConfig, ConfigError> {
        let config = self.config?;
        config.validate().map(|()| config)
    }
}
