//! `--volume NAME=PATH[,ro]`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use sandbox_image::aci::pod_manifest::Volume as PodVolume;
use sandbox_image::app::{Volume, VolumeSource};

use crate::error::CliError;

/// What is in place of a path where a volume is a fresh directory.
const EMPTY: &[u8] = b"empty";
const READ_ONLY: &[u8] = b",ro";

/// One of them. A directory named `empty` here is `./empty`.
pub(super) fn parse(text: &OsStr) -> Result<Volume, CliError> {
    let wrong = |problem: &str| CliError::Flag {
        flag: "volume",
        value: text.to_owned(),
        problem: problem.to_owned(),
    };
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|byte| *byte == b'=');
    let (name, path) = at.map(|at| (&bytes[..at], &bytes[at + 1..])).unwrap_or_default();
    let (path, read_only) = match path.strip_suffix(READ_ONLY) {
        Some(path) => (path, true),
        None => (path, false),
    };
    let name = String::from_utf8(name.to_vec()).unwrap_or_default();
    if name.is_empty() || path.is_empty() {
        return Err(wrong("give NAME=PATH, NAME=empty, or either with `,ro`"));
    }
    let source = match path {
        EMPTY => VolumeSource::Empty,
        path => VolumeSource::HostPath(absolute(OsString::from_vec(path.to_vec()))),
    };
    Ok(Volume { name, source, read_only })
}

/// Gives an empty volume of a pod the mode and the owner that its manifest says. Without privilege the
/// owner is the caller, whoever that is inside.
pub(super) fn finish(path: &Path, volume: &PodVolume) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(volume.mode_bits()))?;
    match std::os::unix::fs::lchown(path, volume.uid, volume.gid) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// From the working directory, as all paths of the command line are.
fn absolute(path: OsString) -> PathBuf {
    std::path::absolute(&path).unwrap_or_else(|_| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_a_name_and_a_path() {
        let volume = |text: &str| parse(text.as_ref()).map_err(|error| error.to_string());
        let of = |source, read_only| Volume { name: "db".to_owned(), source, read_only };
        let host = |path: &str| VolumeSource::HostPath(path.into());
        assert_eq!(volume("db=/srv/db"), Ok(of(host("/srv/db"), false)));
        assert_eq!(volume("db=/srv/a=b,ro"), Ok(of(host("/srv/a=b"), true)));
        assert_eq!(volume("db=empty"), Ok(of(VolumeSource::Empty, false)));
        assert_eq!(volume("db=empty,ro"), Ok(of(VolumeSource::Empty, true)));
        assert!(matches!(
            volume("db=./empty"),
            Ok(Volume { source: VolumeSource::HostPath(_), .. })
        ));
        for wrong in ["", "db", "=/x", "db=", "db=,ro"] {
            let error = volume(wrong).unwrap_err();
            assert!(error.starts_with("--volume"), "{error}");
        }
    }
}
