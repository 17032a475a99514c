//! Names of entries: cleaned, and remembered in little memory.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::{Error, Names};
use crate::archive::shown;

/// A name without `.`, `//` and a `/` at the end. Empty for the top directory.
pub(super) fn clean(path: &[u8], names: Names) -> Result<Vec<u8>, Error> {
    if names == Names::Strict && path.starts_with(b"/") {
        return Err(Error::Absolute { path: shown(path) });
    }
    let mut clean = Vec::with_capacity(path.len());
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => continue,
            b".." => return Err(Error::Parent { path: shown(path) }),
            _ => {}
        }
        if !clean.is_empty() {
            clean.push(b'/');
        }
        clean.extend_from_slice(part);
    }
    Ok(clean)
}

/// What is left of a clean name after its first `count` parts; `None` where there are fewer.
pub(super) fn strip(path: &[u8], count: usize) -> Option<&[u8]> {
    let mut rest = path;
    for _ in 0..count {
        if rest.is_empty() {
            return None;
        }
        rest = match rest.iter().position(|byte| *byte == b'/') {
            Some(slash) => rest.get(slash + 1..)?,
            None => &[],
        };
    }
    Some(rest)
}

/// The directory that a clean name is in, and its last part.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => {
            let (directory, name) = path.split_at(slash);
            (directory, name.strip_prefix(b"/").unwrap_or(name))
        }
        None => (&[], path),
    }
}

/// A set of names, of 8 bytes each. A name that isn't there could be taken for one that is: by chance
/// once in 2^64 / n, and nobody can bring it about, as the hash has a random key.
#[derive(Default)]
pub(super) struct NameSet {
    state: RandomState,
    hashes: HashSet<u64>,
}

impl NameSet {
    /// Whether it was not there.
    pub(super) fn insert(&mut self, name: &[u8]) -> bool {
        self.hashes.insert(self.state.hash_one(name))
    }

    /// Adds a name and the directories that it is in.
    pub(super) fn insert_all(&mut self, mut name: &[u8]) {
        while !name.is_empty() && self.insert(name) {
            name = split(name).0;
        }
    }

    /// Whether it has a name, or a directory that this is in.
    pub(super) fn contains_any(&self, mut name: &[u8]) -> bool {
        loop {
            if self.contains(name) {
                return true;
            }
            if name.is_empty() {
                return false;
            }
            name = split(name).0;
        }
    }

    pub(super) fn contains(&self, name: &[u8]) -> bool {
        !self.hashes.is_empty() && self.hashes.contains(&self.state.hash_one(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaned() {
        for (raw, wanted) in
            [("./a//b/./c/", "a/b/c"), ("./", ""), (".", ""), ("...", "..."), ("a\\..", "a\\..")]
        {
            assert_eq!(clean(raw.as_bytes(), Names::Strict).unwrap(), wanted.as_bytes());
        }
        assert!(matches!(clean(b"/a", Names::Strict), Err(Error::Absolute { .. })));
        assert_eq!(clean(b"//a", Names::Lenient).unwrap(), b"a");
        for path in ["..", "a/..", "../a", "a/../b", "./.."] {
            for names in [Names::Strict, Names::Lenient] {
                assert!(matches!(clean(path.as_bytes(), names), Err(Error::Parent { .. })));
            }
        }
    }

    #[test]
    fn stripped_and_split() {
        assert_eq!(strip(b"rootfs/bin/sh", 1), Some(&b"bin/sh"[..]));
        assert_eq!(strip(b"rootfs", 1), Some(&b""[..]));
        assert_eq!(strip(b"rootfs", 2), None);
        assert_eq!(split(b"a/b/c"), (&b"a/b"[..], &b"c"[..]));
        assert_eq!(split(b"a"), (&b""[..], &b"a"[..]));
    }
}
