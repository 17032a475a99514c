//! Writes the manual pages and the shell completions of `run-sandbox` into a directory:
//! `cargo run --package sandbox-cli --example pages -- DIRECTORY`.
//!
//! They come from the same grammar that the command parses with, so they cannot differ from it. It
//! is an example so that the command itself carries none of this.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap_complete::Shell;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(std::env::args_os().nth(1).ok_or("give a directory")?);
    fs::create_dir_all(&directory)?;
    let mut command = sandbox_cli::command();
    fs::write(directory.join("run-sandbox.1"), page(command.clone())?)?;
    let mut pod = Vec::new();
    clap_mangen::Man::new(sandbox_cli::pod_command()).render(&mut pod)?;
    fs::write(directory.join("run-sandbox-pod.1"), pod)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, "run-sandbox", &directory)?;
    }
    Ok(())
}

/// What stands below the options on the screen is two sections here, its lines kept as they are.
fn page(command: clap::Command) -> Result<Vec<u8>, Box<dyn Error>> {
    let below = command.get_after_help().ok_or("the help has examples")?.to_string();
    let (examples, status) =
        below.split_once("\n\nExit status: ").ok_or("the help tells exit status")?;
    let examples = examples.strip_prefix("Examples:\n").ok_or("the help has examples")?;
    let mut page = Vec::new();
    clap_mangen::Man::new(command.after_help(None::<&str>)).render(&mut page)?;
    page.extend(format!(".SH \"EXIT STATUS\"\n{}\n", plain(status)).into_bytes());
    page.extend(format!(".SH EXAMPLES\n.nf\n{}\n.fi\n", plain(examples)).into_bytes());
    Ok(page)
}

/// Text that roff(7) takes as it is.
fn plain(text: &str) -> String {
    text.replace('\\', r"\e").replace('-', r"\-").replace("\n.", "\n\\&.")
}
