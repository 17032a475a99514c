//! Everything that a run needs on disk: the programs, the trees, all in one directory that goes away.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use super::Absent;
use super::images::Images;
use crate::product::{DROP_INS, RUN_SANDBOX};

/// Where the peers are looked for.
pub(crate) const PATH: &str = "/usr/bin:/bin";
const CLI_VARIABLE: &str = "SANDBOX_BENCH_CLI";
const DROP_INS_VARIABLE: &str = "SANDBOX_BENCH_DROP_INS";
const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 5] = ["true", "sh", "sleep", "readlink", "rm"];
/// The large tree: 100,000 files in 10,000 directories (and the 100 that hold these).
const LARGE_DIRS: usize = 10_000;
const FILES_PER_DIR: usize = 10;

/// The trees that sandboxes are made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    Small,
    Large,
}

/// A temporary directory that any account may enter, so that what is in it can be run by any.
#[derive(Debug)]
pub(crate) struct BenchDir {
    dir: PathBuf,
    floor: PathBuf,
    timer: PathBuf,
    run_sandbox: Lazy,
    drop_in: Lazy,
    linking: OnceCell<String>,
    spawn_loop: Lazy,
    unpack: Lazy,
    small: Lazy,
    large: Lazy,
    images: OnceCell<Result<Images, Absent>>,
}

type Lazy = OnceCell<Result<PathBuf, Absent>>;

impl BenchDir {
    /// Makes the directory and compiles the two small C programs into it.
    pub(crate) fn new() -> io::Result<Self> {
        let dir = env::temp_dir().join(format!("sandbox-bench-{}", std::process::id()));
        fs::create_dir(&dir)?;
        // From here on dropping this removes what was made, also on an early return.
        let this = Self {
            floor: dir.join("floor"),
            timer: dir.join("timer"),
            dir,
            run_sandbox: Lazy::new(),
            drop_in: Lazy::new(),
            linking: OnceCell::new(),
            spawn_loop: Lazy::new(),
            unpack: Lazy::new(),
            small: Lazy::new(),
            large: Lazy::new(),
            images: OnceCell::new(),
        };
        open_to_all(&this.dir, 0o755)?;
        compile(&this.floor, include_str!("floor.c"))?;
        compile(&this.timer, include_str!("timer.c"))?;
        Ok(this)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn floor(&self) -> &OsStr {
        self.floor.as_os_str()
    }

    pub(crate) fn timer(&self) -> &OsStr {
        self.timer.as_os_str()
    }

    pub(crate) fn run_sandbox(&self) -> Result<&OsStr, Absent> {
        let built = self.run_sandbox.get_or_init(|| {
            let (program, linking) = if let Some(given) = env::var_os(CLI_VARIABLE) {
                (given.into(), format!("what {CLI_VARIABLE} names"))
            } else {
                let product = RUN_SANDBOX.build();
                let product = product.map_err(|error| Absent::Failed(error.to_string()))?;
                (product.folder.join("run-sandbox"), product.linking.to_string())
            };
            let _ = self.linking.set(linking);
            self.copy(&program)
        });
        built.as_ref().map(|path| path.as_os_str()).map_err(Clone::clone)
    }

    /// Our `bwrap`.
    pub(crate) fn drop_in(&self) -> Result<&OsStr, Absent> {
        let built = self.drop_in.get_or_init(|| {
            let folder = match env::var_os(DROP_INS_VARIABLE) {
                Some(given) => given.into(),
                None => DROP_INS.build().map_err(|error| Absent::Failed(error.to_string()))?.folder,
            };
            self.copy(&folder.join("bwrap"))
        });
        built.as_ref().map(|path| path.as_os_str()).map_err(Clone::clone)
    }

    /// How the `run-sandbox` that was measured is linked, if any was.
    pub(crate) fn linking(&self) -> Option<&str> {
        self.linking.get().map(String::as_str)
    }

    pub(crate) fn spawn_loop(&self) -> Result<&OsStr, Absent> {
        self.example(&self.spawn_loop, "SANDBOX_BENCH_LOOP", "sandbox-luc", "spawn_loop")
    }

    /// The program that unpacks images with our library.
    pub(crate) fn unpack(&self) -> Result<&OsStr, Absent> {
        self.example(&self.unpack, "SANDBOX_BENCH_UNPACK", "sandbox-image", "unpack")
    }

    fn example<'a>(
        &self,
        built: &'a Lazy,
        variable: &str,
        package: &str,
        name: &str,
    ) -> Result<&'a OsStr, Absent> {
        let built = built.get_or_init(|| {
            if let Some(given) = env::var_os(variable) {
                return self.copy(Path::new(&given));
            }
            let folder = cargo_build(&["-p", package, "--example", name])?;
            self.copy(&folder.join("examples").join(name))
        });
        built.as_ref().map(|path| path.as_os_str()).map_err(Clone::clone)
    }

    pub(crate) fn images(&self) -> Result<&Images, Absent> {
        let images = self.images.get_or_init(|| Images::new(&self.dir));
        images.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn tree(&self, tree: Tree) -> Result<&Path, Absent> {
        let made = match tree {
            Tree::Small => self.small.get_or_init(|| self.small_tree("small")),
            Tree::Large => self.large.get_or_init(|| self.large_tree("large")),
        };
        made.as_ref().map(PathBuf::as_path).map_err(Clone::clone)
    }

    /// A copy that every account can run.
    fn copy(&self, program: &Path) -> Result<PathBuf, Absent> {
        let copy = self.dir.join(program.file_name().unwrap_or_default());
        fs::copy(program, &copy).map_err(|error| {
            Absent::Failed(format!("cannot copy {}: {error}", program.display()))
        })?;
        open_to_all(&copy, 0o755)?;
        Ok(copy)
    }

    fn small_tree(&self, name: &str) -> Result<PathBuf, Absent> {
        if !Path::new(BUSYBOX).exists() {
            return Err(Absent::Skipped(format!("no {BUSYBOX} (Debian: busybox-static)")));
        }
        let root = self.dir.join(name);
        for dir in ["", "bin", "proc", "dev", "tmp"] {
            fs::create_dir(root.join(dir))?;
            // So that only a mount can refuse a write, for whoever makes the sandbox.
            open_to_all(&root.join(dir), 0o777)?;
        }
        fs::copy(BUSYBOX, root.join("bin/busybox"))?;
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet))?;
        }
        Ok(root)
    }

    fn large_tree(&self, name: &str) -> Result<PathBuf, Absent> {
        let root = self.small_tree(name)?;
        for index in 0..LARGE_DIRS {
            let dir = root.join(&large_dir(index)[1..]);
            fs::create_dir_all(&dir)?;
            for dir in dir.ancestors().take(3) {
                open_to_all(dir, 0o777)?;
            }
            for file in 0..FILES_PER_DIR {
                fs::write(dir.join(format!("file{file}")), "")?;
            }
        }
        Ok(root)
    }
}

impl Drop for BenchDir {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("cannot remove {}: {error}", self.dir.display());
        }
    }
}

/// Paths of the large tree that stay writable, spread evenly.
pub(crate) fn whitelist(paths: usize) -> impl Iterator<Item = String> {
    let step = LARGE_DIRS / paths.max(1);
    (0..paths).map(move |index| large_dir(index * step))
}

/// A directory of the large tree that no list has.
pub(crate) fn unlisted() -> String {
    large_dir(1)
}

/// A heap that the host can't hold would measure its swap, or the OOM killer.
pub(crate) fn require_memory(bytes: u64) -> Result<(), Absent> {
    let info = fs::read_to_string("/proc/meminfo")?;
    let available = info
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0);
    if available * 1024 < bytes + (1 << 30) {
        return Err(Absent::Skipped(format!("needs {} MiB of memory", bytes >> 20)));
    }
    Ok(())
}

fn large_dir(index: usize) -> String {
    format!("/src/{:02}/{:02}", index / 100, index % 100)
}

/// A peer that is not installed is not measured.
pub(crate) fn require_program(name: &str) -> Result<(), Absent> {
    if PATH.split(':').any(|dir| Path::new(dir).join(name).exists()) {
        return Ok(());
    }
    Err(Absent::Skipped(format!("no {name} in {PATH}")))
}

fn open_to_all(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn compile(program: &Path, source: &str) -> io::Result<()> {
    let file = program.with_extension("c");
    fs::write(&file, source)?;
    let status = Command::new("cc")
        .args(["-O2", "-static", "-o"])
        .args([program, &file])
        .status()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot run cc: {error}")))?;
    if !status.success() {
        return Err(io::Error::other(format!("cc failed on {}", file.display())));
    }
    open_to_all(program, 0o755)
}

/// Builds in the release profile and gives the directory of the products.
fn cargo_build(what: &[&str]) -> Result<PathBuf, Absent> {
    let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--release"])
        .args(what)
        .current_dir(workspace)
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let first = errors.lines().find(|line| line.starts_with("error")).unwrap_or("no reason");
        return Err(Absent::Failed(format!("cargo build {}: {first}", what.join(" "))));
    }
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    Ok(workspace.join(target).join("release"))
}
