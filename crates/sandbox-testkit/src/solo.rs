//! The processes that the suite starts: one for each case, one for each caller in an odd state.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::unistd::geteuid;
use sandbox_core::{Backend, Obstacle};

use crate::case::{Case, Need, Verdict};
use crate::cases;
use crate::check::{Check, Failure, ensure};
use crate::leaks;
use crate::refusal::refusal;
use crate::world::{DIR, ROLE, RUN, World};

/// The variable that makes a process run one case.
pub(crate) const CASE: &str = "SANDBOX_TESTKIT_CASE";

/// Where the process of a case leaves its verdict; its streams belong to the case.
pub(crate) fn verdict_file(dir: &Path) -> PathBuf {
    dir.join("verdict")
}

/// Plays what this process was started for; none where the user started it.
pub(crate) fn play(backend: &dyn Backend) -> Option<ExitCode> {
    let (run, dir) = (env::var_os(RUN)?, env::var_os(DIR)?);
    let world = World::open(backend, Path::new(&run), dir.into());
    if let Some(name) = env::var_os(ROLE) {
        let role = cases::roles().find(|role| name == role.name)?;
        return Some(match (role.run)(&world) {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Wrong(text) | Failure::CannotRun(text)) => {
                // The exit status tells of the failure even where the report cannot be written.
                let _ = fs::write(world.role_report(), text);
                ExitCode::FAILURE
            }
        });
    }
    let name = env::var_os(CASE)?;
    let case = cases::all().find(|case| name == case.name)?;
    let verdict = verdict(case, &world);
    // Without a verdict the suite takes the case for failed.
    let _ = fs::write(verdict_file(world.dir()), verdict.to_text());
    Some(ExitCode::SUCCESS)
}

fn verdict(case: &Case, world: &World<'_>) -> Verdict {
    let judged = match unmet_need(case, world) {
        Ok(Some(verdict)) => return verdict,
        Ok(None) => judge(case, world),
        Err(failure) => Err(failure),
    };
    match judged {
        Ok(()) => Verdict::Passed,
        Err(Failure::Wrong(text)) => Verdict::Failed(text),
        Err(Failure::CannotRun(reason)) => Verdict::Skipped { need: "host".to_owned(), reason },
    }
}

/// The verdict on a case that lacks what it needs. What the backend never does comes first: no other
/// host or caller would change that.
fn unmet_need(case: &Case, world: &World<'_>) -> Check<Option<Verdict>> {
    let mut skipped = None;
    for need in case.all_needs() {
        match unmet(need, world)? {
            Some(refused @ Verdict::Refused(_)) => return Ok(Some(refused)),
            other => skipped = skipped.or(other),
        }
    }
    Ok(skipped)
}

/// The verdict of a need that is not met. A refusal is itself checked on the way.
fn unmet(need: Need, world: &World<'_>) -> Check<Option<Verdict>> {
    let root = geteuid().is_root();
    let reason = match need {
        Need::Has(feature) => match refusal(world, feature)? {
            None => return Ok(None),
            Some(why) if matches!(why.kind, Obstacle::Backend | Obstacle::Platform) => {
                return Ok(Some(Verdict::Refused(format!("{need}: {why}"))));
            }
            Some(why) => why.to_string(),
        },
        Need::Root if !root => "the caller is not root".to_owned(),
        Need::PlainUser if root => "the caller is root".to_owned(),
        Need::Root | Need::PlainUser => return Ok(None),
    };
    Ok(Some(Verdict::Skipped { need: need.to_string(), reason }))
}

fn judge(case: &Case, world: &World<'_>) -> Check {
    // Facts about the host are probed once and kept: what that keeps open is no leak of a case.
    sandbox_sys::probe()?;
    let before = (leaks::descriptors()?, world.contents()?);
    if let Some(control) = case.control {
        control(world).map_err(|failure| failure.of("control"))?;
    }
    (case.run)(world)?;
    let after = (leaks::descriptors()?, world.contents()?);
    ensure!(after.0 == before.0, "open files: {:?} before, {:?} after", before.0, after.0);
    let news: Vec<_> = after.1.symmetric_difference(&before.1).collect();
    ensure!(news.is_empty(), "on the host, came or went: {news:?}");
    Ok(())
}
