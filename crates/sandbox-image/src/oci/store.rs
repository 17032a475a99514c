//! Where the files of an image are: a directory, or an archive that is read where its members lie.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags};
use serde::de::DeserializeOwned;

use super::error::OciError;
use super::json;
use crate::archive::{Compression, Entries, Kind, Limits, Stream, StreamOptions};

/// The most members of an archive of an image; one of a hundred layers has some hundreds.
const MEMBERS: u64 = 20_000;
/// The longest name of a member that could be a part of an image.
const NAME: usize = 256;
/// How many links lead from one member to another.
const HOPS: usize = 8;

pub(super) struct Store {
    path: PathBuf,
    files: Files,
}

enum Files {
    Directory(OwnedFd),
    Archive { file: Arc<File>, members: BTreeMap<Vec<u8>, Member> },
}

enum Member {
    Content { offset: u64, size: u64 },
    Link { target: Vec<u8> },
}

/// An open file of an image.
pub(super) struct Blob {
    pub(super) content: Box<dyn Read + Send>,
    pub(super) size: u64,
}

impl Store {
    pub(super) fn directory(directory: OwnedFd, path: &Path) -> Self {
        Self { path: path.to_owned(), files: Files::Directory(directory) }
    }

    /// Reads an archive over once to see what is where. One that is compressed, or comes through a
    /// pipe, is put uncompressed into `scratch` before, as a file without a name.
    pub(super) fn archive(
        file: File,
        path: &Path,
        scratch: BorrowedFd<'_>,
        max_bytes: u64,
    ) -> Result<Self, OciError> {
        let io = |source| OciError::Io { action: "read", path: path.to_owned(), source };
        let is_file = file.metadata().map_err(io)?.is_file();
        let mut head = [0; Compression::PEEK];
        let plain = is_file && {
            let count = file.read_at(&mut head, 0).map_err(io)?;
            Compression::of(head.get(..count).unwrap_or_default()) == Compression::None
        };
        let file = if plain { file } else { spool(file, path, scratch, max_bytes)? };
        let file = Arc::new(file);
        let size = file.metadata().map_err(io)?.len();
        let members = members(Part { file: file.clone(), position: 0, end: size })
            .map_err(|source| OciError::Archive { file: path.display().to_string(), source })?;
        Ok(Self { path: path.to_owned(), files: Files::Archive { file, members } })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file, if it is there.
    pub(super) fn open(&self, name: &str) -> Result<Option<Blob>, OciError> {
        match &self.files {
            Files::Directory(directory) => self.open_file(directory.as_fd(), name),
            Files::Archive { file, members } => Ok(find(members, name).map(|(offset, size)| {
                let end = offset.saturating_add(size);
                let content = Box::new(Part { file: file.clone(), position: offset, end });
                Blob { content, size }
            })),
        }
    }

    fn open_file(&self, at: BorrowedFd<'_>, name: &str) -> Result<Option<Blob>, OciError> {
        let io =
            |source: io::Error| OciError::Io { action: "open", path: self.path.join(name), source };
        let file = match open_below(at, name) {
            Ok(fd) => File::from(fd),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(io(errno.into())),
        };
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(io(io::Error::other("it is not a regular file")));
        }
        Ok(Some(Blob { content: Box::new(file), size: metadata.len() }))
    }

    /// All of a file that is JSON, if it is there.
    pub(super) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, OciError> {
        let Some(mut blob) = self.open(name)? else { return Ok(None) };
        if blob.size > json::LARGEST {
            let (file, size) = (name.to_owned(), blob.size);
            return Err(OciError::JsonTooLarge { file, size, limit: json::LARGEST });
        }
        let mut bytes = Vec::new();
        let io = |source| OciError::Io { action: "read", path: self.path.join(name), source };
        blob.content.by_ref().take(blob.size).read_to_end(&mut bytes).map_err(io)?;
        Ok(Some(bytes))
    }

    /// What a file says, if it is there.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, OciError> {
        self.bytes(name)?.map(|bytes| json::parse(name, &bytes)).transpose()
    }

    /// The error that a file is not there.
    pub(super) fn missing(&self, name: impl Into<String>) -> OciError {
        OciError::NoFile { path: self.path.clone(), file: name.into() }
    }
}

/// Links may lead to other files of the same directory. A pipe is opened without waiting for its writer.
fn open_below(at: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags;
        let below = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        rustix::fs::openat2(at, name, flags, Mode::empty(), below)
    }
    #[cfg(not(target_os = "linux"))]
    rustix::fs::openat(at, name, flags | OFlags::NOFOLLOW, Mode::empty())
}

/// The uncompressed archive, in a file that has no name any more.
fn spool(
    file: File,
    path: &Path,
    scratch: BorrowedFd<'_>,
    max_bytes: u64,
) -> Result<File, OciError> {
    let io = |action| {
        let path = path.to_owned();
        move |source: io::Error| OciError::Io { action, path, source }
    };
    let name = format!(".archive-{}", std::process::id());
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let action = "make a file for what is in";
    let copy = rustix::fs::openat(scratch, &*name, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| io(action)(errno.into()))?;
    rustix::fs::unlinkat(scratch, &*name, AtFlags::empty())
        .map_err(|errno| io(action)(errno.into()))?;
    let mut copy = File::from(copy);
    let archive = |source| OciError::Archive { file: path.display().to_string(), source };
    let options = StreamOptions { max_bytes: Some(max_bytes), ..StreamOptions::default() };
    let mut stream = Stream::new(file, options).map_err(archive)?;
    match io::copy(&mut stream, &mut copy) {
        Ok(_) => Ok(copy),
        Err(error) => match error.downcast::<crate::archive::Error>() {
            Ok(error) => Err(archive(error)),
            Err(error) => Err(io("copy what is in")(error)),
        },
    }
}

/// What is where in an archive.
fn members(archive: Part) -> Result<BTreeMap<Vec<u8>, Member>, crate::archive::Error> {
    let mut members = BTreeMap::new();
    let input = BufReader::with_capacity(1 << 18, archive);
    let mut entries = Entries::new(input, Limits { entries: MEMBERS });
    while let Some(entry) = entries.next_entry()? {
        let Some(name) = resolve(b"", &entry.path).filter(|name| name.len() <= NAME) else {
            continue;
        };
        let directory = name.rsplitn(2, |byte| *byte == b'/').nth(1).unwrap_or_default();
        let target = |target: Option<Vec<u8>>| {
            let target = target.filter(|target| target.len() <= NAME)?;
            Some(Member::Link { target })
        };
        let member = match &entry.kind {
            Kind::File => Some(Member::Content { offset: entry.offset, size: entry.size }),
            Kind::Symlink { target: path } => target(resolve(directory, path)),
            Kind::HardLink { target: path } => target(resolve(b"", path)),
            _ => None,
        };
        if let Some(member) = member {
            members.insert(name, member);
        }
    }
    entries.finish()?;
    Ok(members)
}

/// The content of a member, whose name may be a link's.
fn find(members: &BTreeMap<Vec<u8>, Member>, name: &str) -> Option<(u64, u64)> {
    let mut name = resolve(b"", name.as_bytes())?;
    for _ in 0..HOPS {
        match members.get(&name)? {
            Member::Content { offset, size } => return Some((*offset, *size)),
            Member::Link { target } => name.clone_from(target),
        }
    }
    None
}

/// Where a path leads from a directory of the archive; nowhere if that is outside.
fn resolve(directory: &[u8], path: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = match path.first() {
        Some(b'/') => Vec::new(),
        _ => directory.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect(),
    };
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join(&b'/'))
}

/// A part of a file.
struct Part {
    file: Arc<File>,
    position: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        let count = self.file.read_at(buffer.get_mut(..most).unwrap_or_default(), self.position)?;
        self.position = self.position.saturating_add(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_archive() {
        for (directory, path, want) in [
            ("", "./a//b/", Some("a/b")),
            ("", "/a", Some("a")),
            ("x", "../y/layer.tar", Some("y/layer.tar")),
            ("x/y", "z", Some("x/y/z")),
            ("x", "/z", Some("z")),
            ("x", "../../z", None),
            ("", "..", None),
            ("", ".", Some("")),
        ] {
            let found = resolve(directory.as_bytes(), path.as_bytes());
            assert_eq!(found.as_deref(), want.map(str::as_bytes), "{directory} {path}");
        }
    }

    #[test]
    fn links_are_followed_for_a_while() {
        let link = |target: &str| Member::Link { target: target.into() };
        let members = BTreeMap::from([
            (b"a".to_vec(), link("b")),
            (b"b".to_vec(), Member::Content { offset: 512, size: 7 }),
            (b"c".to_vec(), link("c")),
            (b"d".to_vec(), link("e")),
        ]);
        assert_eq!(find(&members, "./a"), Some((512, 7)));
        assert_eq!(find(&members, "b"), Some((512, 7)));
        for name in ["c", "d", "e", "../b"] {
            assert_eq!(find(&members, name), None, "{name}");
        }
    }
}
