//! Writes an image from a manifest and a directory.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use flate2::GzBuilder;
use sha2::{Digest, Sha512};
use tar::{EntryType, Header};

use super::error::ManifestError;
use super::layout::{MANIFEST, ROOTFS};
use super::manifest::ImageManifest;
use super::types::ImageId;

/// How an image is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// By gzip.
    Gzip,
}

/// An image that cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Its manifest would not be read.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file of the tree cannot be read.
    #[error("{}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The root is not a directory.
    #[error("{} is not a directory: give the one that becomes the image's root", .path.display())]
    NotADirectory {
        /// What was given.
        path: PathBuf,
    },
    /// A file has no form in an archive.
    #[error("{} is a socket, which no archive can hold: remove it", .path.display())]
    Socket {
        /// The file.
        path: PathBuf,
    },
    /// The image cannot be written.
    #[error("the image cannot be written: {source}")]
    Write {
        /// Why.
        source: io::Error,
    },
}

/// Writes an image of this manifest and the tree below `root`, and gives its ID. The same manifest and tree
/// make the same bytes: the manifest, then the tree by names, with owners by number, times to the
/// nanosecond, hard links and, on Linux, extended attributes.
///
/// # Errors
/// A manifest that is not valid, a tree that cannot be read or has a socket, and what `to` says.
pub fn build(
    manifest: &[u8],
    root: &Path,
    to: impl Write,
    compression: Compression,
) -> Result<ImageId, BuildError> {
    ImageManifest::parse(manifest)?;
    let written = |source| BuildError::Write { source };
    match compression {
        Compression::None => Ok(archive(manifest, root, to)?.0),
        Compression::Gzip => {
            // Without a name and a time the same archive is the same file.
            let gzip = GzBuilder::new().write(to, flate2::Compression::default());
            let (id, gzip) = archive(manifest, root, gzip)?;
            gzip.finish().and_then(|mut to| to.flush()).map_err(written)?;
            Ok(id)
        }
    }
}

fn archive<W: Write>(manifest: &[u8], root: &Path, to: W) -> Result<(ImageId, W), BuildError> {
    let written = |source| BuildError::Write { source };
    let hashed = Hashed { to, hash: Sha512::new() };
    let mut writer = Writer { tar: tar::Builder::new(hashed), links: BTreeMap::new() };
    let mut header = header(EntryType::Regular, 0o644);
    header.set_size(u64::try_from(manifest.len()).unwrap_or(u64::MAX));
    set_name(&mut header.as_old_mut().name, MANIFEST.as_bytes());
    header.set_cksum();
    writer.tar.append(&header, manifest).map_err(written)?;
    let metadata = fs::metadata(root).map_err(|source| read_error(root, source))?;
    if !metadata.is_dir() {
        return Err(BuildError::NotADirectory { path: root.to_owned() });
    }
    writer.directory(root, Path::new(ROOTFS), &metadata)?;
    let mut hashed = writer.tar.into_inner().map_err(written)?;
    hashed.flush().map_err(written)?;
    let digest: [u8; 64] = hashed.hash.finalize().into();
    Ok((ImageId::from_digest(&digest), hashed.to))
}

/// Passes on what is written, and hashes it.
struct Hashed<W> {
    to: W,
    hash: Sha512,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

struct Writer<W: Write> {
    tar: tar::Builder<W>,
    /// The first name of each file that has several, by device and inode.
    links: BTreeMap<(u64, u64), PathBuf>,
}

impl<W: Write> Writer<W> {
    fn directory(
        &mut self,
        path: &Path,
        name: &Path,
        metadata: &Metadata,
    ) -> Result<(), BuildError> {
        self.entry(path, name, metadata)?;
        let failed = |source| read_error(path, source);
        let entries = fs::read_dir(path).map_err(failed)?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let mut names = names.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        names.sort();
        for part in names {
            let (path, name) = (path.join(&part), name.join(&part));
            let metadata =
                fs::symlink_metadata(&path).map_err(|source| read_error(&path, source))?;
            if metadata.is_dir() {
                self.directory(&path, &name, &metadata)?;
            } else {
                self.entry(&path, &name, &metadata)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: &Path, metadata: &Metadata) -> Result<(), BuildError> {
        let failed = |source| read_error(path, source);
        let kind = kind(metadata).ok_or_else(|| BuildError::Socket { path: path.to_owned() })?;
        let inode = (metadata.dev(), metadata.ino());
        let linked = metadata.nlink() > 1 && kind != EntryType::Directory;
        let first = self.links.get(&inode).filter(|_| linked).cloned();
        if linked && first.is_none() {
            self.links.insert(inode, name.to_owned());
        }
        let (kind, link) = match (first, kind) {
            (Some(first), _) => (EntryType::Link, Some(first)),
            (None, EntryType::Symlink) => (kind, Some(fs::read_link(path).map_err(failed)?)),
            (None, _) => (kind, None),
        };
        let mut header = header(kind, metadata.mode() & 0o7777);
        header.set_uid(metadata.uid().into());
        header.set_gid(metadata.gid().into());
        let mut records = Vec::new();
        if kind != EntryType::Link {
            records = attributes(path).map_err(failed)?;
        }
        match u64::try_from(metadata.mtime()) {
            Ok(seconds) if metadata.mtime_nsec() == 0 => header.set_mtime(seconds),
            seconds => {
                header.set_mtime(seconds.unwrap_or(0));
                records.push(("mtime".to_owned(), time(metadata).into_bytes()));
            }
        }
        let mut full_name = name.as_os_str().as_bytes().to_owned();
        if kind == EntryType::Directory {
            full_name.push(b'/');
        }
        if !set_name(&mut header.as_old_mut().name, &full_name) {
            records.push(("path".to_owned(), full_name));
        }
        if let Some(link) = link {
            let link = link.as_os_str().as_bytes();
            if !set_name(&mut header.as_old_mut().linkname, link) {
                records.push(("linkpath".to_owned(), link.to_owned()));
            }
        }
        if matches!(kind, EntryType::Char | EntryType::Block) {
            let (major, minor) = device(metadata);
            header.set_device_major(major).map_err(failed)?;
            header.set_device_minor(minor).map_err(failed)?;
        }
        let size = if kind == EntryType::Regular { metadata.len() } else { 0 };
        header.set_size(size);
        header.set_cksum();
        let written = |source| BuildError::Write { source };
        let records = records.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        self.tar.append_pax_extensions(records).map_err(written)?;
        if kind == EntryType::Regular {
            let file = File::open(path).map_err(failed)?;
            // Both sides can fail here; the file is the likelier one.
            self.tar.append(&header, Exactly { file, left: size }).map_err(failed)
        } else {
            self.tar.append(&header, io::empty()).map_err(written)
        }
    }
}

/// Reads as many bytes as the file had when its header was made, whatever it has now.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(buffer.get_mut(..most).unwrap_or_default())?;
        if read == 0 && most > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter"));
        }
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

/// A header with everything 0 that is not given.
fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

/// Puts a name into its 100 bytes of a header; where it does not fit, as much of it as does. Whether it did.
fn set_name(field: &mut [u8; 100], name: &[u8]) -> bool {
    for (to, from) in field.iter_mut().zip(name) {
        *to = *from;
    }
    name.len() <= field.len()
}

/// The kind of entry that a file becomes. `None`: a socket.
fn kind(metadata: &Metadata) -> Option<EntryType> {
    let kind = metadata.file_type();
    [
        (kind.is_file(), EntryType::Regular),
        (kind.is_dir(), EntryType::Directory),
        (kind.is_symlink(), EntryType::Symlink),
        (kind.is_fifo(), EntryType::Fifo),
        (kind.is_char_device(), EntryType::Char),
        (kind.is_block_device(), EntryType::Block),
    ]
    .into_iter()
    .find_map(|(is, kind)| is.then_some(kind))
}

/// The time of the last change, in seconds with all decimals, as the PAX record `mtime` has it. Nanoseconds
/// count forwards from the second before, also before 1970.
fn time(metadata: &Metadata) -> String {
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    if seconds < 0 && nanoseconds > 0 {
        let (whole, rest) = (seconds.saturating_add(1), 1_000_000_000 - nanoseconds);
        let sign = if whole == 0 { "-" } else { "" };
        return format!("{sign}{whole}.{rest:09}");
    }
    format!("{seconds}.{nanoseconds:09}")
}

#[cfg(target_os = "linux")]
fn device(metadata: &Metadata) -> (u32, u32) {
    (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()))
}

/// Other systems put the numbers together in other ways, and images of theirs have no devices.
#[cfg(not(target_os = "linux"))]
fn device(_metadata: &Metadata) -> (u32, u32) {
    (0, 0)
}

/// The extended attributes of a file as PAX records, by name.
#[cfg(target_os = "linux")]
fn attributes(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    use rustix::buffer::spare_capacity;
    use rustix::fs::{lgetxattr, llistxattr};

    /// The kernel's limit for a list of names and for a value (xattr(7)).
    const MOST: usize = 64 * 1024;

    let mut names = Vec::with_capacity(MOST);
    match llistxattr(path, spare_capacity(&mut names)) {
        Ok(_) => {}
        Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    }
    let mut records = Vec::new();
    let mut names: Vec<&[u8]> =
        names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    for name in names {
        let mut value = Vec::with_capacity(MOST);
        lgetxattr(path, name, spare_capacity(&mut value))?;
        let name = str::from_utf8(name).map_err(io::Error::other)?;
        records.push((format!("SCHILY.xattr.{name}"), value));
    }
    Ok(records)
}

/// Only Linux has them in a form that other tools read back.
#[cfg(not(target_os = "linux"))]
fn attributes(_path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    Ok(Vec::new())
}

fn read_error(path: &Path, source: io::Error) -> BuildError {
    BuildError::Read { path: path.to_owned(), source }
}
