//! What is the host's in the new root, and what is memory that ends with the sandbox.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use sandbox_core::InsidePath;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Host,
    Memory,
}

/// What is mounted where so far. A look-up costs what a path has components, not what there are mounts.
#[derive(Default)]
pub(super) struct Places(BTreeMap<OsString, Place>);

impl Places {
    /// Something is mounted: what was mounted below it is covered.
    pub(super) fn mount(&mut self, target: &InsidePath, place: Place) {
        // Where it leads is not known: what is below another name of it is taken for what it was.
        if is_dotted(target) {
            return;
        }
        if target.is_root() {
            self.0.clear();
        } else {
            let mut first = target.as_os_str().to_owned();
            first.push("/");
            let below = self.0.range(first.clone()..);
            let covered: Vec<_> = below
                .map(|(path, _)| path)
                .take_while(|path| path.as_encoded_bytes().starts_with(first.as_encoded_bytes()))
                .cloned()
                .collect();
            for path in covered {
                self.0.remove(&path);
            }
        }
        self.0.insert(target.as_os_str().to_owned(), place);
    }

    /// Whether a path is, or may be, on the host: where `..` leads is not known yet.
    pub(super) fn on_host(&self, path: &InsidePath) -> bool {
        if is_dotted(path) {
            return true;
        }
        let mut around =
            path.as_path().ancestors().map(|path| self.0.get(path.as_os_str() as &OsStr));
        around.find_map(|place| place).is_none_or(|place| *place == Place::Host)
    }
}

fn is_dotted(path: &InsidePath) -> bool {
    path.components().any(|name| name == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(path: &str) -> InsidePath {
        InsidePath::absolute(path, "test").unwrap()
    }

    #[test]
    fn the_nearest_mount_counts_and_later_ones_cover() {
        let mut places = Places::default();
        assert!(places.on_host(&inside("/a")));
        places.mount(&inside("/"), Place::Memory);
        places.mount(&inside("/a"), Place::Host);
        places.mount(&inside("/a/b"), Place::Memory);
        places.mount(&inside("/a.c"), Place::Host);
        for (path, on_host) in [("/x", false), ("/a", true), ("/a/x", true), ("/a/b/x", false)] {
            assert_eq!(places.on_host(&inside(path)), on_host, "{path}");
        }
        places.mount(&inside("/a"), Place::Host);
        assert!(places.on_host(&inside("/a/b/x")), "covered");
        assert!(places.on_host(&inside("/a.c/x")), "beside it");
        assert!(places.on_host(&inside("/x/../y")));
        places.mount(&inside("/"), Place::Memory);
        assert!(!places.on_host(&inside("/a.c/x")));
    }
}
