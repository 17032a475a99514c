//! Mounts as text: the fields of fstab(5), and its mount options.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::{ConfigError, Field};
use crate::mount::{Filesystem, Mount, MountFlag, OverlayUpper, Recursion};

impl Mount {
    /// A mount from the fields of fstab(5): source, target, type, and options separated by commas.
    ///
    /// Types: `proc`, `tmpfs`, `sysfs`, `mqueue`, `overlay`, `dev` (the minimal `/dev`), and `none` or
    /// nothing with the option `bind`, `rbind` or `remount`.
    pub fn from_fields(
        source: &OsStr,
        target: &OsStr,
        kind: &OsStr,
        options: &OsStr,
    ) -> Result<Self, ConfigError> {
        let mut parsed = Options::parse(options)?;
        let filesystem = parsed.filesystem(source, kind)?;
        parsed.finish(kind)?;
        let mut mount = Self::new(target, filesystem)?;
        mount.flags = parsed.flags;
        mount.validate(&"mount".into()).map(|()| mount)
    }
}

/// One line of fstab(5): four fields separated by blanks, `\040` for a blank in a field, `\134` for `\`.
impl FromStr for Mount {
    type Err = ConfigError;

    fn from_str(line: &str) -> Result<Self, ConfigError> {
        let fields: Vec<OsString> =
            line.trim().split([' ', '\t']).filter(|f| !f.is_empty()).map(unescape).collect();
        let (source, target, kind, options) = match fields.as_slice() {
            // The fifth and sixth field, dump and pass, mean nothing here.
            [source, target, kind] => (source, target, kind, OsString::new()),
            [source, target, kind, options, ..] if fields.len() <= 6 => {
                (source, target, kind, options.clone())
            }
            _ => {
                let expected = "give SOURCE TARGET TYPE [OPTIONS], as in fstab(5)".to_owned();
                return Err(ConfigError::Invalid {
                    field: "mount".into(),
                    value: line.into(),
                    expected,
                });
            }
        };
        Self::from_fields(source, target, kind, &options)
    }
}

/// Undoes fstab's escapes: a backslash and three octal digits stand for a byte.
fn unescape(field: &str) -> OsString {
    let mut bytes = field.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    while let [first, rest @ ..] = bytes {
        let escaped = match rest {
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] if *first == b'\\' => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        plain.push(escaped.unwrap_or(*first));
        bytes = if escaped.is_some() { &rest[3..] } else { rest };
    }
    OsString::from_vec(plain)
}

/// Mount options, taken apart: flags that any type has, and the rest, which the type consumes.
struct Options {
    flags: BTreeSet<MountFlag>,
    rest: Vec<(String, Option<OsString>)>,
}

impl Options {
    fn parse(text: &OsStr) -> Result<Self, ConfigError> {
        let mut options = Self { flags: BTreeSet::new(), rest: Vec::new() };
        for word in text.as_bytes().split(|byte| *byte == b',').filter(|word| !word.is_empty()) {
            let (name, value) = match word.iter().position(|byte| *byte == b'=') {
                Some(at) => (&word[..at], Some(OsStr::from_bytes(&word[at + 1..]).to_owned())),
                None => (word, None),
            };
            let Ok(name) = std::str::from_utf8(name) else {
                return Err(invalid("options", OsStr::from_bytes(word), "options are text"));
            };
            let flags = &mut options.flags;
            let _ = match (name, &value) {
                ("ro", None) => flags.insert(MountFlag::ReadOnly),
                ("rw", None) => flags.remove(&MountFlag::ReadOnly),
                ("nosuid", None) => flags.insert(MountFlag::NoSuid),
                ("suid", None) => flags.remove(&MountFlag::NoSuid),
                ("nodev", None) => flags.insert(MountFlag::NoDev),
                ("dev", None) => flags.remove(&MountFlag::NoDev),
                ("noexec", None) => flags.insert(MountFlag::NoExec),
                ("exec", None) => flags.remove(&MountFlag::NoExec),
                ("defaults", None) => true,
                _ => {
                    options.rest.push((name.to_owned(), value));
                    true
                }
            };
        }
        Ok(options)
    }

    fn filesystem(&mut self, source: &OsStr, kind: &OsStr) -> Result<Filesystem, ConfigError> {
        Ok(match kind.to_str() {
            Some("proc") => Filesystem::Proc,
            Some("sysfs") => Filesystem::Sysfs,
            Some("mqueue") => Filesystem::Mqueue,
            Some("dev") => Filesystem::Dev,
            Some("tmpfs") => {
                let size = self.value("size").map(|size| parse_size(&size)).transpose()?;
                let mode = self.value("mode").map(|mode| parse_mode(&mode)).transpose()?;
                Filesystem::Tmpfs { size, mode }
            }
            Some("overlay") => self.overlay()?,
            Some("" | "none" | "bind") => self.bind(source, kind)?,
            _ => {
                let expected = "types are proc, tmpfs, dev, sysfs, mqueue, overlay, and none with the \
                                option bind, rbind or remount";
                return Err(invalid("type", kind, expected));
            }
        })
    }

    fn bind(&mut self, source: &OsStr, kind: &OsStr) -> Result<Filesystem, ConfigError> {
        let mut flag = |name: &str| -> Result<Option<()>, ConfigError> {
            match self.value(name) {
                None => Ok(None),
                Some(value) if value.is_empty() => Ok(Some(())),
                Some(value) => Err(invalid("options", &value, "this option takes no value")),
            }
        };
        let (bind, rbind, remount) = (flag("bind")?, flag("rbind")?, flag("remount")?);
        if remount.is_some() {
            return Ok(Filesystem::Remount);
        }
        let recursion = match (rbind, bind) {
            (Some(()), _) => Recursion::Recursive,
            (None, Some(())) => Recursion::Single,
            (None, None) => {
                let expected = "this type needs the option bind, rbind or remount";
                return Err(invalid("type", kind, expected));
            }
        };
        Ok(Filesystem::Bind { source: source.into(), recursion })
    }

    fn overlay(&mut self) -> Result<Filesystem, ConfigError> {
        let lower = self.value("lowerdir").unwrap_or_default();
        let lower = lower.as_bytes().split(|byte| *byte == b':').filter(|dir| !dir.is_empty());
        let lower = lower.map(|dir| PathBuf::from(OsStr::from_bytes(dir))).collect();
        let upper = match (self.value("upperdir"), self.value("workdir")) {
            (Some(upper), Some(work)) => {
                Some(OverlayUpper { upper: upper.into(), work: work.into() })
            }
            (None, None) => None,
            (Some(dir), None) | (None, Some(dir)) => {
                return Err(invalid("options", &dir, "upperdir and workdir come together"));
            }
        };
        Ok(Filesystem::Overlay { lower, upper })
    }

    /// Takes an option out; the last of several wins. An option without a value gives an empty one.
    fn value(&mut self, name: &str) -> Option<OsString> {
        let mut found = None;
        self.rest.retain(|(other, value)| {
            let same = other == name;
            if same {
                found = Some(value.clone().unwrap_or_default());
            }
            !same
        });
        found
    }

    /// Refuses what the type did not consume.
    fn finish(&self, kind: &OsStr) -> Result<(), ConfigError> {
        match self.rest.first() {
            None => Ok(()),
            Some((name, _)) => {
                let kind = kind.display();
                Err(invalid("options", name.as_ref(), &format!("type `{kind}` has no such option")))
            }
        }
    }
}

fn parse_size(text: &OsStr) -> Result<u64, ConfigError> {
    let fail = || invalid("size", text, "give bytes, with k, m or g for powers of 1024");
    let text = text.to_str().ok_or_else(fail)?;
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1 << 10),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1 << 20),
        Some(b'g' | b'G') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    // Zero would mean "no limit" to tmpfs(5): say that by leaving the option out.
    let size = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    size.filter(|size| *size > 0).ok_or_else(fail)
}

fn parse_mode(text: &OsStr) -> Result<u32, ConfigError> {
    let mode = text.to_str().and_then(|text| u32::from_str_radix(text, 8).ok());
    let fail = || invalid("mode", text, "give permission bits in octal, such as 1777");
    mode.filter(|mode| *mode <= 0o7777).ok_or_else(fail)
}

fn invalid(part: &str, value: &OsStr, expected: &str) -> ConfigError {
    let field = Field::new(format!("mount {part}"));
    ConfigError::Invalid { field, value: value.to_owned(), expected: expected.to_owned() }
}
