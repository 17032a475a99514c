//! Images of a Debian tree, and what unpacks them: ours beside tar and umoci.
//!
//! The images are made once, as root, and kept with the tree that the demos use. All of them are unpacked
//! to the same file system, in memory where there is one: on a disk its journal would be measured. Only
//! then is the last one's tree removed, which counts for nobody.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Absent;
use super::bench_dir::{BenchDir, require_program};
use crate::demo::debian_tree;
use crate::{command, stage};

/// What is to be free in memory for unpacked trees.
const ROOM: u64 = 1 << 30;
/// What the second layer of the OCI image hides.
const HIDDEN: &str = "usr/share/doc";
const LAYOUT: &str = "minbase.oci";
/// What umoci makes.
const BUNDLE: &str = "bundle";

/// A program that takes an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageArm {
    /// The library, unpacking an archive.
    Ours(Packed),
    /// tar, with the decompressor of that archive.
    Tar(Packed),
    /// The library, unpacking the layers of an OCI image.
    OursOci,
    /// `umoci unpack`.
    Umoci,
    /// `run-sandbox --cache`, where the image has been unpacked before.
    Cached,
    /// `run-sandbox` with the tree itself.
    Tree,
}

/// How an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packed {
    Gzip,
    /// In blocks of 6 MiB: two of them are decompressed at once, by us as by `xz -T2`.
    Xz,
    /// In blocks of 24 MiB, as `xz -T2` makes them by itself. We decompress one at a time, since two do
    /// not fit into the memory that we allow ourselves; so does `xz -T1`.
    XzLarge,
    Zstd,
}

impl Packed {
    const ALL: [Self; 4] = [Self::Gzip, Self::Xz, Self::XzLarge, Self::Zstd];

    fn file(self) -> &'static str {
        match self {
            Self::Gzip => "minbase.tar.gz",
            Self::Xz => "minbase.6m.tar.xz",
            Self::XzLarge => "minbase.24m.tar.xz",
            Self::Zstd => "minbase.tar.zst",
        }
    }

    /// What makes it of an archive on its standard input.
    fn compressor(self) -> &'static [&'static str] {
        match self {
            Self::Gzip => &["gzip", "-n"],
            Self::Xz => &["xz", "-T2", "-2"],
            // The preset of the default would take five times as long, for blocks of the same size.
            Self::XzLarge => &["xz", "-T2", "-1", "--block-size=24MiB"],
            Self::Zstd => &["zstd", "-q"],
        }
    }

    /// What tar runs to read it.
    fn decompressor(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Xz => "xz -T2",
            Self::XzLarge => "xz -T1",
            Self::Zstd => "zstd",
        }
    }
}

impl ImageArm {
    /// Whether it makes a sandbox, and so can be told what to run in it.
    pub(crate) fn runs(self) -> bool {
        matches!(self, Self::Cached | Self::Tree)
    }

    /// The command line, for a fresh [target](Images::clear) where it unpacks.
    pub(crate) fn command(self, dir: &BenchDir) -> Result<Vec<OsString>, Absent> {
        let images = dir.images()?;
        let target = images.target().into();
        let archive = |packed: Packed| images.file(packed.file()).into();
        let layout = images.file(LAYOUT);
        Ok(match self {
            Self::Ours(packed) => vec![dir.unpack()?.into(), archive(packed), target],
            Self::OursOci => vec![dir.unpack()?.into(), layout.into(), target],
            Self::Tar(packed) => {
                let how = ["tar", "--numeric-owner", "-I", packed.decompressor(), "-C"];
                let mut line: Vec<OsString> = how.map(OsString::from).into();
                line.extend([target, "-xf".into(), archive(packed)]);
                line
            }
            Self::Umoci => {
                let image = format!("{}:latest", layout.display());
                let bundle = images.target().join(BUNDLE);
                let words = ["umoci", "unpack", "--image", &image].map(OsString::from);
                words.into_iter().chain([bundle.into()]).collect()
            }
            Self::Cached => {
                let cache = images.space.join("cache");
                fs::create_dir_all(&cache)?;
                let program = dir.run_sandbox()?.into();
                vec![program, "--cache".into(), cache.into(), archive(Packed::Gzip), "--".into()]
            }
            Self::Tree => vec![dir.run_sandbox()?.into(), images.tree.clone().into(), "--".into()],
        })
    }

    /// Whether as many files have been unpacked as there are in the image.
    pub(crate) fn check(self, dir: &BenchDir) -> Result<(), Absent> {
        let images = dir.images()?;
        let (found, expected) = match self {
            Self::Cached | Self::Tree => return Ok(()),
            Self::Ours(_) | Self::Tar(_) => (count(&images.target())?, images.entries),
            Self::OursOci => (count(&images.target())?, images.entries - images.hidden),
            Self::Umoci => (
                count(&images.target().join(BUNDLE).join("rootfs"))?,
                images.entries - images.hidden,
            ),
        };
        if found == expected {
            return Ok(());
        }
        Err(Absent::Failed(format!("{found} files were unpacked of {expected}")))
    }
}

/// The images, and where they are unpacked.
#[derive(Debug)]
pub(crate) struct Images {
    tree: PathBuf,
    files: PathBuf,
    space: PathBuf,
    entries: usize,
    hidden: usize,
}

impl Images {
    /// Makes what is missing. `other` is where they are unpacked if not in memory.
    pub(crate) fn new(other: &Path) -> Result<Self, Absent> {
        let failed = |error: Box<dyn std::error::Error>| Absent::Failed(error.to_string());
        if !command::is_root() {
            return Err(Absent::Skipped("not started by root".into()));
        }
        for program in ["mmdebstrap", "umoci", "tar", "gzip", "xz", "zstd"] {
            require_program(program)?;
        }
        let stage = stage::shared("demo").map_err(failed)?;
        let tree = debian_tree::minbase(&stage).map_err(failed)?;
        let files = make(&stage, &tree).map_err(failed)?;
        let parent = stage::memory(ROOM).unwrap_or(other);
        let space = parent.join(format!("sandbox-bench-images-{}", std::process::id()));
        eprintln!("images are unpacked below {}", parent.display());
        fs::create_dir(&space)?;
        let (entries, hidden) = (count(&tree)?, count(&tree.join(HIDDEN))? + 1);
        Ok(Self { tree, files, space, entries, hidden })
    }

    /// Makes an empty directory to unpack to.
    pub(crate) fn clear(&self) -> Result<(), Absent> {
        if self.target().exists() {
            fs::remove_dir_all(self.target())?;
        }
        Ok(fs::create_dir(self.target())?)
    }

    fn target(&self) -> PathBuf {
        self.space.join("target")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.join(name)
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.space) {
            eprintln!("cannot remove {}: {error}", self.space.display());
        }
    }
}

/// Makes the images in a directory that is renamed when all are there.
fn make(stage: &Path, tree: &Path) -> crate::Result<PathBuf> {
    let files = stage.join("bench-images");
    if files.is_dir() {
        return Ok(files);
    }
    eprintln!("making images of {}", tree.display());
    let partial = stage.join("bench-images.partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fs::create_dir(&partial)?;
    let archive = partial.join("minbase.tar");
    let mut tar = Command::new("tar");
    command::run(tar.arg("--numeric-owner").arg("-C").arg(tree).arg("-cf").arg(&archive).arg("."))?;
    for packed in Packed::ALL {
        let [program, options @ ..] = packed.compressor() else { continue };
        let mut compress = Command::new(program);
        compress.args(options).stdin(File::open(&archive)?);
        command::run(compress.stdout(File::create(partial.join(packed.file()))?))?;
    }
    fs::remove_file(&archive)?;
    let layout = partial.join(LAYOUT);
    let image = format!("{}:latest", layout.display());
    let umoci = |words: &[&str]| {
        command::run(Command::new("umoci").args(words).stdin(Stdio::null()).stdout(Stdio::null()))
    };
    umoci(&["init", "--layout", &layout.display().to_string()])?;
    umoci(&["new", "--image", &image])?;
    umoci(&["insert", "--image", &image, &tree.display().to_string(), "/"])?;
    umoci(&["insert", "--image", &image, "--whiteout", &format!("/{HIDDEN}")])?;
    fs::rename(&partial, &files)?;
    Ok(files)
}

/// Everything below a directory.
fn count(directory: &Path) -> Result<usize, Absent> {
    let mut all = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        all += 1;
        if entry.file_type()?.is_dir() {
            all += count(&entry.path())?;
        }
    }
    Ok(all)
}
