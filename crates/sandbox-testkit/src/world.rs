//! The world of one case: a tree, what lies beside it, and ways to run commands in and out of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sandbox_core::{Backend, Outcome, Preference, SandboxConfig, SandboxConfigBuilder, Status};
use sandbox_sys::{Launcher, RunError, SandboxChild};

use crate::check::{Check, Failure, ensure, names};

/// The variable that names the directory of the whole run, and so the probe.
pub(crate) const RUN: &str = "SANDBOX_TESTKIT_RUN";
/// The variable that names the directory of one case.
pub(crate) const DIR: &str = "SANDBOX_TESTKIT_DIR";
/// The variable that makes a process play a role.
pub(crate) const ROLE: &str = "SANDBOX_TESTKIT_ROLE";
/// A variable of every caller, whose value must not be found where a sandbox can look.
pub(crate) const SECRET: &str = "SANDBOX_TESTKIT_SECRET";
/// Its value, in the two parts in which a probe is told of it.
pub(crate) const SECRET_PARTS: [&str; 2] = ["callers-own-", "secret-7301"];

/// Where one case runs. `tree` is the sandbox's root; `shared` is for binds, and may be changed; in
/// `outside` nothing may ever change.
pub(crate) struct World<'a> {
    pub(crate) backend: &'a dyn Backend,
    dir: PathBuf,
    probe: PathBuf,
    /// What the case itself put into the tree.
    made: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> World<'a> {
    /// Makes the directories of a case.
    pub(crate) fn create(dir: &Path, probe: &Path) -> io::Result<()> {
        for (path, mode) in [
            ("", 0o755),
            ("tree", 0o755),
            ("tree/bin", 0o755),
            ("tree/etc", 0o755),
            ("tree/work", 0o777),
            ("tree/work/sub", 0o777),
            ("tree/work2", 0o777),
            ("tree/data", 0o777),
            ("tree/data/1", 0o777),
            ("tree/proc", 0o755),
            ("tree/dev", 0o755),
            ("tree/tmp", 0o1777),
            ("outside", 0o777),
            ("outside/sub", 0o777),
            ("shared", 0o777),
        ] {
            let path = dir.join(path);
            fs::create_dir(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
        fs::write(dir.join("tree/etc/marker"), "inside\n")?;
        fs::write(dir.join("outside/marker"), "outside\n")?;
        fs::write(dir.join("shared/marker"), "shared\n")?;
        fs::hard_link(probe, dir.join("tree/bin/probe"))
    }

    /// The world in directories that exist.
    pub(crate) fn open(backend: &'a dyn Backend, run: &Path, dir: PathBuf) -> Self {
        let (probe, made) = (run.join("probe"), RefCell::default());
        Self { backend, dir, probe, made }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn tree(&self) -> PathBuf {
        self.dir.join("tree")
    }

    /// The host's path of one inside.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.tree().join(inside.trim_start_matches('/'))
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.dir.join("outside")
    }

    pub(crate) fn shared(&self) -> PathBuf {
        self.dir.join("shared")
    }

    pub(crate) fn probe_path(&self) -> &Path {
        &self.probe
    }

    /// What is in the tree or outside of it, except where commands write and what the case made.
    pub(crate) fn contents(&self) -> io::Result<BTreeSet<PathBuf>> {
        let mut found = BTreeSet::new();
        for top in [self.tree(), self.outside()] {
            list(&top, &mut found)?;
        }
        let free = ["work", "data", "tmp"].map(|name| self.tree().join(name));
        let made = self.made.borrow();
        found.retain(|path| !made.contains(path) && !free.iter().any(|top| path.starts_with(top)));
        Ok(found)
    }

    /// Makes a symbolic link in the tree.
    pub(crate) fn link(&self, inside: &str, to: impl AsRef<Path>) -> Check {
        symlink(to, self.made(inside))?;
        Ok(())
    }

    /// Makes a file in the tree.
    pub(crate) fn file(&self, inside: &str, text: impl AsRef<[u8]>, mode: u32) -> Check<PathBuf> {
        let path = self.made(inside);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(path)
    }

    /// Makes a directory in the tree.
    pub(crate) fn directory(&self, inside: &str) -> Check<PathBuf> {
        let path = self.made(inside);
        fs::create_dir(&path)?;
        Ok(path)
    }

    fn made(&self, inside: &str) -> PathBuf {
        let path = self.path(inside);
        self.made.borrow_mut().insert(path.clone());
        path
    }

    /// The probe in the tree; its words are separated by blanks.
    pub(crate) fn probe(&self, words: &str) -> SandboxConfigBuilder {
        Self::rootless(words).root(self.tree())
    }

    /// The same, with the root still to be named.
    pub(crate) fn rootless(words: &str) -> SandboxConfigBuilder {
        SandboxConfig::builder(std::iter::once("/bin/probe").chain(words.split_whitespace()))
    }

    pub(crate) fn launch<T>(
        &self,
        action: impl FnOnce(&Launcher<'_>) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let backends = [self.backend];
        // The suite is about this backend, whatever the environment prefers.
        action(&Launcher::new(&backends).preference(Preference::Any))
    }

    pub(crate) fn start(&self, config: SandboxConfigBuilder) -> Result<SandboxChild, RunError> {
        let config = config.build()?;
        self.launch(|launcher| launcher.start(&config))
    }

    pub(crate) fn run(&self, config: SandboxConfigBuilder) -> Result<Outcome, RunError> {
        let config = config.build()?;
        self.launch(|launcher| launcher.run(&config))
    }

    /// What the probe says in a sandbox, without the last line's end.
    pub(crate) fn says(&self, config: SandboxConfigBuilder) -> Check<String> {
        said(&self.run(config)?)
    }

    /// The error of a sandbox that must not come to be.
    pub(crate) fn refuses(&self, config: SandboxConfigBuilder) -> Check<RunError> {
        match self.run(config) {
            Ok(outcome) => Err(Failure::wrong(format!(
                "it was accepted, and ended with {}: {}",
                outcome.status,
                outcome.stdout.bytes.escape_ascii()
            ))),
            Err(error) => Ok(error),
        }
    }

    /// The same, with what the error must name.
    pub(crate) fn refuses_naming(&self, config: SandboxConfigBuilder, words: &[&str]) -> Check {
        names(&self.refuses(config)?, words)
    }

    /// The probe without any sandbox.
    pub(crate) fn host(&self, words: &str) -> Command {
        let mut command = Command::new(&self.probe);
        command.args(words.split_whitespace());
        command
    }

    /// What the probe says without any sandbox.
    pub(crate) fn host_says(&self, words: &str) -> Check<String> {
        let output = self.host(words).output()?;
        ensure!(output.status.success(), "on the host, `probe {words}`: {}", output.status);
        Ok(text(&output.stdout))
    }

    /// This program once more, in a role; `before` are wrappers of the probe that it starts through.
    pub(crate) fn role(&self, before: &str, name: &str) -> Check<Command> {
        let this = std::env::current_exe()?;
        let mut command = if before.is_empty() {
            Command::new(this)
        } else {
            let mut command = self.host(before);
            command.arg(this);
            command
        };
        command.env(ROLE, name).env(DIR, &self.dir);
        Ok(command)
    }

    /// Lets a role play to its end; its failure is ours.
    pub(crate) fn play(&self, before: &str, name: &str) -> Check {
        let output = self.role(before, name)?.output()?;
        if output.status.success() {
            return Ok(());
        }
        let report = fs::read_to_string(self.role_report()).unwrap_or_else(|_| {
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            format!("{} {out} {err}", output.status)
        });
        Err(Failure::Wrong(report).of(name))
    }

    /// Where a role says what went wrong: its streams may be closed.
    pub(crate) fn role_report(&self) -> PathBuf {
        self.dir.join("role-report")
    }
}

/// The probe's answer, from an outcome with nothing wrong.
pub(crate) fn said(outcome: &Outcome) -> Check<String> {
    let (out, err) = (text(&outcome.stdout.bytes), text(&outcome.stderr.bytes));
    ensure!(
        outcome.status == Status::Exited(0) && err.is_empty(),
        "the probe ended with {}, and said {out:?} and {err:?}",
        outcome.status
    );
    Ok(out)
}

/// Bytes as text, without the last line's end.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\n').to_owned()
}

fn list(dir: &Path, found: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        found.insert(entry.path());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), found)?;
        }
    }
    Ok(())
}
