//! The parameters of the original's `run_sandbox`, under their names.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sandbox_core::{
    CommandLine, Environment, InsidePath, Isolation, Root, SandboxConfig, Writable,
};

use crate::error::Error;
use crate::extra_mounts::{MountEntry, validate_extra_mounts};
use crate::stream::Stream;
use crate::words::Words;

/// What is run, and how it is isolated: the original's parameters with their meanings and defaults.
///
/// Plain data; it is checked when it is run. What is not asked for is not isolated.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// The program and its arguments. A program without `/` is looked for in the `PATH` of `env`,
    /// inside.
    pub command: Words,
    /// The working directory inside; a relative path is taken from the sandbox's root. Default: `/`, or
    /// the caller's where `filesystem_root` is `/`.
    pub cwd: Option<PathBuf>,
    /// The environment. Default: the caller's; otherwise exactly what is given.
    pub env: Environment,
    /// The directory that is `/` inside. Default: none, which is the same as `/`: the host's own files.
    pub filesystem_root: Option<PathBuf>,
    /// What can be written, applied after `extra_mounts`. Default: everything that permissions allow.
    pub filesystem_writable_paths: WritablePaths,
    /// Whether mounts that are made inside stay inside. Default: undefined.
    pub mounts: Isolation,
    /// What is mounted inside, in order; later ones cover earlier ones. Default: nothing.
    pub extra_mounts: Vec<MountEntry>,
    /// Whether the network is the sandbox's own, with nothing but loopback. Default: undefined.
    pub network: Isolation,
    /// Standard output. Default: captured.
    pub stdout: Stream,
    /// Standard error. Default: captured.
    pub stderr: Stream,
}

/// What the command can write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WritablePaths {
    /// Everything that permissions allow (`'all'`).
    #[default]
    All,
    /// These and what is below them, which must exist; nothing else, nor the directories that they are
    /// in. Relative paths are taken from the sandbox's root. An empty list is nothing.
    Paths(Vec<PathBuf>),
    /// Nothing (`'none'`).
    Nothing,
}

impl<P: Into<PathBuf>> From<Vec<P>> for WritablePaths {
    fn from(paths: Vec<P>) -> Self {
        Self::Paths(paths.into_iter().map(Into::into).collect())
    }
}

impl<P: Into<PathBuf>, const N: usize> From<[P; N]> for WritablePaths {
    fn from(paths: [P; N]) -> Self {
        Self::Paths(paths.into_iter().map(Into::into).collect())
    }
}

impl WritablePaths {
    fn writable(&self) -> Result<Writable, Error> {
        Ok(match self {
            Self::All => Writable::All,
            Self::Nothing => Writable::Nothing,
            Self::Paths(paths) if paths.is_empty() => Writable::Nothing,
            Self::Paths(paths) => {
                let inside = |path| InsidePath::from_root(path, "filesystem_writable_paths");
                Writable::Only(paths.iter().map(inside).collect::<Result<_, _>>()?)
            }
        })
    }
}

impl Config {
    /// A command, with every setting at its default. One string is a program without arguments.
    pub fn new(command: impl Into<Words>) -> Self {
        Self { command: command.into(), ..Self::default() }
    }

    /// The working directory inside.
    #[must_use]
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// The whole environment: these variables and no others.
    #[must_use]
    pub fn env<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.env = Environment::exactly(variables);
        self
    }

    /// The directory that is `/` inside; `/` itself stands for no isolation of files.
    #[must_use]
    pub fn filesystem_root(mut self, directory: impl Into<PathBuf>) -> Self {
        self.filesystem_root = Some(directory.into());
        self
    }

    /// What can be written.
    #[must_use]
    pub fn filesystem_writable_paths(mut self, paths: impl Into<WritablePaths>) -> Self {
        self.filesystem_writable_paths = paths.into();
        self
    }

    /// Whether mounts that are made inside stay inside.
    #[must_use]
    pub fn mounts(mut self, isolation: Isolation) -> Self {
        self.mounts = isolation;
        self
    }

    /// One more mount, after those before it.
    #[must_use]
    pub fn extra_mount(mut self, entry: impl Into<MountEntry>) -> Self {
        self.extra_mounts.push(entry.into());
        self
    }

    /// Whether the network is the sandbox's own.
    #[must_use]
    pub fn network(mut self, isolation: Isolation) -> Self {
        self.network = isolation;
        self
    }

    /// Where standard output goes.
    #[must_use]
    pub fn stdout(mut self, stream: impl Into<Stream>) -> Self {
        self.stdout = stream.into();
        self
    }

    /// Where standard error goes.
    #[must_use]
    pub fn stderr(mut self, stream: impl Into<Stream>) -> Self {
        self.stderr = stream.into();
        self
    }

    /// The same request as `sandbox-core` has it, checked; with all that the original does not have at
    /// its default.
    ///
    /// A stream that is [`Stream::Open`] becomes the path of this configuration's descriptor: keep the
    /// configuration until the sandbox has been started.
    ///
    /// # Errors
    /// The first setting that is not valid, by name, with what would work.
    pub fn sandbox_config(&self) -> Result<SandboxConfig, Error> {
        let mut config = SandboxConfig::new(CommandLine::new(self.command.0.iter().cloned())?);
        self.isolation_of(&mut config)?;
        config.cwd =
            self.cwd.as_ref().map(|path| InsidePath::from_root(path, "cwd")).transpose()?;
        config.env = self.env.clone();
        config.root = match &self.filesystem_root {
            Some(path) if path != Path::new("/") => Root::Directory(path.clone()),
            _ => Root::Host,
        };
        config.extra_mounts = validate_extra_mounts(&self.extra_mounts)?;
        config.stdout = self.stdout.output();
        config.stderr = self.stderr.output();
        config.validate()?;
        Ok(config)
    }

    /// Sets what can be stepped down.
    pub(crate) fn isolation_of(&self, config: &mut SandboxConfig) -> Result<(), Error> {
        config.writable = self.filesystem_writable_paths.writable()?;
        config.mounts = self.mounts;
        config.network = self.network;
        Ok(())
    }
}
