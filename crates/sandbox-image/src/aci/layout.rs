//! What an image's archive may hold: `manifest`, `rootfs`, and what is below it (the specification's
//! aci.md, image archives).

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::ffi::{OsStr, OsString};
use std::hash::BuildHasher;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The name of the manifest in an archive.
pub const MANIFEST: &str = "manifest";

/// The name of the root file system in an archive.
pub const ROOTFS: &str = "rootfs";

/// What an entry is, as far as the layout depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, a device or anything else.
    Other,
}

/// What an entry means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The directory around the image, as `tar -C image .` stores it: nothing to do.
    Around,
    /// The manifest.
    Manifest,
    /// The root directory.
    Root,
    /// Something in the root file system: its path from there, without `.` and `..`.
    Inside(PathBuf),
}

/// An archive that is not an image's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// An entry that has no place in an image.
    #[error("entry {entry:?} is not of an image: only {MANIFEST:?} and what is in {ROOTFS:?} are")]
    Elsewhere {
        /// The entry's name.
        entry: OsString,
    },
    /// An entry whose name leads up.
    #[error("entry {entry:?} has `..` in its name, which leads out of an image")]
    Upwards {
        /// The entry's name.
        entry: OsString,
    },
    /// The manifest or the root is of another kind.
    #[error("entry {entry:?} is not {expected}")]
    Kind {
        /// The entry's name.
        entry: OsString,
        /// What it must be.
        expected: &'static str,
    },
    /// Two entries with one name.
    #[error("entry {entry:?} is there twice: an image has one entry for each name")]
    Twice {
        /// The entry's name.
        entry: OsString,
    },
    /// The archive ends without one of the two.
    #[error("there is no entry {entry:?}: an image has {MANIFEST:?} and {ROOTFS:?}")]
    Missing {
        /// What is missing.
        entry: &'static str,
    },
}

/// Checks the entries of an archive one by one, in whatever order they come.
///
/// For each name 8 bytes of its hash are kept: two of ten million different names are taken for the
/// same once in a hundred thousand archives, and never because somebody chose them so.
#[derive(Debug, Default)]
pub struct Layout {
    keys: RandomState,
    seen: HashSet<u64>,
    manifest: bool,
    root: bool,
}

impl Layout {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The place of the next entry. Its name is as the archive has it; `./` before it and `/` after it
    /// mean nothing.
    ///
    /// # Errors
    /// It has no place in an image, or was there already.
    pub fn entry(&mut self, name: &[u8], kind: EntryKind) -> Result<Place, LayoutError> {
        let entry = || OsStr::from_bytes(name).to_owned();
        if name.starts_with(b"/") {
            return Err(LayoutError::Elsewhere { entry: entry() });
        }
        let parts: Vec<&[u8]> = name
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".")
            .collect();
        if parts.contains(&b"..".as_slice()) {
            return Err(LayoutError::Upwards { entry: entry() });
        }
        let place = match parts.as_slice() {
            [] if kind == EntryKind::Directory => return Ok(Place::Around),
            [top] if *top == MANIFEST.as_bytes() => Place::Manifest,
            [top] if *top == ROOTFS.as_bytes() => Place::Root,
            [top, inside @ ..] if *top == ROOTFS.as_bytes() => {
                Place::Inside(OsString::from_vec(inside.join(&b'/')).into())
            }
            _ => return Err(LayoutError::Elsewhere { entry: entry() }),
        };
        let wrong = match place {
            Place::Manifest if kind != EntryKind::File => Some("a regular file"),
            Place::Root if kind != EntryKind::Directory => Some("a directory"),
            _ => None,
        };
        if let Some(expected) = wrong {
            return Err(LayoutError::Kind { entry: entry(), expected });
        }
        if !self.seen.insert(self.keys.hash_one(parts.join(&b'/'))) {
            return Err(LayoutError::Twice { entry: entry() });
        }
        self.manifest |= place == Place::Manifest;
        self.root |= place == Place::Root;
        Ok(place)
    }

    /// The archive has ended.
    ///
    /// # Errors
    /// There was no manifest or no root.
    pub fn finish(self) -> Result<(), LayoutError> {
        match (self.manifest, self.root) {
            (false, _) => Err(LayoutError::Missing { entry: MANIFEST }),
            (_, false) => Err(LayoutError::Missing { entry: ROOTFS }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EntryKind::{Directory, File, Other};
    use super::*;

    #[track_caller]
    fn check(entries: &[(&str, EntryKind)]) -> Result<Vec<Place>, String> {
        let mut layout = Layout::new();
        let places: Result<Vec<_>, _> =
            entries.iter().map(|(name, kind)| layout.entry(name.as_bytes(), *kind)).collect();
        let places = places.map_err(|error| error.to_string())?;
        layout.finish().map(|()| places).map_err(|error| error.to_string())
    }

    #[test]
    fn images() {
        let inside = |path: &str| Place::Inside(path.into());
        let evil = [
            ("manifest", File),
            ("rootfs", Directory),
            ("rootfs/manifest", File),
            ("rootfs/dir/rootfs", Directory),
        ];
        let places = check(&evil).unwrap();
        assert_eq!(
            places,
            [Place::Manifest, Place::Root, inside("manifest"), inside("dir/rootfs")]
        );
        let dotted = [
            ("./", Directory),
            ("./rootfs/", Directory),
            ("./rootfs/./a//b/", Directory),
            ("./rootfs/link", Other),
            ("./manifest", File),
        ];
        let places = check(&dotted).unwrap();
        assert_eq!(
            places,
            [Place::Around, Place::Root, inside("a/b"), inside("link"), Place::Manifest]
        );
    }

    #[test]
    fn other_archives() {
        let image = [("manifest", File), ("rootfs", Directory)];
        for (entry, expected) in [
            (("extra", File), r#"entry "extra" is not of an image"#),
            (("rootfsx/a", File), r#"entry "rootfsx/a" is not of an image"#),
            (("manifest/a", File), r#"entry "manifest/a" is not of an image"#),
            (("/rootfs/a", File), r#"entry "/rootfs/a" is not of an image"#),
            (("", File), r#"entry "" is not of an image"#),
            (("rootfs/../a", File), r#"entry "rootfs/../a" has `..`"#),
            (("..", Directory), r#"entry ".." has `..`"#),
            (("manifest", File), r#"entry "manifest" is there twice"#),
            (("./rootfs/", Directory), r#"entry "./rootfs/" is there twice"#),
        ] {
            let error = check(&[image[0], image[1], entry]).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        let twice = [("rootfs/a", File), ("rootfs//a", Directory)];
        assert!(check(&twice).unwrap_err().contains("there twice"));
        for (entries, expected) in [
            ([("manifest", Other), image[1]], r#"entry "manifest" is not a regular file"#),
            ([image[0], ("rootfs", File)], r#"entry "rootfs" is not a directory"#),
        ] {
            assert_eq!(check(&entries).unwrap_err(), expected);
        }
        assert!(check(&image[1..]).unwrap_err().starts_with(r#"there is no entry "manifest""#));
        assert!(check(&image[..1]).unwrap_err().starts_with(r#"there is no entry "rootfs""#));
        assert!(check(&image).is_ok());
    }

    #[test]
    fn names_that_are_not_text() {
        let place = Layout::new().entry(b"rootfs/\xff", File).unwrap();
        assert_eq!(place, Place::Inside(OsStr::from_bytes(b"\xff").into()));
    }
}
