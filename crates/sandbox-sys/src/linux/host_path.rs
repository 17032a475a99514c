//! Paths of the host, made such that they mean in the child what they mean here.
//!
//! The child's root directory is the host's, with the new root mounted on it. A path that starts at the root
//! does not enter what is mounted on that; but one that comes back to it by `..` does, as from any
//! directory that is a mount point (path_resolution(7)). So `/usr/../srv` and `/etc/os-release`, where
//! that is a link to `../usr/lib/os-release`, would be looked up in the new root.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path, PathBuf};

/// As the kernel has it.
const MOST_LINKS: usize = 40;

/// An absolute path to the same file, on which no `..` leads to the root directory.
pub(super) fn host_path(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    Ok(from_root(&path, |link| std::fs::read_link(link).ok()))
}

/// What is left of a path after the last `..` that leads to the root directory; all of it where there is
/// none. `link` reads a link; what is none, or cannot be read, is a name like any.
fn from_root(path: &Path, link: impl Fn(&Path) -> Option<PathBuf>) -> PathBuf {
    let mut from_root = path.to_owned();
    let mut at = PathBuf::from("/");
    let mut left = names(path.as_os_str());
    let mut links = 0;
    while let Some(name) = left.pop() {
        if name == ".." {
            at.pop();
            if at.parent().is_none() {
                from_root = Path::new("/").join(left.iter().rev().collect::<PathBuf>());
            }
            continue;
        }
        at.push(&name);
        let Some(to) = link(&at) else { continue };
        links += 1;
        if links > MOST_LINKS {
            break;
        }
        at.pop();
        if to.is_absolute() {
            at = PathBuf::from("/");
        }
        left.extend(names(to.as_os_str()));
    }
    from_root
}

/// The names that a path is made of, the last first.
fn names(path: &OsStr) -> Vec<OsString> {
    let name = |part: Component| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    Path::new(path).components().rev().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host with a few links.
    fn link(path: &Path) -> Option<PathBuf> {
        let to = match path.to_str()? {
            "/etc/os-release" => "../usr/lib/os-release",
            "/usr/lib/deep" => "../../etc/os-release",
            "/usr/lib/near" => "../share",
            "/usr/lib/above" => "../../../../srv/x",
            "/link" => "/usr/lib",
            "/loop" => "/loop/../loop",
            _ => return None,
        };
        Some(to.into())
    }

    #[test]
    fn no_way_back_to_the_root_is_left() {
        for (path, expected) in [
            ("/", "/"),
            ("/usr/lib/x", "/usr/lib/x"),
            ("/usr/lib/../x", "/usr/lib/../x"),
            ("/usr/lib/near/x", "/usr/lib/near/x"),
            ("/link/near", "/link/near"),
            ("/..", "/"),
            ("/../usr", "/usr"),
            ("/usr/../etc/passwd", "/etc/passwd"),
            ("/etc/os-release", "/usr/lib/os-release"),
            ("/etc/os-release/../x", "/usr/lib/os-release/../x"),
            ("/usr/lib/deep", "/usr/lib/os-release"),
            ("/usr/lib/above/y", "/srv/x/y"),
            ("/link/../x", "/link/../x"),
            ("/link/../../x", "/x"),
            ("/usr/lib/../../..", "/"),
        ] {
            assert_eq!(from_root(Path::new(path), link), Path::new(expected), "{path}");
        }
        from_root(Path::new("/loop/x"), link);
    }
}
