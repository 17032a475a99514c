//! `cargo xtask dist [DIRECTORY]`: what a package of `run-sandbox` contains: the release binary, the
//! manual page and the completions of bash, zsh and fish.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Result, command, workspace};

pub(crate) fn run(args: &[String]) -> Result {
    let directory = match args {
        [] => workspace::target_dir()?.join("dist"),
        [directory] if !directory.starts_with('-') => std::env::current_dir()?.join(directory),
        _ => return Err("usage: cargo xtask dist [DIRECTORY]".into()),
    };
    fs::create_dir_all(&directory)?;
    pages(&directory)?;
    fs::copy(binary()?, directory.join("run-sandbox"))?;
    println!("{} has:", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory)? {
        names.push(entry?.file_name().display().to_string());
    }
    names.sort();
    for name in names {
        println!("  {name}");
    }
    Ok(())
}

/// An example of the command's own crate writes them, so that xtask needs none of its dependencies.
fn pages(directory: &Path) -> Result {
    let example = ["run", "--quiet", "--package", "sandbox-cli", "--example", "pages", "--"];
    command::run(workspace::cargo().args(example).arg(directory))
}

fn binary() -> Result<PathBuf> {
    let build = ["build", "--release", "--package", "sandbox-cli", "--bin", "run-sandbox"];
    command::run(workspace::cargo().args(build))?;
    Ok(workspace::target_dir()?.join("release/run-sandbox"))
}
