//! Whiteouts of OCI layers (image-spec, layer.md).

use super::Error;
use super::names::split;
use crate::archive::shown;

/// What the name of an entry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whiteout {
    /// Nothing: it is a file as others.
    No,
    /// What lower layers have put at this name is to go.
    Name(Vec<u8>),
    /// What they have put into this directory is to go.
    Opaque(Vec<u8>),
    /// Something of AUFS's own.
    Ignored,
}

/// What the clean name `path` asks for.
pub(super) fn whiteout(path: &[u8]) -> Result<Whiteout, Error> {
    let (directory, name) = split(path);
    let Some(hidden) = name.strip_prefix(b".wh.") else { return Ok(Whiteout::No) };
    Ok(match hidden {
        b".wh..opq" => Whiteout::Opaque(directory.to_vec()),
        _ if hidden.starts_with(b".wh.") => Whiteout::Ignored,
        b"" | b"." | b".." => return Err(Error::Whiteout { path: shown(path) }),
        _ if directory.is_empty() => Whiteout::Name(hidden.to_vec()),
        _ => Whiteout::Name([directory, b"/", hidden].concat()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (path, wanted) in [
            ("a/b", Whiteout::No),
            (".wh.a/b", Whiteout::No),
            (".wh.b", Whiteout::Name(b"b".to_vec())),
            ("a/.wh.b", Whiteout::Name(b"a/b".to_vec())),
            ("a/.wh..wh..opq", Whiteout::Opaque(b"a".to_vec())),
            (".wh..wh..opq", Whiteout::Opaque(Vec::new())),
            ("a/.wh..wh.plnk", Whiteout::Ignored),
            ("a/.wh....", Whiteout::Name(b"a/...".to_vec())),
        ] {
            assert_eq!(whiteout(path.as_bytes()).unwrap(), wanted);
        }
        for path in [".wh.", "a/.wh.", "a/.wh..", "a/.wh..."] {
            assert!(matches!(whiteout(path.as_bytes()), Err(Error::Whiteout { .. })), "{path}");
        }
    }
}
