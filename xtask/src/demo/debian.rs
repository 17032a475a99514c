//! `cargo xtask demo debian`: an upstream source package built and tested in a Debian tree,
//! offline, as root and as a user without an account.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::demo::debian_tree;
use crate::stage::{self, TempDir};
use crate::user::User;
use crate::{Result, command, sources, workspace};

const EXPECTED: &str = "Hello, world!\n";

struct Package {
    name: &'static str,
    /// What a test-suite that was run says.
    tested: &'static str,
    /// How the program that was made is brought to say hello.
    hello: &'static str,
}

static PACKAGES: [Package; 2] = [
    Package { name: "hello", tested: "# PASS: ", hello: "./hello" },
    Package {
        name: "zlib",
        tested: "*** zlib test OK ***",
        hello: "echo 'Hello, world!' | ./minigzip | ./minigzip -d",
    },
];

struct Options {
    package: &'static Package,
    mirror: String,
    fresh: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self> {
        let mut options =
            Self { package: &PACKAGES[0], mirror: sources::MIRROR.to_owned(), fresh: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} takes a value"));
            match arg.as_str() {
                "--fresh" => options.fresh = true,
                "--mirror" => value()?.clone_into(&mut options.mirror),
                "--package" => {
                    let name = value()?;
                    let known = PACKAGES.iter().find(|package| package.name == name);
                    options.package =
                        known.ok_or_else(|| format!("--package {name}: hello or zlib"))?;
                }
                other => return Err(format!("demo debian: no option '{other}'").into()),
            }
        }
        Ok(options)
    }
}

pub(super) fn run(args: &[String]) -> Result {
    let options = Options::parse(args)?;
    let stage = stage::shared("demo")?;
    if options.fresh {
        println!("removing {}", stage.display());
        fs::remove_dir_all(&stage)?;
        stage::shared("demo")?;
    }
    let (tree, source) = debian_tree::prepare(&stage, options.package.name, &options.mirror)?;
    let run_sandbox = workspace::run_sandbox()?;

    let mut failures = Vec::new();
    for user in User::all() {
        println!("{} {} in {}", options.package.name, user, tree.display());
        // The stage may be root's, from an earlier run.
        let own = TempDir::new("demo")?;
        let folder = match user {
            User::Root => stage.join("build-root"),
            User::Plain => stage.join("build-plain"),
            User::Caller => own.path().join("build"),
        };
        let build = Build { package: options.package, user: *user, tree: &tree, folder };
        match build.run(&source, &run_sandbox).and_then(|()| build.remove()) {
            Ok(()) => println!("  passed"),
            Err(error) => {
                println!("  FAILED: {error}");
                failures.push(format!("{} {user}", options.package.name));
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join(", ").into()) }
}

struct Build<'a> {
    package: &'static Package,
    user: User,
    tree: &'a Path,
    folder: PathBuf,
}

impl Build<'_> {
    /// What failed stays, to be looked at; `--fresh` and `cargo clean` remove it.
    fn remove(&self) -> Result {
        Ok(fs::remove_dir_all(&self.folder)?)
    }

    fn run(&self, source: &Path, run_sandbox: &Path) -> Result {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(self.folder.join("work"))?;
        // The user may be unable to reach the one in the target folder.
        let run_sandbox = copy_into(&self.folder, run_sandbox)?;
        let archive = copy_into(&self.folder.join("work"), source)?;
        self.user.own(&self.folder.join("work"))?;
        let archive = archive.file_name().unwrap_or_default().display().to_string();
        // Unpacked inside, where the owners in the archive don't exist.
        let unpack = format!("tar --no-same-owner --strip-components=1 -xf {archive}");
        for (name, script) in
            [("unpack", unpack.as_str()), ("configure", "./configure"), ("make", "make")]
        {
            self.step(&run_sandbox, name, script)?;
        }
        let said = self.step(&run_sandbox, "make check", "make check")?;
        let tested = said.lines().find(|line| line.contains(self.package.tested));
        println!("    {}", tested.ok_or("make check says nothing of tests")?.trim());
        let interfaces = "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '";
        self.expect(&run_sandbox, "offline", interfaces, "lo\n")?;
        self.expect(&run_sandbox, "the program", self.package.hello, EXPECTED)
    }

    /// One command inside: the tree is read-only, the build folder is not, no network.
    fn sandbox(&self, run_sandbox: &Path, script: &str) -> Command {
        let mut command = self.user.command(run_sandbox);
        command.current_dir(&self.folder).arg("--build").arg("--bind");
        command.arg(format!("{}:/build", self.folder.join("work").display()));
        command.args(["--writable", "/build", "--cwd", "/build"]);
        command.arg(self.tree).args(["--", "sh", "-c", script]);
        command
    }

    fn step(&self, run_sandbox: &Path, name: &str, script: &str) -> Result<String> {
        let clock = Instant::now();
        let mut command = self.sandbox(run_sandbox, script);
        let output = command::output(&mut command)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let all = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
            let lines: Vec<&str> = all.lines().collect();
            for line in lines.iter().skip(lines.len().saturating_sub(20)) {
                println!("  | {line}");
            }
            return Err(format!("{name}: {}\n  {}", output.status, command::show(&command)).into());
        }
        println!("  {name:12} {:6.1} s", clock.elapsed().as_secs_f64());
        Ok(said)
    }

    fn expect(&self, run_sandbox: &Path, name: &str, script: &str, expected: &str) -> Result {
        let said = self.step(run_sandbox, name, script)?;
        if said != expected {
            return Err(format!("{name}: {said:?} in place of {expected:?}").into());
        }
        println!("    {}", said.trim_end());
        Ok(())
    }
}

fn copy_into(folder: &Path, file: &Path) -> Result<PathBuf> {
    let copy = folder.join(file.file_name().ok_or("a file has a name")?);
    fs::copy(file, &copy).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Options> {
        Options::parse(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn hello_is_the_default() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.package.name, options.fresh), ("hello", false));
        assert_eq!(options.mirror, sources::MIRROR);
    }

    #[test]
    fn options_are_read_or_refused_by_name() {
        let options = parse(&["--package", "zlib", "--fresh", "--mirror", "file:/m"]).unwrap();
        assert_eq!((options.package.name, options.fresh), ("zlib", true));
        assert_eq!(options.mirror, "file:/m");
        for (args, named) in [
            (&["--package", "emacs"][..], "emacs"),
            (&["--package"], "--package"),
            (&["--quick"], "--quick"),
        ] {
            let error = parse(args).err().unwrap().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
