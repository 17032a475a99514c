//! Where the executables come from that clients start.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Run, Stop};
use crate::workspace;

/// Names a folder of existing executables to use in place of building ours: Debian's own, say.
const EXISTING: &str = "SANDBOXLIB_DROP_INS";

/// Copies a drop-in to where every user can start it.
pub(super) fn drop_in(name: &str, folder: &Path) -> Run<PathBuf> {
    let source = match env::var_os(EXISTING) {
        None => workspace::build("sandbox-drop-ins", name)?,
        Some(existing) => {
            let source = Path::new(&existing).join(name);
            if !source.exists() {
                let reason = format!("{EXISTING}={} has no {name}", existing.display());
                return Err(Stop::Skipped(reason));
            }
            println!("  with {}", source.display());
            source
        }
    };
    copy(&source, &folder.join(name))
}

/// The same for `run-sandbox`.
pub(super) fn run_sandbox(folder: &Path) -> Run<PathBuf> {
    copy(&workspace::run_sandbox()?, &folder.join("run-sandbox"))
}

fn copy(source: &Path, target: &Path) -> Run<PathBuf> {
    fs::copy(source, target).map_err(|error| format!("{}: {error}", source.display()))?;
    Ok(target.to_owned())
}
