//! Removing what processes have left that were killed.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::{Left, PlaceError, RemoveError, Step};
use super::private::{Base, Leftover};
use super::run::{PREFIX, open_base};

/// How much a sweep may do. The rest is for the next one.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// How many directories at most.
    pub directories: usize,
    /// How long.
    pub time: Duration,
}

impl Default for Budget {
    /// 16 directories, and one second.
    fn default() -> Self {
        Self { directories: 16, time: Duration::from_secs(1) }
    }
}

/// What a sweep has done.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Swept {
    /// What was removed.
    pub removed: Vec<PathBuf>,
    /// What was found dead, but the budget was used up.
    pub unfinished: Vec<PathBuf>,
    /// What could not be removed.
    pub failed: Vec<PlaceError>,
}

/// Removes what runs of this user have left in `base`, as [`RunDir::new`](super::RunDir::new) takes it:
/// directories with such a name that are the caller's alone and whose lock can be had. Those of others, of
/// live runs and mounts are not touched. Where there is none, this reads the base and no more.
///
/// # Errors
/// The base cannot be read.
pub fn sweep(base: Option<&Path>, budget: Budget) -> Result<Swept, PlaceError> {
    sweep_in(&open_base(base)?, PREFIX, budget)
}

/// The same, of directories whose names begin so.
pub(super) fn sweep_in(base: &Base, prefix: &str, budget: Budget) -> Result<Swept, PlaceError> {
    let until = Instant::now().checked_add(budget.time);
    let mut swept = Swept::default();
    for name in base.private_names(prefix)? {
        let name = name?;
        let path = base.join(&name);
        let leftover = match Leftover::claim(base.fd.as_fd(), &name) {
            Ok(Some(leftover)) => leftover,
            // Others can make as many such names as they like.
            Ok(None) if until.is_some_and(|until| Instant::now() >= until) => break,
            Ok(None) => continue,
            Err(source) => {
                swept.failed.push(PlaceError::Call { step: Step::Lock, path, source });
                continue;
            }
        };
        if swept.removed.len() >= budget.directories {
            swept.unfinished.push(path);
            break;
        }
        match leftover.remove(until) {
            Ok(()) => swept.removed.push(path),
            Err(RemoveError { first: Left::Late { .. }, .. }) => {
                swept.unfinished.push(path);
                break;
            }
            Err(source) => swept.failed.push(PlaceError::Remove { path, source }),
        }
    }
    Ok(swept)
}
