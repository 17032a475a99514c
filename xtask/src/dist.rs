//! `cargo xtask dist [DIRECTORY]`: what a package of `run-sandbox` contains: the manual page, the
//! completions of bash, zsh and fish, and the release binary, linked statically where possible.
//!
//! `cargo xtask dist --drop-ins DIRECTORY`: the programs that go by other tools' names, in a directory of
//! their own: a package puts them where they shadow nothing by accident.

use std::fs;
use std::path::{Path, PathBuf};

use crate::product::{DROP_INS, Programs, RUN_SANDBOX};
use crate::{Result, command, workspace};

pub(crate) fn run(args: &[String]) -> Result {
    match args {
        [] => main_package(&workspace::target_dir()?.join("dist")),
        [directory] if !directory.starts_with('-') => main_package(&absolute(directory)?),
        [option, directory] if option == "--drop-ins" && !directory.starts_with('-') => {
            lay_out(DROP_INS, &absolute(directory)?)
        }
        _ => Err("usage: cargo xtask dist [DIRECTORY] | --drop-ins DIRECTORY".into()),
    }
}

fn absolute(directory: &str) -> Result<PathBuf> {
    Ok(std::env::current_dir()?.join(directory))
}

fn main_package(directory: &Path) -> Result {
    fs::create_dir_all(directory)?;
    pages(directory)?;
    lay_out(RUN_SANDBOX, directory)
}

fn lay_out(programs: Programs, directory: &Path) -> Result {
    fs::create_dir_all(directory)?;
    let product = programs.build()?;
    for name in programs.names {
        fs::copy(product.folder.join(name), directory.join(name))?;
    }
    println!("{}: {}", programs.names.join(", "), product.linking);
    println!("{} has:", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
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
