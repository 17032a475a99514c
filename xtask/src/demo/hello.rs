//! The demo that needs nothing: a small C project from this repository, built in a sandbox whose
//! tree is this machine's own /usr, read-only. Any user, no network, nothing installed.

use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::demo::probe::{BUILD, Facts, HOSTNAME, PROBE};
use crate::demo::report;
use crate::stage::TempDir;
use crate::{Result, command, workspace};

/// What a compiler needs of the machine. /etc/alternatives holds only symbolic links, by which
/// many systems choose their `cc` and `ld`.
const SYSTEM: [&str; 9] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/nix/store",
];

const EXPECTED: &str = "Hello, world!\n";

pub(super) fn run() -> Result {
    let clock = Instant::now();
    println!("building run-sandbox");
    let sandbox = Sandbox::prepare()?;
    println!("  ready after {:.1} s", clock.elapsed().as_secs_f64());
    sandbox.build_project()?;
    sandbox.show_isolation()
}

/// A tree to build in, its build folder, and the program that makes a sandbox of them.
struct Sandbox {
    program: PathBuf,
    temp: TempDir,
    system: Vec<&'static str>,
}

impl Sandbox {
    fn prepare() -> Result<Self> {
        let program = workspace::run_sandbox()?;
        let temp = TempDir::new("demo")?;
        let project = workspace::root().join("examples/hello-c");
        command::run(Command::new("cp").arg("-R").arg(project).arg(temp.path().join("build")))?;
        let system = make_root(&temp.path().join("root"))?;
        Ok(Self { program, temp, system })
    }

    /// `run-sandbox` with everything but the command to run inside.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--build", "--hostname", HOSTNAME]);
        for path in &self.system {
            command.arg("--ro-bind").arg(format!("{path}:{path}"));
        }
        command.arg("--bind").arg(format!("{}:{BUILD}", self.build().display()));
        command.args(["--writable", BUILD, "--cwd", BUILD]);
        command
    }

    fn root(&self) -> PathBuf {
        self.temp.path().join("root")
    }

    fn build(&self) -> PathBuf {
        self.temp.path().join("build")
    }

    fn build_project(&self) -> Result {
        let steps = if has("cc") && has("make") {
            println!("building examples/hello-c in a sandbox: configure, make, make check");
            "./configure && make && make check"
        } else if has("cc") {
            println!("building examples/hello-c in a sandbox, by build.sh: there is no make here");
            "sh build.sh"
        } else {
            println!("building examples/hello-c in a sandbox, in shell: there is no cc in /usr");
            "sh build.sh"
        };
        let clock = Instant::now();
        let mut build = self.command();
        build.arg(self.root()).args(["--", "sh", "-c", &format!("({steps}) 2>&1")]);
        println!("  $ {}", command::show(&build));
        let output = command::output(&mut build)?;
        for line in String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).lines() {
            println!("  | {line}");
        }
        if !output.status.success() {
            let hint = "`run-sandbox --doctor` says what is missing on this machine";
            return Err(format!("the build failed: {}; {hint}", output.status).into());
        }
        println!("  built and tested in {:.1} s", clock.elapsed().as_secs_f64());
        let said = command::stdout(self.command().arg(self.root()).args(["--", "./hello"]))?;
        if said != EXPECTED {
            return Err(format!("./hello said {said:?} in place of {EXPECTED:?}").into());
        }
        println!("  ./hello says: {said}");
        Ok(())
    }

    /// Looks around with the same eyes from outside and from inside.
    fn show_isolation(&self) -> Result {
        let beside = self.temp.path().join("beside");
        fs::write(&beside, "a file of the caller\n")?;
        let server = TcpListener::bind(("127.0.0.1", 0))?;
        let facts = Facts { port: server.local_addr()?.port(), file: beside };
        let probe = std::env::current_exe()?;

        let outside = command::stdout(facts.ask(&mut Command::new(&probe), &self.build()))?;
        let mut inside = self.command();
        inside.arg("--ro-bind").arg(format!("{}:{PROBE}", probe.display()));
        inside.arg(self.root()).args(["--", PROBE]);
        let inside = command::stdout(facts.ask(&mut inside, Path::new(BUILD)))?;
        report::print(&outside, &inside)
    }
}

/// An empty tree with a place for each part of the system: a symbolic link where the machine has
/// one (`/bin -> usr/bin`), else a mount point. Says which ones are to be mounted.
fn make_root(root: &Path) -> Result<Vec<&'static str>> {
    fs::create_dir(root)?;
    let mut mounts = Vec::new();
    for path in SYSTEM {
        let found = match fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("{path}: {error}").into()),
        };
        let target = root.join(path.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap_or(root))?;
        if found.is_symlink() {
            symlink(fs::read_link(path)?, target)?;
            continue;
        }
        if found.is_dir() {
            fs::create_dir(target)?;
        } else {
            fs::write(target, "")?;
        }
        mounts.push(path);
    }
    for name in ["build", "proc", "dev", "tmp"] {
        fs::create_dir(root.join(name))?;
    }
    fs::write(root.join(PROBE.trim_start_matches('/')), "")?;
    Ok(mounts)
}

/// Whether a program is there inside too: what lies in a home or /opt is not.
fn has(program: &str) -> bool {
    let real = command::find(program).and_then(|path| path.canonicalize().ok());
    real.is_some_and(|real| SYSTEM.iter().any(|part| real.starts_with(part)))
}
