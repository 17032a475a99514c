//! Writes the manual page and the shell completions of `run-sandbox` into a directory:
//! `cargo run --package sandbox-cli --example pages -- DIRECTORY`.
//!
//! They come from the same grammar that the command parses with, so they cannot differ from it. It
//! is an example so that the command itself carries none of this.

use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;

use clap_complete::Shell;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args_os().nth(1).ok_or("give a directory")?);
    fs::create_dir_all(&directory)?;
    let mut command = sandbox_cli::command();
    let mut page = File::create(directory.join("run-sandbox.1"))?;
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, "run-sandbox", &directory)?;
    }
    Ok(())
}
