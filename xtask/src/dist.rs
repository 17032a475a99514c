//! `cargo xtask dist [DIRECTORY]`: what a package of `run-sandbox` contains: the manual page, the
//! completions of bash, zsh and fish, and the release binary, linked statically where possible.

use std::fs;
use std::path::Path;

use crate::{Result, command, product, workspace};

pub(crate) fn run(args: &[String]) -> Result {
    let directory = match args {
        [] => workspace::target_dir()?.join("dist"),
        [directory] if !directory.starts_with('-') => std::env::current_dir()?.join(directory),
        _ => return Err("usage: cargo xtask dist [DIRECTORY]".into()),
    };
    fs::create_dir_all(&directory)?;
    pages(&directory)?;
    let product = product::run_sandbox()?;
    fs::copy(&product.path, directory.join("run-sandbox"))?;
    println!("run-sandbox is {}", product.linking);
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
