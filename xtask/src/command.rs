//! Running other programs: every failure names the command line that failed.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::Result;

/// Runs a command whose output the user sees.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|error| not_started(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", show(command)).into()) }
}

/// Runs a command for its standard output; its standard error stays visible.
pub(crate) fn stdout(command: &mut Command) -> Result<String> {
    let output = output(command.stderr(Stdio::inherit()))?;
    if !output.status.success() {
        return Err(format!("{}: {}", show(command), output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a command and hands back what it did, failure included.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    Ok(command.output().map_err(|error| not_started(command, &error))?)
}

fn not_started(command: &Command, error: &std::io::Error) -> String {
    format!("cannot start {}: {error}", command.get_program().display())
}

/// The command line as one would type it.
pub(crate) fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().display().to_string()];
    for word in command.get_args() {
        let word = word.display().to_string();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            words.push(word);
        } else {
            words.push(format!("'{}'", word.replace('\'', r"'\''")));
        }
    }
    words.join(" ")
}

/// The first program of that name on PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let runnable = |path: &Path| {
        fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(program)).find(|p| runnable(p))
}

pub(crate) fn is_root() -> bool {
    stdout(Command::new("id").arg("-u")).is_ok_and(|uid| uid.trim() == "0")
}

/// What only root can do once, for every user from then on.
pub(crate) fn need_root(what: &str) -> Result {
    if is_root() {
        return Ok(());
    }
    Err(format!("{what} takes root: run this once as root, and any user can from then on").into())
}

/// Sees to it that Debian packages are there: installs them as root, else says what to install.
pub(crate) fn need_packages(packages: &[&str]) -> Result {
    let names = packages.join(" ");
    if find("dpkg-query").is_none() || find("apt-get").is_none() {
        return Err(format!("this needs Debian's packages {names}, and there is no apt-get").into());
    }
    let installed = |name: &&str| {
        output(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", name]))
            .is_ok_and(|found| found.stdout == b"installed")
    };
    if packages.iter().all(installed) {
        return Ok(());
    }
    if !is_root() {
        return Err(format!("as root, first: apt-get install {names}").into());
    }
    // Another apt may be at work, as on any machine that updates itself: wait for it.
    let apt = |args: &[&str]| {
        run(Command::new("apt-get")
            .args(["-qq", "-o", "DPkg::Lock::Timeout=600", "-o", "Dpkg::Use-Pty=0"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null()))
    };
    println!("installing {names}");
    apt(&["update"])?;
    let install = ["install", "-y", "--no-install-recommends"];
    apt(&[&install[..], packages].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_typed() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo it's", "", "a=b"]);
        assert_eq!(show(&command), r"sh -c 'echo it'\''s' '' a=b");
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(error.contains("sh -c 'exit 3'") && error.contains('3'), "{error}");
        let error = run(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert!(error.contains("no-such-program"), "{error}");
    }
}
