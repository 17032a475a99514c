//! The folders of one worker: a tree, what is mounted in it, and a place for temporary files.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::scenario::{Program, Scenario};
use crate::user::User;
use crate::{Result, stage::UNPRIVILEGED};

pub(super) struct Stage {
    /// The programs, which all workers share.
    pub(super) bin: PathBuf,
    dir: PathBuf,
    user: User,
}

impl Stage {
    /// Makes them in `dir`, which is the worker's.
    pub(super) fn new(bin: &Path, dir: &Path, user: User) -> Result<Self> {
        let stage = Self { bin: bin.to_owned(), dir: dir.to_owned(), user };
        let folders = ["bin", "proc", "dev", "tmp", "etc", "data", "mnt"];
        for folder in folders.map(|name| stage.tree().join(name)) {
            fs::create_dir_all(folder)?;
        }
        for folder in [stage.source(), stage.temporary()] {
            fs::create_dir(folder)?;
        }
        fs::set_permissions(dir, Permissions::from_mode(0o755))?;
        fs::set_permissions(stage.temporary(), Permissions::from_mode(0o1777))?;
        fs::write(stage.source().join("file"), "a file\n")?;
        fs::write(stage.dir.join("input"), "data\n")?;
        fs::copy(bin.join("facts"), stage.tree().join("bin/facts"))?;
        user.own(&stage.dir)?;
        Ok(stage)
    }

    pub(super) fn tree(&self) -> PathBuf {
        self.dir.join("tree")
    }

    pub(super) fn source(&self) -> PathBuf {
        self.dir.join("source")
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.dir.join("temporary")
    }

    /// What the last run wrote: to standard output, to standard error, to its report.
    pub(super) fn written(&self) -> Result<[String; 3]> {
        let read = |name: &str| fs::read(self.dir.join(name));
        let [out, errors, report] = ["out", "errors", "report"].map(read);
        Ok([out?, errors?, report?].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The command for one run, which traces itself first.
    pub(super) fn command(&self, scenario: &Scenario) -> Result<Command> {
        let program = self.bin.join(match scenario.program {
            Program::RunSandbox => "run-sandbox",
            Program::Bwrap => "bwrap",
            Program::LinuxUserChroot => "linux-user-chroot",
        });
        let mut command = Command::new(self.bin.join("xtask"));
        command.arg("faults-start").arg(self.dir.join("report")).arg(program);
        command.args(scenario.args(self)).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("TMPDIR", self.temporary());
        command.env("HOST_NAMESPACES", host_namespaces()).current_dir("/");
        command.stdin(File::open(self.dir.join("input"))?);
        command.stdout(self.output("out")?).stderr(self.output("errors")?);
        if self.user == User::Plain {
            // The standard library gives up the groups too.
            command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
        }
        Ok(command)
    }

    fn output(&self, name: &str) -> Result<Stdio> {
        Ok(File::create(self.dir.join(name))?.into())
    }
}

/// All in one word, as the links of /proc/self/ns have them.
fn host_namespaces() -> String {
    let entries = fs::read_dir("/proc/self/ns").into_iter().flatten().flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.map(|link| link.display().to_string()).collect::<Vec<_>>().join(" ")
}
