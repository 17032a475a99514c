//! What becomes of each entry.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::directories::Directories;
use super::error::failed;
use super::make::Maker;
use super::names::{NameSet, clean, split, strip};
use super::remove::{Kept, remove, remove_others};
use super::tree::Tree;
use super::whiteout::{Whiteout, whiteout};
use super::{Duplicates, Error, Options, Report, Whiteouts};
use crate::archive::{Entries, Entry, Kind, shown};

/// What is to become of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Choice {
    /// It is unpacked where its name says.
    Unpack,
    /// It is unpacked without the first parts of its name, as many as this: `Strip(1)` unpacks
    /// `rootfs/bin/sh` to `bin/sh`, and `rootfs` gives its mode and times to the target itself. The
    /// target of a hard link must begin with the same parts, which it loses as well.
    Strip(usize),
    /// It is left out.
    Skip,
    /// Its content is held in memory, up to this many bytes; more are an error. It must be a file.
    Capture(u64),
}

/// Contents that were asked for, by name.
pub type Captured = BTreeMap<Vec<u8>, Vec<u8>>;

/// Unpacks archives, one over the other, below a directory.
pub struct Unpacker {
    maker: Maker,
}

/// What is remembered while one archive is unpacked.
#[derive(Default)]
struct Layer {
    /// Names of all its entries, where none may come twice.
    seen: NameSet,
    /// Names that were left out, where `seen` doesn't tell: there, what is no link's target was.
    excluded: NameSet,
    /// Names that it has put there, and the directories that these are in.
    put: NameSet,
    /// Directories that have nothing of lower layers any more: they are looked through once, however
    /// often that is asked for.
    opaque: NameSet,
    captured: Captured,
}

impl Unpacker {
    /// Unpacks below `root`: a directory, opened for reading.
    pub fn new(root: OwnedFd, options: Options) -> Self {
        Self {
            maker: Maker {
                tree: Tree::new(root),
                options,
                report: Report::default(),
                directories: Directories::default(),
            },
        }
    }

    /// Unpacks all of an archive: one layer. `choose` is asked for each entry, with its name cleaned:
    /// no `./` or `/` in front, no `//`, no `/` at the end; empty for the top directory itself.
    ///
    /// After an error the directory holds some of the archive, and is good for removal only.
    pub fn apply<R: BufRead>(
        &mut self,
        entries: &mut Entries<R>,
        choose: &mut dyn FnMut(&Entry) -> Choice,
    ) -> Result<Captured, Error> {
        let mut layer = Layer::default();
        while let Some(mut entry) = entries.next_entry()? {
            entry.path = clean(&entry.path, self.maker.options.names)?;
            let path = &entry.path;
            if self.maker.options.duplicates == Duplicates::Error && !layer.seen.insert(path) {
                return Err(Error::Duplicate { path: shown(path) });
            }
            self.maker.options.budget.take(&entry)?;
            self.one(entries, &entry, choose(&entry), &mut layer)?;
        }
        Ok(layer.captured)
    }

    /// Gives directories their modes and times, which has to come after all that is put into them. Says
    /// what was unpacked, and what could not be kept.
    pub fn finish(self) -> Result<Report, Error> {
        self.maker.directories.finish(&self.maker.tree)?;
        Ok(self.maker.report)
    }

    fn one<R: BufRead>(
        &mut self,
        entries: &mut Entries<R>,
        entry: &Entry,
        choice: Choice,
        layer: &mut Layer,
    ) -> Result<(), Error> {
        let parts = match choice {
            Choice::Unpack => 0,
            Choice::Strip(parts) => parts,
            Choice::Skip => {
                self.exclude(entry, layer);
                return Ok(());
            }
            Choice::Capture(limit) => {
                let content = capture(entries, entry, limit)?;
                self.exclude(entry, layer);
                layer.captured.insert(entry.path.clone(), content);
                return Ok(());
            }
        };
        let root = || Error::Root { path: shown(&entry.path) };
        let path = strip(&entry.path, parts).ok_or_else(root)?;
        let layered = self.maker.options.whiteouts == Whiteouts::Apply;
        match if layered { whiteout(path)? } else { Whiteout::No } {
            Whiteout::No => {}
            Whiteout::Ignored => return Ok(()),
            Whiteout::Name(hidden) => return self.hide(&hidden, layer, &entry.path),
            Whiteout::Opaque(directory) => {
                return self.hide_others(&directory, layer, &entry.path);
            }
        }
        let target = match &entry.kind {
            Kind::HardLink { target } => self.link_target(entry, target, parts, layer)?,
            _ => Vec::new(),
        };
        self.maker
            .make(entries, entry, path, &target)
            .map_err(|error| self.left_out(error, entry, layer))?;
        self.maker.report.entries += 1;
        if layered {
            layer.put.insert_all(path);
        }
        Ok(())
    }

    fn exclude(&self, entry: &Entry, layer: &mut Layer) {
        if self.maker.options.duplicates != Duplicates::Error {
            layer.excluded.insert(&entry.path);
        }
    }

    /// An error about a missing file, where that is so because it was left out.
    fn left_out(&self, error: Error, entry: &Entry, layer: &Layer) -> Error {
        let (Error::LinkTarget { .. }, Kind::HardLink { target }) = (&error, &entry.kind) else {
            return error;
        };
        match clean(target, self.maker.options.names) {
            Ok(full) if full != entry.path && layer.seen.contains(&full) => {
                Error::LinkToExcluded { path: shown(&entry.path), target: shown(target) }
            }
            _ => error,
        }
    }

    /// The name that a hard link's file has, below the target.
    fn link_target(
        &self,
        entry: &Entry,
        target: &[u8],
        parts: usize,
        layer: &Layer,
    ) -> Result<Vec<u8>, Error> {
        let (path, shown_target) = (|| shown(&entry.path), || shown(target));
        let outside = || Error::LinkOutside { path: path(), target: shown_target() };
        let full = clean(target, self.maker.options.names).map_err(|_| outside())?;
        if layer.excluded.contains(&full) {
            return Err(Error::LinkToExcluded { path: path(), target: shown_target() });
        }
        let stripped = strip(&full, parts).filter(|rest| !rest.is_empty()).ok_or_else(outside)?;
        let own = strip(&entry.path, parts).ok_or_else(outside)?;
        // The parts that are dropped have to be the same.
        let head = |path: &[u8], rest: &[u8]| path.len() - rest.len();
        let (ours, theirs) = (head(&entry.path, own), head(&full, stripped));
        if entry.path.get(..ours) != full.get(..theirs) {
            return Err(outside());
        }
        Ok(stripped.to_vec())
    }

    /// Removes what lower layers have put at `path`.
    fn hide(&mut self, path: &[u8], layer: &mut Layer, entry: &[u8]) -> Result<(), Error> {
        if layer.put.contains(path) {
            return self.hide_others(path, layer, entry);
        }
        let directory = match self.maker.tree.parent(path) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(error) => return Err(failed(entry, "open the directory that it is in")(error)),
        };
        remove(directory, split(path).1).map_err(failed(entry, "remove what it hides"))?;
        self.maker.directories.remove(path);
        self.maker.tree.forget();
        Ok(())
    }

    /// Removes what lower layers have put below `path`.
    fn hide_others(&mut self, path: &[u8], layer: &mut Layer, entry: &[u8]) -> Result<(), Error> {
        if layer.opaque.contains_any(path) {
            return Ok(());
        }
        let action = "remove what it hides";
        let name: &[u8] = if path.is_empty() { b"." } else { split(path).1 };
        let directory = match self.maker.tree.parent(path) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(error) => return Err(failed(entry, action)(error)),
        };
        match remove_others(directory, name, path, &Kept { put: &layer.put, all: &layer.opaque }) {
            Ok(()) => drop(layer.opaque.insert(path)),
            // There is no such directory, or this layer has put something else there.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => return Err(failed(entry, action)(error)),
        }
        self.maker.tree.forget();
        Ok(())
    }
}

fn capture<R: BufRead>(
    entries: &mut Entries<R>,
    entry: &Entry,
    limit: u64,
) -> Result<Vec<u8>, Error> {
    let path = || shown(&entry.path);
    if entry.kind != Kind::File {
        return Err(Error::NotAFile { path: path() });
    }
    if entry.size > limit {
        return Err(Error::CaptureTooLong { path: path(), size: entry.size, limit });
    }
    let mut content = Vec::new();
    entries.content::<Error>(&mut |_, bytes| {
        content.extend_from_slice(bytes);
        Ok(())
    })?;
    Ok(content)
}
