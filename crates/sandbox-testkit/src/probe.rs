//! The probe: the one program of the test trees, compiled from its C sources when a run starts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its sources travel in the crate, so that a backend elsewhere can use the suite too.
const SOURCES: &[(&str, &str)] = &[
    ("probe.h", include_str!("../probes/probe.h")),
    ("probe.c", include_str!("../probes/probe.c")),
    ("files.c", include_str!("../probes/files.c")),
    ("process.c", include_str!("../probes/process.c")),
    ("life.c", include_str!("../probes/life.c")),
    ("system.c", include_str!("../probes/system.c")),
    ("network.c", include_str!("../probes/network.c")),
    ("caller.c", include_str!("../probes/caller.c")),
    ("ladder.c", include_str!("../probes/ladder.c")),
    ("escape_files.c", include_str!("../probes/escape_files.c")),
    ("escape_files_write.c", include_str!("../probes/escape_files_write.c")),
    ("escape_files_caller.c", include_str!("../probes/escape_files_caller.c")),
    ("escape_kernel.c", include_str!("../probes/escape_kernel.c")),
    ("escape_kernel_privilege.c", include_str!("../probes/escape_kernel_privilege.c")),
    ("escape_kernel_network.c", include_str!("../probes/escape_kernel_network.c")),
    ("escape_kernel_terminal.c", include_str!("../probes/escape_kernel_terminal.c")),
];

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("cannot write a program's sources: {0}")]
    Sources(#[from] io::Error),
    #[error("no C compiler: `cc` cannot be started: {0}")]
    NoCompiler(io::Error),
    #[error("`cc -static` cannot build a program for tests: {0}")]
    Compiler(String),
}

fn is_unit(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "c")
}

/// Compiles the probe into a directory.
pub(crate) fn compile(dir: &Path) -> Result<PathBuf, ProbeError> {
    build(dir, "probe", SOURCES)
}

/// Compiles a program from its sources into a directory. It is static: a tree needs nothing else to run it.
pub(crate) fn build(dir: &Path, name: &str, texts: &[(&str, &str)]) -> Result<PathBuf, ProbeError> {
    let sources = dir.join(format!("{name}-sources"));
    fs::create_dir(&sources)?;
    for (file, text) in texts {
        fs::write(sources.join(file), text)?;
    }
    let program = dir.join(name);
    let units = texts.iter().map(|(file, _)| *file).filter(|file| is_unit(file));
    let output = Command::new("cc")
        .current_dir(&sources)
        .args(["-static", "-O1", "-o"])
        .arg(&program)
        .args(units)
        .output()
        .map_err(ProbeError::NoCompiler)?;
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(ProbeError::Compiler(messages));
    }
    Ok(program)
}
