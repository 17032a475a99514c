//! Where the cgroups are, and which one this process is in (cgroups(7), proc(5)).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::Refused;
use super::limit::{Controller, Limit};

/// The two kinds of hierarchies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// One for each controller, or a few.
    One,
    /// One for all that are in no other.
    Two,
}

impl Version {
    /// The file that tells how many processes were killed for their memory.
    pub(super) fn memory_events(self) -> &'static str {
        match self {
            Self::One => "memory.oom_control",
            Self::Two => "memory.events",
        }
    }
}

/// A hierarchy, as this process sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    /// Where a cgroup could be made, the nearest first: this process's own. In the second version a cgroup
    /// with processes has no children with limits; so then those above it.
    pub(super) parents: Vec<PathBuf>,
}

/// Each hierarchy that limits are in, with those.
pub(super) fn of(limits: Vec<Limit>) -> Result<Vec<(Hierarchy, Vec<Limit>)>, Refused> {
    let read = |path| fs::read_to_string(path).map_err(Refused::Unknown);
    within(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?, limits)
}

/// The same, from these files.
pub(super) fn within(
    mounts: &str,
    own: &str,
    limits: Vec<Limit>,
) -> Result<Vec<(Hierarchy, Vec<Limit>)>, Refused> {
    let mut found: Vec<(Hierarchy, Vec<Limit>)> = Vec::new();
    for limit in limits {
        let controller = limit.controller();
        let hierarchy = find(mounts, own, controller).ok_or(Refused::NoController(controller))?;
        match found.iter_mut().find(|(other, _)| *other == hierarchy) {
            Some((_, limits)) => limits.push(limit),
            None => found.push((hierarchy, vec![limit])),
        }
    }
    Ok(found)
}

/// The hierarchy of a controller. One of the first version has it for itself.
fn find(mounts: &str, own: &str, controller: Controller) -> Option<Hierarchy> {
    let name = controller.name();
    let has = |list: &str| list.split(',').any(|word| word == name);
    // "4:memory:/path", and "0::/path" for the second version.
    let cgroup = |is_it: &dyn Fn(&str) -> bool| {
        own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            is_it(controllers).then(|| path.to_owned())
        })
    };
    let mount = |kind: &str, is_it: &dyn Fn(&str) -> bool| {
        mounts
            .lines()
            .filter_map(Mount::parse)
            .find(|mount| mount.kind == kind && is_it(mount.options))
    };
    let (version, mount, cgroup) = match cgroup(&has) {
        Some(path) => (Version::One, mount("cgroup", &has)?, path),
        None => (Version::Two, mount("cgroup2", &|_| true)?, cgroup(&str::is_empty)?),
    };
    let own = mount.place_of(Path::new(&cgroup))?;
    let above = |path: &Path| path.parent().map(Path::to_owned);
    let parents: Vec<_> = match version {
        Version::One => vec![own],
        Version::Two => std::iter::successors(Some(own), |path| above(path))
            .take_while(|path| path.starts_with(&mount.point))
            .collect(),
    };
    if version == Version::Two {
        // None of those above has what the topmost has not.
        let known = fs::read_to_string(mount.point.join("cgroup.controllers")).ok()?;
        known.split_whitespace().find(|known| *known == name)?;
    }
    Some(Hierarchy { version, parents })
}

/// A line of mountinfo.
struct Mount<'a> {
    root: PathBuf,
    point: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// `31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - tmpfs tmpfs rw,mode=755`
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        Some(Self {
            root: unescape(before.next()?),
            point: unescape(before.next()?),
            kind: after.next()?,
            options: after.nth(1)?,
        })
    }

    /// Where a cgroup is below the mount, which may show a part of the hierarchy only.
    fn place_of(&self, cgroup: &Path) -> Option<PathBuf> {
        let below = cgroup.strip_prefix(&self.root).ok()?;
        // Outside of this process's cgroup namespace.
        let outside = below.components().any(|part| part.as_os_str() == "..");
        (!outside).then(|| self.point.join(below).components().collect())
    }
}

/// Blanks and backslashes are written in octal.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = after.get(..3).and_then(|code| str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 8).ok());
        let plain = code.filter(|_| *byte == b'\\');
        bytes.push(plain.unwrap_or(*byte));
        rest = if plain.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    OsString::from_vec(bytes).into()
}
