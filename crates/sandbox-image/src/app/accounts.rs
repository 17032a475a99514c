//! Users and groups of an image, as its own `/etc/passwd` and `/etc/group` have them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use sandbox_core::InsidePath;

use super::error::AppError;
use super::inside::RootDirectory;

/// A longer line is passed over: no account needs one.
const LONGEST_LINE: usize = 64 << 10;
/// How many names an error has.
const MOST_NAMES: usize = 9;

/// Who an app's processes are.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Supplementary groups, in order, each once.
    pub groups: Vec<u32>,
    /// The user's name, where `/etc/passwd` has one.
    pub name: Option<OsString>,
    /// The user's directory, where `/etc/passwd` has one.
    pub home: Option<OsString>,
    /// The user's shell, where `/etc/passwd` has one.
    pub shell: Option<OsString>,
}

/// Whether the groups of `/etc/group` that list the user are its supplementary groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListedGroups {
    /// They are not (App Container: those of `supplementaryGIDs`).
    #[default]
    Ignored,
    /// They are (OCI).
    Added,
}

/// Looks an app's user and groups up: a name first, then a number, or the `/path` of a file whose owner
/// is meant. An empty user is user 0. Without a group it is the user's own in `/etc/passwd`, else 0.
///
/// # Errors
/// One that the image does not have, a number that is no id, or a file that cannot be read.
pub fn look_up(
    root: &RootDirectory,
    user: &str,
    group: Option<&str>,
    supplementary: &[u32],
    listed: ListedGroups,
) -> Result<Identity, AppError> {
    let passwd = Accounts::read(root, "passwd")?;
    let groups = Accounts::read(root, "group")?;
    let uid = if user.is_empty() { 0 } else { id(root, "user", user, &passwd, Owner::User)? };
    // Of two accounts with one number, the one that was named.
    let named = passwd.entries().find(|entry| entry.name() == user.as_bytes());
    let account = named.or_else(|| passwd.entries().find(|entry| entry.id() == Some(uid)));
    let gid = match group.filter(|group| !group.is_empty()) {
        Some(group) => id(root, "group", group, &groups, Owner::Group)?,
        None => account.as_ref().and_then(|entry| entry.number(3)).unwrap_or(0),
    };
    let name = account.as_ref().map(Entry::name);
    let mut all = Vec::new();
    for &gid in supplementary {
        if gid == u32::MAX {
            let (field, value) = ("supplementaryGIDs", gid.to_string());
            return Err(AppError::IdOutOfRange { field, value });
        }
        all.push(gid);
    }
    if let (ListedGroups::Added, Some(name)) = (listed, name) {
        let lists =
            |entry: &Entry| entry.field(3).split(|byte| *byte == b',').any(|one| one == name);
        all.extend(groups.entries().filter(lists).filter_map(|entry| entry.id()));
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|gid| seen.insert(*gid));
    let text = |index| {
        let field = account.as_ref().map(|entry| entry.field(index))?;
        (!field.is_empty()).then(|| OsStr::from_bytes(field).to_owned())
    };
    Ok(Identity { uid, gid, groups: all, name: text(0), home: text(5), shell: text(6) })
}

/// Which owner of a file is meant.
#[derive(Clone, Copy)]
enum Owner {
    User,
    Group,
}

fn id(
    root: &RootDirectory,
    field: &'static str,
    value: &str,
    accounts: &Accounts,
    owner: Owner,
) -> Result<u32, AppError> {
    let account = accounts.entries().find(|entry| entry.name() == value.as_bytes());
    if let Some(id) = account.and_then(|entry| entry.id()) {
        return Ok(id);
    }
    if value.starts_with('/') {
        let stat = root.stat(&InsidePath::absolute(value, field)?)?;
        let stat =
            stat.ok_or_else(|| AppError::NoFileOfOwner { field, value: value.to_owned() })?;
        return Ok(match owner {
            Owner::User => stat.st_uid,
            Owner::Group => stat.st_gid,
        });
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return number(value.as_bytes())
            .ok_or_else(|| AppError::IdOutOfRange { field, value: value.to_owned() });
    }
    let name = |entry: Entry| String::from_utf8_lossy(entry.name()).into_owned();
    let names = accounts.entries().take(MOST_NAMES).map(name).collect();
    Err(AppError::UnknownAccount {
        field,
        value: value.to_owned(),
        file: accounts.path.clone(),
        names,
    })
}

/// A number that can be a user's or a group's: all but (uid_t) -1.
fn number(text: &[u8]) -> Option<u32> {
    let number: u32 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number != u32::MAX).then_some(number)
}

/// `/etc/passwd` or `/etc/group`: lines of fields with colons between them (passwd(5), group(5)).
struct Accounts {
    path: InsidePath,
    content: Vec<u8>,
}

impl Accounts {
    /// One that is missing has no accounts.
    fn read(root: &RootDirectory, name: &str) -> Result<Self, AppError> {
        let path = InsidePath::root().join("etc").join(name);
        let content = root.read(&path)?;
        Ok(Self { path, content })
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let lines = self.content.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| line.len() <= LONGEST_LINE && !line.starts_with(b"#"));
        // What has no number is no account (`+` of NIS, a broken line).
        lines.map(Entry).filter(|entry| !entry.name().is_empty() && entry.id().is_some())
    }
}

struct Entry<'a>(&'a [u8]);

impl<'a> Entry<'a> {
    fn field(&self, index: usize) -> &'a [u8] {
        self.0.split(|byte| *byte == b':').nth(index).unwrap_or_default()
    }

    fn number(&self, index: usize) -> Option<u32> {
        number(self.field(index))
    }

    fn name(&self) -> &'a [u8] {
        self.field(0)
    }

    /// In both files.
    fn id(&self) -> Option<u32> {
        self.number(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::RootSource;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    fn root(passwd: Option<&[u8]>, group: Option<&[u8]>) -> (tempfile::TempDir, RootDirectory) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("etc")).unwrap();
        for (name, content) in [("passwd", passwd), ("group", group)] {
            if let Some(content) = content {
                fs::write(directory.path().join("etc").join(name), content).unwrap();
            }
        }
        let source = RootSource::Directory(directory.path().to_owned());
        let root = RootDirectory::open(source).unwrap();
        (directory, root)
    }

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n\
        # comment:x:7:7::/:\n\
        broken line\n\
        +::::::\n\
        caf\xe9:x:9:9::/home/caf\xe9:\n\
        web:x:33:34:Web:/srv/web:/bin/false\n\
        twin:x:33:35::/srv/twin:\n\
        1000:x:5:6::/five:\n\
        last:x:44:45::/last";
    const GROUP: &[u8] =
        b"root:x:0:\nwww:x:34:\nlogs:x:50:other,web\nmore:x:51:web\nweb2:x:52:web2\n";

    fn ids(user: &str, group: Option<&str>) -> Result<(u32, u32), String> {
        let (_directory, root) = root(Some(PASSWD), Some(GROUP));
        look_up(&root, user, group, &[], ListedGroups::Ignored)
            .map(|who| (who.uid, who.gid))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn names_come_before_numbers() {
        for (user, group, expected) in [
            ("", None, (0, 0)),
            ("root", None, (0, 0)),
            ("web", None, (33, 34)),
            ("twin", None, (33, 35)),
            ("33", None, (33, 34)),
            ("last", None, (44, 45)),
            // A user that is called so.
            ("1000", None, (5, 6)),
            ("1001", None, (1001, 0)),
            ("4294967294", Some("4294967294"), (4_294_967_294, 4_294_967_294)),
            ("web", Some("root"), (33, 0)),
            ("web", Some("logs"), (33, 50)),
            ("root", Some("77"), (0, 77)),
        ] {
            assert_eq!(ids(user, group), Ok(expected), "{user:?} {group:?}");
        }
    }

    #[test]
    fn a_mistake_names_the_field_the_value_and_what_there_is() {
        for (user, group, expected) in [
            (
                "nobody",
                None,
                "user \"nobody\" is not in the image's /etc/passwd: there are root, caf\u{fffd}, web, \
                 twin, 1000, last",
            ),
            ("comment", None, "user \"comment\" is not in the image's /etc/passwd: there are root"),
            (
                "0",
                Some("wheel"),
                "group \"wheel\" is not in the image's /etc/group: there are root, www, logs, more, \
                 web2",
            ),
            (
                "4294967295",
                None,
                "user \"4294967295\" is out of range: ids go from 0 to 4294967294",
            ),
            ("99999999999", None, "user \"99999999999\" is out of range"),
            ("-1", None, "user \"-1\" is not in"),
            ("+5", None, "user \"+5\" is not in"),
            ("/no/file", None, "user \"/no/file\": the image has no such file"),
        ] {
            let error = ids(user, group).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        let (_directory, root) = root(None, None);
        let who = |user| look_up(&root, user, None, &[], ListedGroups::Ignored);
        let error = who("root").unwrap_err().to_string();
        assert!(error.ends_with("/etc/passwd: there are none"), "{error}");
        assert_eq!(who("12").unwrap().uid, 12);
        let gids = look_up(&root, "0", None, &[u32::MAX], ListedGroups::Ignored);
        assert!(gids.unwrap_err().to_string().starts_with("supplementaryGIDs \"4294967295\""));
    }

    #[test]
    fn a_path_means_its_owner() {
        let (directory, root) = root(Some(PASSWD), Some(GROUP));
        std::os::unix::fs::symlink("/nowhere", directory.path().join("link")).unwrap();
        let metadata = fs::symlink_metadata(directory.path().join("link")).unwrap();
        let who = look_up(&root, "/link", Some("/link"), &[], ListedGroups::Ignored).unwrap();
        assert_eq!((who.uid, who.gid), (metadata.uid(), metadata.gid()));
    }

    #[test]
    fn supplementary_groups_are_those_given_and_where_asked_for_those_listed() {
        let (_directory, root) = root(Some(PASSWD), Some(GROUP));
        let groups = |listed| look_up(&root, "web", None, &[7, 51, 7], listed).unwrap().groups;
        assert_eq!(groups(ListedGroups::Ignored), [7, 51]);
        assert_eq!(groups(ListedGroups::Added), [7, 51, 50]);
        let unknown = look_up(&root, "1", None, &[], ListedGroups::Added).unwrap();
        assert_eq!(unknown.groups, [0; 0]);
    }

    #[test]
    fn what_passwd_says_of_the_user_is_kept() {
        let (_directory, root) = root(Some(PASSWD), Some(GROUP));
        let who = |user| look_up(&root, user, None, &[], ListedGroups::Ignored).unwrap();
        let web = who("33");
        assert_eq!(web.name.unwrap(), "web");
        assert_eq!(web.home.unwrap(), "/srv/web");
        assert_eq!(web.shell.unwrap(), "/bin/false");
        assert_eq!(who("9").home.unwrap(), OsStr::from_bytes(b"/home/caf\xe9"));
        assert_eq!((who("77").name, who("last").shell), (None, None));
    }

    #[test]
    fn a_line_without_end_is_passed_over() {
        let mut long = vec![b'x'; LONGEST_LINE + 1];
        long.extend_from_slice(b":x:1:1::/:\nweb:x:2:2::/:\n");
        let (_directory, root) = root(Some(&long), None);
        let who = look_up(&root, "web", None, &[], ListedGroups::Ignored).unwrap();
        assert_eq!(who.uid, 2);
        assert_eq!(look_up(&root, "1", None, &[], ListedGroups::Ignored).unwrap().name, None);
    }
}
