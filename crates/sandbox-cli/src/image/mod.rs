//! ROOT is an image: it is loaded, what it runs is run, and what was unpacked is removed.

mod flags;
mod inside;
mod lifecycle;
mod nest;
mod of_pod;
mod pod;
mod progress;
mod sockets;
mod stages;
mod subordinate;
mod told;
mod volume;

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use sandbox_core::Outcome;
pub(crate) use sandbox_image::load::is_image;
use sandbox_image::load::{LoadError, Loaded, Loader, Watch};
use sandbox_image::place::{self, Cache, RunDir};
use sandbox_image::unpack::Budget;
use sandbox_sys::HeldSignals;

pub(crate) use flags::ImageFlags;
pub(crate) use pod::{command as pod_command, pod};
pub(crate) use subordinate::SubordinateError;
pub(crate) use told::Isolator;

use crate::config_file::ConfigFile;
use crate::error::CliError;
use crate::exit;
use crate::flags::Flags;
use crate::quantity;
use crate::render::line;
use crate::report::Audience;
use crate::run::{Verbosity, finish};
use progress::Progress;

/// What a run needs beside the image.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) flags: &'a Flags,
    pub(super) file: &'a ConfigFile,
    pub(super) verbosity: &'a Verbosity,
    pub(super) audience: &'a Audience,
    pub(super) held: &'a HeldSignals,
    pub(super) dir: &'a RunDir,
}

/// Runs an image, and gives the status to exit with.
pub(crate) fn run(
    root: &Path,
    flags: &Flags,
    file: &ConfigFile,
    verbosity: &Verbosity,
    audience: &Audience,
) -> Result<u8, CliError> {
    let held = HeldSignals::hold().map_err(CliError::Signals)?;
    let own = [flags.report.machine.status_fd, flags.choice.config_fd];
    let own: BTreeSet<i32> = own.into_iter().flatten().collect();
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(child) = nest::as_subordinate(&flags.image, &words, own, &held)? {
        return Ok(exit::of_outcome(&child.wait_passing_on(&held)?));
    }
    let dir = directory()?;
    let run = Run { flags, file, verbosity, audience, held: &held, dir: &dir };
    let ended = run.image(root);
    // Whatever happened, nothing is left; and if something is, that is told, too.
    if let Err(error) = dir.remove() {
        audience.say(&line("warning", error));
    }
    match ended {
        Ok(Some(outcome)) => Ok(finish(&outcome, held, verbosity, audience)),
        Ok(None) => Ok(0),
        Err(error) => Err(interrupted(error, &held)),
    }
}

/// Which signal it was that has ended a load.
fn interrupted(error: CliError, held: &HeldSignals) -> CliError {
    match error {
        CliError::Load(LoadError::Interrupted) => {
            CliError::Interrupted(held.came().unwrap_or_default())
        }
        error => error,
    }
}

/// A directory for one run, after what killed ones have left is removed.
fn directory() -> Result<RunDir, CliError> {
    // A leftover that cannot be removed is no reason not to run.
    let _ = place::sweep(None, place::Budget::default());
    Ok(RunDir::new(None)?)
}

impl Run<'_> {
    /// `None`: nothing was to be run.
    fn image(&self, root: &Path) -> Result<Option<Outcome>, CliError> {
        let cache = self.flags.image.cache.as_deref().map(Cache::open).transpose()?;
        let loaded = self.load(root, cache.as_ref())?;
        let stages = self.stages(loaded)?;
        if self.flags.report.explain {
            return stages.explain(self.audience).map(|()| None);
        }
        stages.run(self).map(Some)
    }

    /// Loads one image.
    pub(super) fn load(&self, image: &Path, cache: Option<&Cache>) -> Result<Loaded, CliError> {
        let flags = &self.flags.image;
        let id = flags.image_id.as_deref().map(str::parse).transpose();
        let id = id.map_err(|error| CliError::Flag {
            flag: "image-id",
            value: flags.image_id.clone().unwrap_or_default().into(),
            problem: format!("{error}"),
        })?;
        let mut loader = Loader::new(self.dir);
        loader.cache = cache;
        loader.image_path = &flags.image_path;
        loader.image_id = id.as_ref();
        loader.has_command = !self.flags.command.is_empty() || self.file.command.is_some();
        if let Some(limit) = flags.max_unpacked_size {
            loader.unpack.budget = Budget::new(limit);
        }
        let budget = loader.unpack.budget.clone();
        loader.watch = self.watch()?;
        let image = loader.load(image)?;
        if let Some(cache) = cache {
            // What killed ones have left in the cache; a failure is no reason not to run.
            let _ = cache.sweep(place::Budget::default());
        }
        if flags.max_unpacked_size.is_none() && budget.used() > budget.max_bytes() / 2 {
            let (used, limit) =
                (quantity::shown(budget.used()), quantity::shown(budget.max_bytes()));
            let text =
                format!("{used} were unpacked; --max-unpacked-size allows more than {limit}");
            self.audience.say(&line("warning", text));
        }
        Ok(image)
    }

    /// Shows how far it is, and stops when a signal comes.
    fn watch(&self) -> Result<Watch, CliError> {
        let stop = self.held.as_fd().try_clone_to_owned().map_err(CliError::Signals)?;
        let progress = Progress::new(self.flags.image.progress, self.audience)?;
        let watcher = progress.map(|mut progress| {
            let watcher = move |reading: sandbox_image::load::Reading<'_>| progress.at(reading);
            Arc::new(Mutex::new(watcher)) as sandbox_image::load::Watcher
        });
        Ok(Watch { watcher, stop: Some(Arc::new(stop)) })
    }
}
