//! An App Container validator: a static program that checks from inside of an app, as the specification's
//! own does, whether what runs it is an App Container Executor; and the two images that it is in.
//!
//! A pod of both images is to be run with one volume called `database`. Each process of it prints
//! `MODE OK`, or `MODE FAIL` and, on standard error, a line that begins with `==> ` for each check that
//! failed.

use std::env::consts;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::probe;

const SOURCES: &[(&str, &str)] = &[
    ("validator.h", include_str!("../../probes/validator.h")),
    ("validator.c", include_str!("../../probes/validator.c")),
    ("validator_json.c", include_str!("../../probes/validator_json.c")),
    ("validator_http.c", include_str!("../../probes/validator_http.c")),
    ("validator_metadata.c", include_str!("../../probes/validator_metadata.c")),
];
/// The program's name in its images: `/ace-validator`.
const PROGRAM: &str = "ace-validator";

/// Compiles the program into a directory, with `cc`.
///
/// # Errors
/// There is no C compiler, it cannot link statically, or the directory cannot be written to.
pub fn program(dir: &Path) -> io::Result<PathBuf> {
    probe::build(dir, PROGRAM, SOURCES).map_err(io::Error::other)
}

/// The manifest of the image whose app the checks are about, `coreos.com/ace-validator-main`.
pub fn main_manifest() -> String {
    include_str!("main.json").replace("@ARCH@", arch())
}

/// The manifest of the image that it runs beside, `coreos.com/ace-validator-sidekick`.
pub fn sidekick_manifest() -> String {
    include_str!("sidekick.json").replace("@ARCH@", arch())
}

/// Makes both images in a directory: the main one and its sidekick.
///
/// # Errors
/// As those of [`program`].
pub fn images(dir: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let mut bytes = Vec::new();
    File::open(program(dir)?)?.read_to_end(&mut bytes)?;
    let image = |name: &str, manifest: String| {
        let path = dir.join(name);
        write(File::create_new(&path)?, &manifest, &bytes)?;
        Ok::<_, io::Error>(path)
    };
    Ok((
        image("ace-validator-main.aci", main_manifest())?,
        image("ace-validator-sidekick.aci", sidekick_manifest())?,
    ))
}

fn write(to: impl Write, manifest: &str, program: &[u8]) -> io::Result<()> {
    let mut archive = Builder::new(to);
    let mut entry = |path: &str, kind: EntryType, mode: u32, bytes: &[u8]| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, path, bytes)
    };
    entry("manifest", EntryType::Regular, 0o644, manifest.as_bytes())?;
    for directory in ["rootfs", "rootfs/opt", "rootfs/opt/acvalidator"] {
        entry(directory, EntryType::Directory, 0o755, b"")?;
    }
    entry(&format!("rootfs/{PROGRAM}"), EntryType::Regular, 0o755, program)?;
    archive.into_inner()?.flush()
}

/// This machine's architecture as the specification calls it.
fn arch() -> &'static str {
    match consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "i386",
        "arm" => "armv7l",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        other => other,
    }
}
