//! `cargo xtask demo images`: images of a Debian tree, made by four programs, and run as root and as a user
//! without an account: a shell, its packages, and a C program that is compiled inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::demo::debian_tree;
use crate::product::RUN_SANDBOX;
use crate::stage::{self, TempDir};
use crate::user::User;
use crate::{Result, command, image, sources};

const NAME: &str = "example.org/debian";
/// A file that an upper layer has removed, and one that it has put in its place.
const REMOVED: &str = "/etc/motd-of-the-base";
const ADDED: &str = "/etc/motd-of-the-top";
/// What is to be free in memory for an unpacked tree.
const ROOM: u64 = 2 << 30;
const C_PROGRAM: &str = "#include <stdio.h>\nint main(void) { puts(\"Hello from the image!\"); }\n";

/// How an image is made.
struct Maker {
    /// What the table calls it.
    name: &'static str,
    /// The file or directory below the stage.
    file: &'static str,
    /// Debian's package with the program, and the program.
    needs: &'static str,
    /// What the image says of layers, besides the tree.
    layers: Layers,
    make: fn(&Path, &Path) -> Result,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layers {
    One,
    /// Upper layers add and remove files.
    Several,
}

static MAKERS: [Maker; 5] = [
    Maker {
        name: "ACI by xtask image",
        file: "debian.aci",
        needs: "cargo",
        layers: Layers::One,
        make: aci,
    },
    Maker {
        name: "OCI by umoci",
        file: "umoci.oci",
        needs: "umoci",
        layers: Layers::Several,
        make: umoci,
    },
    Maker { name: "tar.xz", file: "debian.tar.xz", needs: "xz", layers: Layers::One, make: tar_xz },
    Maker {
        name: "OCI by buildah",
        file: "buildah.oci",
        needs: "buildah",
        layers: Layers::Several,
        make: |tree, out| buildah(tree, out, "oci"),
    },
    Maker {
        name: "docker-archive by buildah",
        file: "buildah.tar",
        needs: "buildah",
        layers: Layers::Several,
        make: |tree, out| buildah(tree, out, "docker-archive"),
    },
];

struct Row {
    image: &'static str,
    what: String,
    outcome: Outcome,
    seconds: f64,
}

enum Outcome {
    Passed(String),
    Skipped(String),
    Failed(String),
}

pub(super) fn run(args: &[String]) -> Result {
    let mirror = match args {
        [] => sources::MIRROR,
        [option, mirror] if option == "--mirror" => mirror,
        _ => return Err("demo images takes --mirror URL and nothing else".into()),
    };
    let stage = stage::shared("demo")?;
    let tree = debian_tree::with_compiler(&stage, mirror)?;
    let images = stage.join("images");
    fs::create_dir_all(&images)?;
    // The user may be unable to reach the one in the target folder.
    let run_sandbox = stage.join("run-sandbox");
    fs::copy(RUN_SANDBOX.build()?.folder.join("run-sandbox"), &run_sandbox)?;
    let mut rows = Vec::new();
    for maker in &MAKERS {
        let clock = Instant::now();
        let made = maker.made(&tree, &images);
        let seconds = clock.elapsed().as_secs_f64();
        let (outcome, image) = match made {
            Ok(Ok(image)) => (Outcome::Passed(size(&image)), Some(image)),
            Ok(Err(missing)) => (Outcome::Skipped(missing), None),
            Err(error) => (Outcome::Failed(error.to_string()), None),
        };
        rows.push(Row { image: maker.name, what: "made".to_owned(), outcome, seconds });
        let Some(image) = image else { continue };
        for user in User::all() {
            println!("{} {user}", maker.name);
            let clock = Instant::now();
            let outcome = match checks(&run_sandbox, maker, &image, *user) {
                Ok(packages) => Outcome::Passed(format!("{packages} packages, compiles and runs")),
                Err(error) => Outcome::Failed(error.to_string()),
            };
            let seconds = clock.elapsed().as_secs_f64();
            rows.push(Row { image: maker.name, what: user.to_string(), outcome, seconds });
        }
    }
    summary(&rows)
}

impl Maker {
    /// The image, from an earlier run if there is one; or which program is missing.
    fn made(&self, tree: &Path, images: &Path) -> Result<std::result::Result<PathBuf, String>> {
        let image = images.join(self.file);
        if image.exists() {
            return Ok(Ok(image));
        }
        if command::find(self.needs).is_none() {
            return Ok(Err(format!("no {} on PATH (Debian's package has its name)", self.needs)));
        }
        command::need_root("making images of a tree of root's")?;
        println!("making {}", self.name);
        // Renamed when complete, so that a broken run leaves nothing that looks like an image.
        let partial = images.join(format!("partial-{}", self.file));
        remove(&partial)?;
        (self.make)(tree, &partial)?;
        // umoci's layouts are their maker's alone.
        command::run(Command::new("chmod").args(["-R", "a+rX"]).arg(&partial))?;
        fs::rename(&partial, &image)?;
        Ok(Ok(image))
    }
}

fn aci(tree: &Path, out: &Path) -> Result {
    let id = image::make(tree, out, NAME, "/bin/sh")?;
    println!("  {id}");
    Ok(())
}

fn tar_xz(tree: &Path, out: &Path) -> Result {
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "--xattrs", "-I", "xz -T0 -1", "-C"]).arg(tree);
    command::run(tar.arg("-cf").arg(out).arg("."))
}

/// The tree, a layer with two files, and one that removes one of them.
fn umoci(tree: &Path, out: &Path) -> Result {
    let motd = TempDir::new("motd")?;
    let file = motd.path().join("motd");
    fs::write(&file, "of a layer\n")?;
    let file = file.display().to_string();
    let image = format!("{}:latest", out.display());
    let umoci = |words: &[&str]| quiet(Command::new("umoci").args(words));
    umoci(&["init", "--layout", &out.display().to_string()])?;
    umoci(&["new", "--image", &image])?;
    umoci(&["insert", "--image", &image, &tree.display().to_string(), "/"])?;
    umoci(&["insert", "--image", &image, &file, REMOVED])?;
    umoci(&["insert", "--image", &image, &file, ADDED])?;
    umoci(&["insert", "--image", &image, "--whiteout", REMOVED])?;
    umoci(&["config", "--image", &image, "--config.cmd", "/bin/sh"])
}

/// The same layers. All that buildah keeps is below a directory that goes away.
fn buildah(tree: &Path, out: &Path, transport: &str) -> Result {
    let own = TempDir::new("buildah")?;
    let motd = own.path().join("motd");
    fs::write(&motd, "of a layer\n")?;
    let run = |words: &[&str]| {
        let mut buildah = Command::new("buildah");
        buildah.arg("--root").arg(own.path().join("storage"));
        buildah.arg("--runroot").arg(own.path().join("run"));
        // The one driver that needs nothing of the kernel.
        buildah.args(["--storage-driver", "vfs"]).args(words).stdin(Stdio::null());
        Ok::<_, Box<dyn std::error::Error>>(command::stdout(&mut buildah)?.trim().to_owned())
    };
    let (tree, motd) = (tree.display().to_string(), motd.display().to_string());
    // The first `from` and `commit` make the base, and each pair after them one layer.
    let base = run(&["from", "scratch"])?;
    run(&["add", "--quiet", &base, &tree, "/"])?;
    run(&["add", "--quiet", &base, &motd, REMOVED])?;
    run(&["commit", "--quiet", &base, "base"])?;
    let top = run(&["from", "--pull-never", "localhost/base"])?;
    run(&["add", "--quiet", &top, &motd, ADDED])?;
    let mounted = run(&["mount", &top])?;
    let removed = fs::remove_file(Path::new(&mounted).join(REMOVED.trim_start_matches('/')));
    run(&["umount", &top])?;
    removed?;
    run(&["config", "--cmd", "/bin/sh", &top])?;
    run(&["commit", "--quiet", &top, "top"])?;
    let to = format!("{transport}:{}:{NAME}:latest", out.display());
    run(&["push", "--quiet", "localhost/top", &to])?;
    Ok(())
}

/// Runs what an image is for, and gives how many packages it has.
fn checks(run_sandbox: &Path, maker: &Maker, image: &Path, user: User) -> Result<usize> {
    let shared = stage::shared("demo")?;
    let parent = stage::memory(ROOM).unwrap_or(&shared);
    let own = parent.join(format!("sandbox-demo-images-{}", std::process::id()));
    fs::create_dir_all(&own)?;
    user.own(&own)?;
    let inside = Inside { run_sandbox, image, user, temp: &own };
    let checked = inside.checks(maker);
    // It goes when nothing is left in it, which is a check too.
    let left = fs::read_dir(&own)?.count();
    fs::remove_dir_all(&own)?;
    match (checked, left) {
        (Ok(_), left @ 1..) => Err(format!("{left} files are left in {}", own.display()).into()),
        (checked, _) => checked,
    }
}

struct Inside<'a> {
    run_sandbox: &'a Path,
    image: &'a Path,
    user: User,
    temp: &'a Path,
}

impl Inside<'_> {
    fn checks(&self, maker: &Maker) -> Result<usize> {
        self.expect("a shell", "echo $((6 * 7)) in $(cat /etc/debian_version)", "42 in 12.")?;
        let listed = self.run("dpkg -l", "dpkg -l | wc -l")?;
        let packages = listed.trim().parse().unwrap_or(0);
        if packages < 80 {
            return Err(format!("dpkg -l lists {packages} lines").into());
        }
        let compile = format!("cd /tmp && echo '{C_PROGRAM}' > a.c && gcc -O2 a.c -o a && ./a");
        self.expect("gcc", &compile, "Hello from the image!")?;
        if maker.layers == Layers::Several {
            let layers = format!("cat {ADDED} && ! test -e {REMOVED} && echo gone");
            self.expect("layers", &layers, "of a layer\ngone\n")?;
        }
        Ok(packages)
    }

    fn expect(&self, name: &str, script: &str, expected: &str) -> Result {
        let said = self.run(name, script)?;
        if said.starts_with(expected) {
            return Ok(());
        }
        Err(format!("{name}: {said:?} in place of {expected:?}").into())
    }

    fn run(&self, name: &str, script: &str) -> Result<String> {
        let clock = Instant::now();
        let mut command = self.user.command(self.run_sandbox);
        command.env("TMPDIR", self.temp).arg(self.image).args(["--", "/bin/sh", "-c", script]);
        let output = command::output(command.stdin(Stdio::null()))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{name}: {}: {errors}", output.status).into());
        }
        let first = said.lines().next().unwrap_or_default();
        println!("  {name:8} {:5.1} s  {first}", clock.elapsed().as_secs_f64());
        Ok(said)
    }
}

fn summary(rows: &[Row]) -> Result {
    println!("\n=== images");
    let mut failed = Vec::new();
    for Row { image, what, outcome, seconds } in rows {
        let said = match outcome {
            Outcome::Passed(said) => format!("ok: {said}"),
            Outcome::Skipped(reason) => format!("skipped: {reason}"),
            Outcome::Failed(error) => {
                failed.push(format!("{image} {what}"));
                format!("FAILED: {}", error.lines().next().unwrap_or_default())
            }
        };
        println!("{image:26} {what:14} {seconds:6.1} s  {said}");
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

fn size(image: &Path) -> String {
    let mut du = Command::new("du");
    let said = command::stdout(du.args(["-s", "-k"]).arg(image)).unwrap_or_default();
    let kib: u64 = said.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
    format!("{} MiB", kib / 1024)
}

fn quiet(command: &mut Command) -> Result {
    command::run(command.stdin(Stdio::null()).stdout(Stdio::null()))
}

fn remove(path: &Path) -> Result {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(fs::remove_dir_all(path)?),
        Ok(_) => Ok(fs::remove_file(path)?),
        Err(_) => Ok(()),
    }
}
