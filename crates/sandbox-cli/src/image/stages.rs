//! From an image that is loaded to the processes that it runs.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use sandbox_core::{CommandLine, Input, Outcome, SandboxConfig};
use sandbox_image::app::{
    App, IsolatorReport, Lifecycle, Options, RootAccess, SourceLinks, Strictness, Volume, Warning,
    prepare, root_of,
};
use sandbox_image::load::Loaded;

use super::lifecycle;
use super::{Run, told, volume};
use crate::error::CliError;
use crate::report::Audience;
use crate::resolve::{Base, Request, command_line, resolve};
use crate::run;

/// What an image runs, as requests that can be carried out.
pub(super) struct Stages {
    /// It must exit with status 0 before the main process starts.
    pub(super) pre_start: Option<Request>,
    pub(super) main: Request,
    /// It runs when the main process has ended, however it ended.
    pub(super) post_stop: Option<Request>,
    /// The image, which is there for as long as this is.
    loaded: Loaded,
    reports: Vec<IsolatorReport>,
    warnings: Vec<Warning>,
}

impl Run<'_> {
    /// What is run of an image that is loaded.
    pub(super) fn stages(&self, loaded: Loaded) -> Result<Stages, CliError> {
        let Some(app) = loaded.app.clone() else { return self.tree(loaded) };
        let volumes = &self.flags.image.volume;
        let volumes = volumes.iter().map(|text| volume::parse(text)).collect::<Result<_, _>>()?;
        let Lifecycle { pre_start, main, post_stop, reports, warnings, .. } =
            self.prepare(&app, &loaded, volumes)?;
        let handler = |config: Option<SandboxConfig>| {
            let request = config.map(|config| self.request(config)).transpose()?;
            Ok::<_, CliError>(request.map(|mut request| {
                request.config.stdin = Input::Null;
                request
            }))
        };
        Ok(Stages {
            pre_start: handler(pre_start)?,
            main: self.request(main)?,
            post_stop: handler(post_stop)?,
            loaded,
            reports,
            warnings,
        })
    }

    /// What the image and the caller make of an app.
    pub(super) fn prepare(
        &self,
        app: &App,
        loaded: &Loaded,
        volumes: Vec<Volume>,
    ) -> Result<Lifecycle, CliError> {
        let empty = |name: &str| self.empty_volume(name);
        let mut options = Options::new(loaded.rules.clone());
        options.command = self.command();
        options.term = env::var_os("TERM").filter(|_| io::stdin().is_terminal());
        options.hostname = self.flags.isolation.hostname.clone();
        options.volumes = volumes;
        options.source_links = if self.flags.image.volume_symlinks {
            SourceLinks::Followed
        } else {
            SourceLinks::Refused
        };
        options.empty_volumes = &empty;
        options.root_access = match self.flags.isolation.read_only {
            true => RootAccess::ReadOnly,
            false => loaded.root_access,
        };
        options.strictness =
            if self.flags.image.strict { Strictness::Strict } else { Strictness::Lenient };
        options.standing = sandbox_sys::assume().standing;
        Ok(prepare(app, &loaded.root, &options)?)
    }

    /// A command in place of the image's own.
    fn command(&self) -> Option<Vec<OsString>> {
        if self.flags.command.is_empty() {
            return self.file.command.as_ref().map(|command| command.words().to_vec());
        }
        Some(self.flags.command.clone())
    }

    /// A fresh directory that volumes of this name share.
    fn empty_volume(&self, name: &str) -> io::Result<PathBuf> {
        let volumes = self.dir.volumes().map_err(io::Error::other)?;
        let path = volumes.path.join(name);
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(path),
        }
    }

    /// A tree without a word of what it runs is as a directory that was named.
    fn tree(&self, loaded: Loaded) -> Result<Stages, CliError> {
        let command = command_line(self.flags.command.clone(), self.file.command.clone())?;
        let (root, mounts) = root_of(loaded.root.source(), sandbox_sys::assume().standing)?;
        let build = self.flags.isolation.build || self.file.build;
        let mut config =
            if build { crate::preset::base(command)? } else { SandboxConfig::new(command) };
        config.root = root;
        config.extra_mounts = mounts;
        Ok(Stages {
            pre_start: None,
            main: self.request(config)?,
            post_stop: None,
            loaded,
            reports: Vec::new(),
            warnings: Vec::new(),
        })
    }

    fn request(&self, config: SandboxConfig) -> Result<Request, CliError> {
        let variable = env::var_os(sandbox_core::BACKEND_VARIABLE);
        let base = Base::Image(Box::new(config));
        resolve(self.flags.clone(), self.file.clone(), variable, base)
    }
}

impl Stages {
    /// Prints what would be done for each process.
    pub(super) fn explain(&self, audience: &Audience) -> Result<(), CliError> {
        let handlers = [("pre-start", &self.pre_start), ("post-stop", &self.post_stop)];
        run::explain(&self.main, audience)?;
        for (name, request) in handlers {
            if let Some(request) = request {
                let command: &CommandLine = &request.config.command;
                run::print(&format!("{name}: {}\n", command.program().display()))?;
            }
        }
        Ok(())
    }

    /// Runs all of it.
    pub(super) fn run(&self, run: &Run<'_>) -> Result<Outcome, CliError> {
        told::image(&self.loaded, &self.reports, &self.warnings, run.verbosity, run.audience);
        lifecycle::run(self, run.verbosity, run.audience, run.held)
    }
}
