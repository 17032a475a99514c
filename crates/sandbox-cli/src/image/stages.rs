//! From an image that is loaded to the processes that it runs.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use sandbox_core::{
    CommandLine, Input, Outcome, SandboxConfig, SelectError, Setting, Unmet, Unsupported,
};
use sandbox_image::app::{
    App, Disposition, IsolatorReport, Lifecycle, Options, RootAccess, SourceLinks, Strictness,
    Volume, prepare, refuse_ignored, root_of,
};
use sandbox_image::load::{Loaded, Runs};
use sandbox_image::oci::Bundle;
use sandbox_sys::{RunError, SandboxChild};

use super::lifecycle::{self, Stages};
use super::sockets::{self, Bound};
use super::{Run, told, volume};
use crate::descriptors::{Own, check_open};
use crate::error::CliError;
use crate::report::Audience;
use crate::resolve::{Base, Request, command_line, resolve};
use crate::run::{self, launcher};

/// The isolator of memory; the other one with a limit is that of processor time.
const MEMORY: &str = "resource/memory";

/// An image that is there, what it runs, and what is to be told of it.
pub(super) struct Prepared {
    pub(super) stages: Stages,
    /// It is there for as long as this is.
    loaded: Loaded,
    /// They are bound for as long as this is.
    _sockets: Bound,
    reports: Vec<IsolatorReport>,
    warnings: Vec<String>,
}

impl Run<'_> {
    /// What is run of an image that is loaded.
    pub(super) fn stages(&self, loaded: Loaded) -> Result<Prepared, CliError> {
        match &loaded.runs {
            Runs::App(app) => {
                let app = app.clone();
                self.app(&app, loaded)
            }
            Runs::Bundle(bundle) => {
                let bundle = bundle.clone();
                self.bundle(*bundle, loaded)
            }
            _ => self.tree(loaded),
        }
    }

    fn app(&self, app: &App, loaded: Loaded) -> Result<Prepared, CliError> {
        let volumes = &self.flags.image.volume;
        let volumes = volumes.iter().map(|text| volume::parse(text)).collect::<Result<_, _>>()?;
        let mut life = self.prepare(app, &loaded, volumes, loaded.root_access)?;
        self.decide(&mut life)?;
        // Handlers have none.
        let wanted = sockets::wanted(app, &self.flags.image.port)?;
        let sockets =
            if self.flags.report.explain { Bound::default() } else { sockets::bind(wanted)? };
        let Lifecycle { pre_start, main, post_stop, reports, warnings, .. } = life;
        let handler = |config: Option<SandboxConfig>| {
            let request = config.map(|config| self.request(config)).transpose()?;
            Ok::<_, CliError>(request.map(|mut request| {
                request.config.stdin = Input::Null;
                request
            }))
        };
        let mut main = self.request(main)?;
        sockets.give(&mut main.config);
        let stages =
            Stages { pre_start: handler(pre_start)?, main, post_stop: handler(post_stop)? };
        let warnings = told::words(&warnings);
        Ok(Prepared { stages, loaded, _sockets: sockets, reports, warnings })
    }

    /// Runs what a bundle says, and tells what of it is not done.
    fn bundle(&self, bundle: Bundle, loaded: Loaded) -> Result<Prepared, CliError> {
        let mut config = bundle.config;
        if let Some(command) = self.command(&loaded) {
            config.command = CommandLine::new(command)?;
        }
        let unsupported: Vec<_> = bundle.unsupported.iter().map(ToString::to_string).collect();
        if self.flags.image.strict && !unsupported.is_empty() {
            return Err(CliError::Bundle(unsupported));
        }
        let warning =
            |field: &String| format!("the bundle's {field} is not supported, and ignored");
        let warnings = unsupported.iter().map(warning).collect();
        Ok(Prepared::of_one(self.request(config)?, loaded, warnings))
    }

    /// Finds out which limits can be set here: one that cannot is told of, and is an error with `--strict`
    /// only.
    pub(super) fn decide(&self, life: &mut Lifecycle) -> Result<(), CliError> {
        let undecided = |report: &&mut IsolatorReport| report.disposition == Disposition::Undecided;
        if life.reports.iter_mut().filter(undecided).count() == 0 {
            return Ok(());
        }
        let request = self.request(life.main.clone())?;
        let unmet = match launcher(&request).plan(&request.config) {
            Err(RunError::Select(SelectError::NoneMeets { rejected })) => {
                let is_limit = |one: &Unmet| matches!(one.setting, Setting::Memory | Setting::Cpu);
                let only_limits = |one: &Unsupported| one.unmet.iter().all(is_limit);
                rejected.into_iter().find(only_limits).map(|one| one.unmet).unwrap_or_default()
            }
            // Whatever else is wrong is found when it is started.
            _ => Vec::new(),
        };
        for report in life.reports.iter_mut().filter(undecided) {
            let memory = report.name == MEMORY;
            let setting = if memory { Setting::Memory } else { Setting::Cpu };
            report.disposition = Disposition::Enforced;
            let Some(unmet) = unmet.iter().find(|unmet| unmet.setting == setting) else { continue };
            report.disposition = Disposition::Ignored;
            report.detail = unmet.why.to_string();
            let handlers = [&mut life.pre_start, &mut life.post_stop].into_iter().flatten();
            for config in handlers.chain([&mut life.main]) {
                match setting {
                    Setting::Memory => config.limits.memory = None,
                    _ => config.limits.cpu = None,
                }
            }
        }
        if self.flags.image.strict { Ok(refuse_ignored(&life.reports)?) } else { Ok(()) }
    }

    /// What the image and the caller make of an app.
    pub(super) fn prepare(
        &self,
        app: &App,
        loaded: &Loaded,
        volumes: Vec<Volume>,
        root_access: RootAccess,
    ) -> Result<Lifecycle, CliError> {
        let empty = |name: &str| self.empty_volume(name);
        let mut options = Options::new(loaded.rules.clone());
        options.command = self.command(loaded);
        options.term = env::var_os("TERM").filter(|_| io::stdin().is_terminal());
        options.hostname.clone_from(&self.flags.isolation.hostname);
        options.volumes = volumes;
        options.source_links = if self.flags.image.volume_symlinks {
            SourceLinks::Followed
        } else {
            SourceLinks::Refused
        };
        options.empty_volumes = &empty;
        options.root_access =
            if self.flags.isolation.read_only { RootAccess::ReadOnly } else { root_access };
        options.strictness =
            if self.flags.image.strict { Strictness::Strict } else { Strictness::Lenient };
        options.standing = sandbox_sys::assume().standing;
        Ok(prepare(app, &loaded.root, &options)?)
    }

    /// A command in place of the image's own, or that one with other arguments.
    fn command(&self, loaded: &Loaded) -> Option<Vec<OsString>> {
        let words = match &self.file.command {
            Some(command) if self.flags.command.is_empty() => command.words(),
            _ => &self.flags.command,
        };
        if words.is_empty() {
            return None;
        }
        let program: &[OsString] = match (&loaded.runs, self.flags.image.args) {
            (Runs::App(app), true) if loaded.entrypoint.is_empty() => &app.exec,
            (_, true) => &loaded.entrypoint,
            (_, false) => &[],
        };
        Some([program, words].concat())
    }

    /// A fresh directory that volumes of this name share.
    pub(super) fn empty_volume(&self, name: &str) -> io::Result<PathBuf> {
        let volumes = self.dir.volumes().map_err(io::Error::other)?;
        let path = volumes.path.join(name);
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(path),
        }
    }

    /// A tree without a word of what it runs is as a directory that was named.
    fn tree(&self, loaded: Loaded) -> Result<Prepared, CliError> {
        let command = command_line(self.flags.command.clone(), self.file.command.clone())?;
        let (root, mounts) = root_of(loaded.root.source(), sandbox_sys::assume().standing)?;
        let build = self.flags.isolation.build || self.file.build;
        let mut config =
            if build { crate::preset::base(command)? } else { SandboxConfig::new(command) };
        config.root = root;
        config.extra_mounts = mounts;
        Ok(Prepared::of_one(self.request(config)?, loaded, Vec::new()))
    }

    fn request(&self, config: SandboxConfig) -> Result<Request, CliError> {
        let variable = env::var_os(sandbox_core::BACKEND_VARIABLE);
        let base = Base::Image(Box::new(config));
        let request = resolve(self.flags.clone(), self.file.clone(), variable, base)?;
        Own::of(self.flags).check(&request.config)?;
        if !self.flags.report.explain {
            check_open(&request.config)?;
        }
        Ok(request)
    }
}

impl Prepared {
    /// What runs one process, and has no isolators.
    fn of_one(main: Request, loaded: Loaded, warnings: Vec<String>) -> Self {
        let stages = Stages { pre_start: None, main, post_stop: None };
        Self { stages, loaded, _sockets: Bound::default(), reports: Vec::new(), warnings }
    }

    /// Prints what would be done for each process.
    pub(super) fn explain(&self, audience: &Audience) -> Result<(), CliError> {
        let handlers =
            [("pre-start", &self.stages.pre_start), ("post-stop", &self.stages.post_stop)];
        run::explain(&self.stages.main, audience)?;
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
        let wait = |child: SandboxChild| child.wait_interruptible(run.held);
        lifecycle::run(&self.stages, run.verbosity, run.audience, &wait)
    }
}
