//! Users and groups of an image.

use std::collections::BTreeSet;
use std::fs;

use sandbox_image::app::accounts::{ListedGroups, look_up};
use sandbox_image::app::{RootDirectory, RootSource};

use super::fixture::directory;

/// The bytes are a user, a group, `/etc/passwd` and `/etc/group`, with a zero byte between each two.
pub fn passwd(bytes: &[u8]) {
    let mut parts = bytes.splitn(4, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (Ok(user), Ok(group)) = (str::from_utf8(part()), str::from_utf8(part())) else { return };
    let at = directory();
    fs::create_dir(at.path().join("etc")).expect("a directory is made");
    for name in ["passwd", "group"] {
        fs::write(at.path().join("etc").join(name), part()).expect("a file is written");
    }
    let root = RootDirectory::open(RootSource::Directory(at.path().to_owned()));
    let root = root.expect("the root is opened");
    for listed in [ListedGroups::Ignored, ListedGroups::Added] {
        let Ok(who) = look_up(&root, user, Some(group), &[7], listed) else { continue };
        let ids = [who.uid, who.gid];
        assert!(ids.iter().chain(&who.groups).all(|id| *id != u32::MAX), "{who:?}");
        let different: BTreeSet<_> = who.groups.iter().collect();
        assert_eq!(different.len(), who.groups.len(), "each group once: {who:?}");
        assert_eq!(who.groups.first(), Some(&7));
    }
}
