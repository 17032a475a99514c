//! BuildStream 2 with its own runner, and our bwrap first on PATH: a compiler is staged, and what it
//! compiles is run; a failure is the element's own, and not the sandbox's.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::work::Work;
use super::{Bench, Run, Stop, executables, passed, python, tail, toolchain};
use crate::user::User;
use crate::{Result, command, workspace};

const PACKAGES: [&str; 2] = ["buildstream==2.8.1", "buildstream-plugins==2.8.0"];
/// The part of BuildStream that stages with FUSE; where it is absent, hard links are used.
const FUSE: &str = "buildstream/subprojects/buildbox/buildbox-fuse";
/// Stands in place of bwrap to show that PATH decides.
const REFUSING: &str = "#!/bin/sh\necho 'this bwrap refuses' >&2\nexit 1\n";

pub(super) fn run(bench: &Bench, user: User) -> Run {
    let environment = bench.stage.join("buildstream-2.8.1");
    toolchain::need().map_err(Stop::not_installed)?;
    python::environment(&environment, &PACKAGES).map_err(Stop::not_installed)?;
    let environment = match stager(user) {
        Stager::Fuse => environment,
        Stager::HardLinks => without_fuse(&environment)?,
    };
    let work = Work::new(bench, "buildstream", user)?;
    let project = work.path().join("project");
    let source = workspace::root().join("xtask/clients/buildstream");
    command::run(Command::new("cp").arg("-R").arg(source).arg(&project))?;
    let program = project.join("files/source/program.c");
    toolchain::make(&project.join("files/toolchain"), &program)?;
    user.own(work.path())?;
    let bst = Bst { work: &work, python: environment.join("bin/python"), project };
    bst.path_decides()?;
    executables::drop_in("bwrap", &work.bin())?;
    bst.builds()?;
    bst.fails()?;
    work.finish()
}

enum Stager {
    Fuse,
    HardLinks,
}

fn stager(user: User) -> Stager {
    // The devices's mode is what decides, so nobody else's run can tell.
    let device = File::options().read(true).write(true).open("/dev/fuse");
    if user != User::Plain && device.is_ok() {
        println!("  staging with FUSE");
        Stager::Fuse
    } else {
        println!("  staging with hard links: no leave to use /dev/fuse");
        Stager::HardLinks
    }
}

/// The same environment without the one program that needs /dev/fuse; files are shared.
fn without_fuse(environment: &Path) -> Result<PathBuf> {
    let copy = python::beside(environment, "hard-links");
    if copy.exists() {
        return Ok(copy);
    }
    let partial = python::beside(environment, "partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    command::run(Command::new("cp").arg("-al").arg(environment).arg(&partial))?;
    for entry in fs::read_dir(partial.join("lib"))? {
        fs::remove_file(entry?.path().join("site-packages").join(FUSE))?;
    }
    fs::rename(&partial, &copy)?;
    Ok(copy)
}

struct Bst<'a> {
    work: &'a Work,
    python: PathBuf,
    project: PathBuf,
}

impl Bst<'_> {
    fn bst(&self, arguments: &[&str]) -> Result<(Output, String)> {
        let mut bst = self.work.command(&self.python);
        bst.args(["-B", "-m", "buildstream", "--no-interactive", "--no-colors"]).args(arguments);
        // All that BuildStream keeps is below the folder of this run.
        for (variable, folder) in
            [("XDG_CACHE_HOME", "cache"), ("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data")]
        {
            bst.env(variable, self.work.path().join(folder));
        }
        let output = command::output(bst.current_dir(&self.project))?;
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok((output, said))
    }

    /// The control: another bwrap in the same place is the one that is started.
    fn path_decides(&self) -> Run {
        let bwrap = self.work.bin().join("bwrap");
        fs::write(&bwrap, REFUSING)?;
        fs::set_permissions(&bwrap, Permissions::from_mode(0o755))?;
        let (output, said) = self.bst(&["build", "control.bst"])?;
        if output.status.success() || !said.contains("this bwrap refuses") {
            return Err(format!("the bwrap on PATH was not asked{}", tail(&said, 20)).into());
        }
        fs::remove_file(bwrap)?;
        passed("the bwrap that is first on PATH is the one that is started");
        Ok(())
    }

    fn builds(&self) -> Run {
        let (output, said) = self.bst(&["build", "script.bst"])?;
        if !output.status.success() {
            return Err(format!("build: {}{}", output.status, tail(&said, 40)).into());
        }
        passed("import, manual, make and script elements are built");
        let target = self.work.path().join("checkout");
        let checkout = ["artifact", "checkout", "script.bst", "--directory"];
        let target_word = target.display().to_string();
        let (output, said) = self.bst(&[&checkout[..], &[target_word.as_str()]].concat())?;
        if !output.status.success() {
            return Err(format!("checkout: {}{}", output.status, tail(&said, 20)).into());
        }
        let read = |name: &str| fs::read_to_string(target.join(name));
        for (name, expected) in [
            ("program", "compiled inside\n"),
            ("made", "made inside\n"),
            ("hostname", "buildbox\n"),
            ("empty", ""),
        ] {
            let found = read(name)?;
            if found != expected {
                return Err(format!("{name}: {found:?} in place of {expected:?}").into());
            }
        }
        passed("what was compiled inside runs inside");
        let network = read("network")?;
        let interfaces: Vec<&str> = network
            .lines()
            .skip(2)
            .filter_map(|line| Some(line.split_once(':')?.0.trim()))
            .collect();
        let status = read("status")?;
        let value = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            line.unwrap_or("absent").trim().to_owned()
        };
        let none = "0000000000000000";
        let seen = (interfaces, value("CapEff:"), value("CapBnd:"), value("NoNewPrivs:"));
        if seen != (vec!["lo"], none.to_owned(), none.to_owned(), "1".to_owned()) {
            return Err(format!("network, capabilities, no_new_privs: {seen:?}").into());
        }
        passed("inside: lo alone, no capabilities, no new privileges");
        Ok(())
    }

    /// BuildStream must be able to tell a command that fails from a sandbox that does.
    fn fails(&self) -> Run {
        let (output, said) = self.bst(&["build", "failing.bst"])?;
        let code = output.status.code();
        let named = ["build:failing.bst", "FAILURE Command failed", "before the end"];
        let exit = "Command 'exit 37' failed with exitcode 37";
        let all =
            code == Some(255) && said.contains(exit) && named.iter().all(|n| said.contains(n));
        if !all {
            return Err(format!("failing.bst: {}{}", output.status, tail(&said, 40)).into());
        }
        passed(
            "a failing element ends as a failed command: bst exits with 255 and shows its status",
        );
        Ok(())
    }
}
