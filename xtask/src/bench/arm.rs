//! The programs that are measured, and the command line of each: the one place to keep them equal.

use std::ffi::{OsStr, OsString};
use std::fs;

use super::Absent;
use super::bench_dir::{BenchDir, Tree, require_memory, require_program, whitelist};
use super::images::ImageArm;

/// The isolation that is compared: six or seven namespaces, read-only root, own /proc, /dev, /tmp.
const OURS: &str = "--network isolated --processes isolated --ipc isolated --mounts isolated \
    --hostname sandbox --proc /proc --dev /dev --tmpfs /tmp --backend linux-user-chroot";
const OURS_WRITABLE: [&str; 2] = ["/tmp", "/dev"];
const BWRAP: &str = "--unshare-user --unshare-ipc --unshare-pid --unshare-net --unshare-uts \
    --unshare-cgroup-try --hostname sandbox";
const BWRAP_MOUNTS: &str = "--proc /proc --dev /dev --tmpfs /tmp";
/// No /dev, no /tmp, no read-only root, chroot for pivot_root: less than the others do.
const UNSHARE: &str = "-U -r -m -p -f -n -i -u -C --mount-proc -R";

/// A program in one of the ways in which it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    /// `run-sandbox`, whole process.
    Cli,
    /// `run-sandbox` with this many writable paths in the large tree.
    CliWhitelist(usize),
    /// The library, spawning from one process that lives on.
    Api,
    /// The same from a process that has touched this many bytes of heap.
    ApiHeap(u64),
    /// Our `bwrap`, whole process, with the arguments that bubblewrap gets.
    DropIn,
    /// Our `bwrap` with this many writable binds in the large tree.
    DropInWhitelist(usize),
    /// bubblewrap, whole process.
    Bwrap,
    /// bubblewrap with this many writable binds in the large tree.
    BwrapWhitelist(usize),
    /// util-linux unshare, whole process.
    Unshare,
    /// The least there is, whole process.
    Floor,
    /// The least there is, spawning from one process that lives on.
    FloorLoop,
    /// The least there is with this many writable paths in the large tree.
    FloorWhitelist(usize),
    /// A program that takes an image, whole process.
    Image(ImageArm),
}

/// What the command prints for each sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Its duration in ns.
    Wall,
    /// Its peak memory in KiB; of whole processes only.
    Peak,
    /// Nothing: one sandbox and no stopwatch.
    Nothing,
}

impl Arm {
    /// The tree that this arm runs in.
    pub(crate) fn tree(self) -> Tree {
        match self {
            Self::CliWhitelist(_)
            | Self::DropInWhitelist(_)
            | Self::BwrapWhitelist(_)
            | Self::FloorWhitelist(_) => Tree::Large,
            _ => Tree::Small,
        }
    }

    /// How many paths of the tree stay writable.
    pub(crate) fn writable_paths(self) -> usize {
        match self {
            Self::CliWhitelist(n)
            | Self::DropInWhitelist(n)
            | Self::BwrapWhitelist(n)
            | Self::FloorWhitelist(n) => n,
            _ => 0,
        }
    }

    /// The command that makes `runs` sandboxes in turn and prints a figure for each, one a line.
    pub(crate) fn command(
        self,
        dir: &BenchDir,
        figure: Figure,
        runs: usize,
        inside: &[&str],
    ) -> Result<Vec<OsString>, Absent> {
        let mut line = Vec::new();
        let runs = runs.to_string();
        if !self.is_loop() && figure != Figure::Nothing {
            let option = if figure == Figure::Wall { "--wall" } else { "--peak" };
            line.extend(words([dir.timer(), option.as_ref(), runs.as_ref()]));
        }
        if let Self::Image(image) = self {
            line.extend(image.command(dir)?);
            line.extend(words(inside.iter().filter(|_| image.runs())));
            return Ok(line);
        }
        let root = dir.tree(self.tree())?.as_os_str();
        match self {
            Self::Image(_) => {}
            Self::Cli => {
                line.push(dir.run_sandbox()?.into());
                line.extend(words(OURS.split_whitespace()));
                line.extend(words(OURS_WRITABLE.iter().flat_map(|path| ["--writable", path])));
                line.extend(words([root, "--".as_ref()]));
            }
            Self::CliWhitelist(paths) => {
                line.push(dir.run_sandbox()?.into());
                line.extend(words(OURS.split_whitespace()));
                line.extend(["--config".into(), write_config(dir, paths)?]);
                line.extend(words([root, "--".as_ref()]));
            }
            Self::Api => line.extend(words([dir.spawn_loop()?, runs.as_ref(), root])),
            Self::ApiHeap(bytes) => {
                require_memory(bytes)?;
                line.extend(words([dir.spawn_loop()?, "--heap".as_ref()]));
                line.extend(words([bytes.to_string().as_ref(), runs.as_ref(), root]));
            }
            Self::DropIn | Self::DropInWhitelist(_) | Self::Bwrap | Self::BwrapWhitelist(_) => {
                if matches!(self, Self::DropIn | Self::DropInWhitelist(_)) {
                    line.push(dir.drop_in()?.into());
                } else {
                    require_program("bwrap")?;
                    line.push("bwrap".into());
                }
                line.extend(words(BWRAP.split_whitespace()));
                line.extend(words(["--ro-bind".as_ref(), root, "/".as_ref()]));
                line.extend(words(BWRAP_MOUNTS.split_whitespace()));
                for path in whitelist(self.writable_paths()) {
                    let mut source = root.to_owned();
                    source.push(&path);
                    line.extend(["--bind".into(), source, path.into()]);
                }
            }
            Self::Unshare => {
                require_program("unshare")?;
                line.push("unshare".into());
                line.extend(words(UNSHARE.split_whitespace()));
                line.push(root.into());
            }
            Self::Floor => line.extend(words([dir.floor(), root])),
            Self::FloorLoop => {
                line.extend(words([dir.floor(), "--loop".as_ref(), runs.as_ref(), root]));
            }
            Self::FloorWhitelist(paths) => {
                let list = dir.path(&format!("whitelist-{paths}"));
                fs::write(&list, whitelist(paths).collect::<Vec<_>>().join("\n"))?;
                line.extend(words([dir.floor(), "--whitelist".as_ref(), list.as_ref(), root]));
            }
        }
        line.extend(words(inside));
        Ok(line)
    }

    /// Whether the program repeats and times by itself.
    fn is_loop(self) -> bool {
        matches!(self, Self::Api | Self::ApiHeap(_) | Self::FloorLoop)
    }
}

fn words<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> impl Iterator<Item = OsString> {
    words.into_iter().map(|word| word.as_ref().to_owned())
}

/// A configuration file with the writable paths: the way in which a build tool hands over many.
fn write_config(dir: &BenchDir, paths: usize) -> Result<OsString, Absent> {
    let listed: Vec<String> = OURS_WRITABLE
        .iter()
        .map(ToString::to_string)
        .chain(whitelist(paths))
        .map(|path| format!("{path:?}"))
        .collect();
    let file = dir.path(&format!("whitelist-{paths}.toml"));
    fs::write(&file, format!("writable = [{}]\n", listed.join(", ")))?;
    Ok(file.into())
}
