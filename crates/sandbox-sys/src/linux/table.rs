//! The mounts below one, by the host's /proc, in the child.

use super::kernel::{self, Errno};
use super::word::Word;

/// What of a line of mountinfo (proc(5)) is read at once.
const BLOCK: usize = 4096;

/// Does something with a mount and with all that can be reached below it. Of several mounts on one place
/// that is the topmost one: without the right to unmount it nobody gets to the others.
pub(super) fn each_mount_of(
    tree: i32,
    mut action: impl FnMut(i32) -> Result<(), Errno>,
) -> Result<(), Errno> {
    // Its own mount is what the descriptor is on: in a file, nothing can be looked up.
    action(tree)?;
    let base = kernel::path_of(tree)?;
    let file = kernel::open(c"/proc/thread-self/mountinfo", libc::O_RDONLY)?;
    let mut lines = Lines::of(file);
    let done = loop {
        match lines.next() {
            Ok(Some((id, path))) => {
                let Some(below) = below(path.as_c_str().to_bytes(), base.as_c_str().to_bytes())
                else {
                    continue;
                };
                if below == b"/" {
                    continue;
                }
                if let Err(errno) = at(tree, id, below, &mut action) {
                    break Err(errno);
                }
            }
            Ok(None) => break Ok(()),
            Err(errno) => break Err(errno),
        }
    };
    kernel::close(file);
    done
}

/// Opens what is at a path, and does something with it where it is the mount of an id.
fn at(
    tree: i32,
    id: u64,
    below: &[u8],
    action: &mut impl FnMut(i32) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let path = Word::of(below)?;
    let mount = match kernel::open_in_root(tree, path.as_c_str(), libc::O_PATH) {
        // Another mount hides it, or it is of another tree with the same names.
        Err(libc::ENOENT | libc::ENOTDIR) => return Ok(()),
        mount => mount?,
    };
    let done = match kernel::mount_id(mount) {
        Ok(found) if found == id => action(mount),
        Ok(_) => Ok(()),
        Err(errno) => Err(errno),
    };
    kernel::close(mount);
    done
}

/// What a path is below another one, with a `/` at its start.
fn below<'a>(path: &'a [u8], base: &[u8]) -> Option<&'a [u8]> {
    let base = if base == b"/" { b"" } else { base };
    let rest = path.strip_prefix(base)?;
    match rest {
        [] => Some(b"/"),
        [b'/', ..] => Some(rest),
        _ => None,
    }
}

/// Reads mountinfo.
struct Lines {
    file: i32,
    block: [u8; BLOCK],
    start: usize,
    end: usize,
}

impl Lines {
    fn of(file: i32) -> Self {
        Self { file, block: [0; BLOCK], start: 0, end: 0 }
    }

    fn byte(&mut self) -> Result<Option<u8>, Errno> {
        if self.start == self.end {
            self.start = 0;
            self.end = kernel::read(self.file, &mut self.block)?;
        }
        let byte = (self.start < self.end).then(|| self.block.get(self.start).copied()).flatten();
        self.start += usize::from(byte.is_some());
        Ok(byte)
    }

    /// The id of the next mount and where it is, without the `\ooo` that stand for blanks and the like.
    fn next(&mut self) -> Result<Option<(u64, Word)>, Errno> {
        const ID: u32 = 0;
        const MOUNT_POINT: u32 = 4;
        let (mut id, mut path) = (0_u64, Word::of(b"")?);
        let mut field = 0;
        let mut any = false;
        while let Some(byte) = self.byte()? {
            any = true;
            match (byte, field) {
                (b'\n', MOUNT_POINT..) => return Ok(Some((id, path))),
                (b' ', _) => field += 1,
                (b'0'..=b'9', ID) => {
                    let digit = u64::from(byte - b'0');
                    id = id
                        .checked_mul(10)
                        .and_then(|id| id.checked_add(digit))
                        .ok_or(libc::EPROTO)?;
                }
                (b'\\', MOUNT_POINT) => {
                    let mut code = 0_u8;
                    for _ in 0..3 {
                        let digit = self.byte()?.filter(|byte| (b'0'..=b'7').contains(byte));
                        code = (code << 3) | (digit.ok_or(libc::EPROTO)? - b'0');
                    }
                    path.push(&[code])?;
                }
                (byte, MOUNT_POINT) => path.push(&[byte])?,
                _ => {}
            }
        }
        if any { Err(libc::EPROTO) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_below_another_by_whole_names() {
        for (path, base, rest) in [
            ("/a/b", "/a", Some("/b")),
            ("/a", "/a", Some("/")),
            ("/a/b", "/", Some("/a/b")),
            ("/", "/", Some("/")),
            ("/ab", "/a", None),
            ("/b", "/a", None),
        ] {
            let found = below(path.as_bytes(), base.as_bytes());
            assert_eq!(found, rest.map(str::as_bytes), "{path} {base}");
        }
    }
}
