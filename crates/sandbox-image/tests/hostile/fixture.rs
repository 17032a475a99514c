//! Archives made by hand, and a directory to unpack them in that has a canary beside it.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs::{self, File};
use std::io::{BufReader, Cursor, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sandbox_image::archive::{self, Entries, Limits, Stream, StreamOptions};
use sandbox_image::unpack::{Choice, Error, Options, Report, Unpacker};
use tar::{EntryType, Header};
use tempfile::TempDir;

pub(crate) const NOW: u64 = 1_700_000_000;

/// The records of an archive.
#[derive(Default, Clone)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    pub(crate) fn header(kind: u8, name: &[u8], size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::new(kind));
        let field = &mut header.as_old_mut().name;
        let short = name.len().min(field.len());
        field[..short].copy_from_slice(&name[..short]);
        header.set_mode(if kind == b'5' { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(NOW);
        header.set_size(size);
        header.set_cksum();
        header
    }

    pub(crate) fn raw(mut self, header: &Header, body: &[u8]) -> Self {
        self.0.extend_from_slice(header.as_bytes());
        self.body(body)
    }

    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.0.extend_from_slice(body);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// With a GNU long name before it if it needs one.
    pub(crate) fn entry(mut self, kind: u8, name: impl AsRef<[u8]>, body: &[u8]) -> Self {
        let name = name.as_ref();
        if name.len() > 100 {
            self = self.long(b'L', name);
        }
        self.raw(&Self::header(kind, name, body.len() as u64), body)
    }

    pub(crate) fn long(self, kind: u8, name: &[u8]) -> Self {
        let name = [name, b"\0"].concat();
        self.raw(&Self::header(kind, b"././@LongLink", name.len() as u64), &name)
    }

    pub(crate) fn file(self, name: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Self {
        self.entry(b'0', name, body.as_ref())
    }

    pub(crate) fn dir(self, name: impl AsRef<[u8]>) -> Self {
        self.entry(b'5', name, b"")
    }

    pub(crate) fn link(
        mut self,
        kind: u8,
        name: impl AsRef<[u8]>,
        target: impl AsRef<[u8]>,
    ) -> Self {
        let target = target.as_ref();
        if target.len() > 100 {
            self = self.long(b'K', target);
        }
        let mut header = Self::header(kind, name.as_ref(), 0);
        let short = target.len().min(100);
        header.as_old_mut().linkname[..short].copy_from_slice(&target[..short]);
        header.set_cksum();
        self.raw(&header, b"")
    }

    pub(crate) fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.link(b'2', name, target)
    }

    pub(crate) fn hard(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.link(b'1', name, target)
    }

    pub(crate) fn with(self, kind: u8, name: &str, change: impl FnOnce(&mut Header)) -> Self {
        let mut header = Self::header(kind, name.as_bytes(), 0);
        change(&mut header);
        header.set_cksum();
        self.raw(&header, b"")
    }

    pub(crate) fn pax(self, kind: u8, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (keyword, value) in records {
            let rest = keyword.len() + value.len() + 3;
            let mut length = rest;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            write!(body, "{length} {keyword}=").unwrap();
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        self.raw(&Self::header(kind, b"pax", body.len() as u64), &body)
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

/// A target with a canary beside it.
pub(crate) struct Place {
    all: TempDir,
    pub(crate) target: PathBuf,
    pub(crate) outside: PathBuf,
    before: BTreeMap<PathBuf, String>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let all = TempDir::new().unwrap();
        let (target, outside) = (all.path().join("target"), all.path().join("outside"));
        fs::create_dir(&target).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("canary"), "alive").unwrap();
        fs::create_dir(outside.join("nest")).unwrap();
        std::os::unix::fs::symlink("canary", outside.join("link")).unwrap();
        fs::set_permissions(all.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let before = listing(all.path(), &target);
        Self { all, target, outside, before }
    }

    /// Whether all but the target is as it was.
    #[track_caller]
    pub(crate) fn unharmed(&self) {
        assert_eq!(listing(self.all.path(), &self.target), self.before);
    }

    pub(crate) fn options() -> Options {
        Options::for_caller()
    }

    pub(crate) fn unpack(&self, tar: &[u8]) -> Result<Report, Error> {
        self.unpack_with(tar, Self::options())
    }

    pub(crate) fn unpack_with(&self, tar: &[u8], options: Options) -> Result<Report, Error> {
        self.layers(&[tar], options)
    }

    #[track_caller]
    pub(crate) fn layers(&self, layers: &[&[u8]], options: Options) -> Result<Report, Error> {
        let mut unpacker = Unpacker::new(File::open(&self.target).unwrap().into(), options);
        let mut all = || {
            for layer in layers {
                let stream = stream(layer.to_vec())?;
                let mut entries = Entries::new(stream, Limits::default());
                unpacker.apply(&mut entries, &mut |_| Choice::Unpack)?;
                entries.finish()?.finish()?;
            }
            Ok(())
        };
        let result: Result<(), Error> = all();
        self.unharmed();
        result?;
        let report = unpacker.finish();
        self.unharmed();
        report
    }

    /// Names below the target, directories with a `/` behind.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        walk(&self.target, &mut |path| {
            let slash = if path.symlink_metadata().unwrap().is_dir() { "/" } else { "" };
            let name = path.strip_prefix(&self.target).unwrap().display().to_string();
            names.push(name + slash);
        });
        names.sort();
        names
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(fs::read(self.target.join(name)).unwrap()).unwrap()
    }
}

pub(crate) fn stream(bytes: Vec<u8>) -> Result<Stream, archive::Error> {
    Stream::new(Cursor::new(bytes), StreamOptions::default())
}

/// Unpacks into a place of its own, which has to fail, and gives the message.
#[track_caller]
pub(crate) fn refused(tar: &[u8]) -> String {
    message(&Place::new().unpack(tar).expect_err("it was unpacked"))
}

/// An error's message; of one line, which names what has caused it as well.
#[track_caller]
pub(crate) fn message(error: &Error) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 600, "{text}");
    if let Some(source) = error.source() {
        assert!(text.contains(&source.to_string()), "{text} lacks {source}");
    }
    text
}

#[track_caller]
pub(crate) fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

fn walk(directory: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        each(&path);
        if path.symlink_metadata().unwrap().is_dir() {
            walk(&path, each);
        }
    }
}

/// All that can be told of what is below a directory, except for `but` and what is in it.
fn listing(directory: &Path, but: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    let mut note = |path: &Path| {
        let m = path.symlink_metadata().unwrap();
        let content = if m.is_file() { fs::read(path).unwrap() } else { Vec::new() };
        let target = fs::read_link(path).unwrap_or_default();
        let text = format!(
            "{:o} {} {} {} {} {}.{} {content:?} {:?}",
            m.mode(),
            m.uid(),
            m.gid(),
            m.nlink(),
            m.ino(),
            m.mtime(),
            m.mtime_nsec(),
            target.as_os_str().as_bytes()
        );
        all.insert(path.to_owned(), text);
    };
    note(directory);
    walk(directory, &mut |path| {
        if !path.starts_with(but) {
            note(path);
        }
    });
    all
}

pub(crate) fn gzip(bytes: impl Read) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::bufread::GzEncoder::new(BufReader::new(bytes), flate2::Compression::fast())
        .read_to_end(&mut out)
        .unwrap();
    out
}

pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bzip2::bufread::BzEncoder::new(bytes, bzip2::Compression::fast())
        .read_to_end(&mut out)
        .unwrap();
    out
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    liblzma::bufread::XzEncoder::new(bytes, 1).read_to_end(&mut out).unwrap();
    out
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
