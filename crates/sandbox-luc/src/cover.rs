//! The read-only cover: everything read-only but for the writable paths.
//!
//! One system call makes all mounts of the new root read-only, however many files there are. A path
//! that stays writable is mounted over its read-only self: a copy, taken before, of the mount as it
//! was. Where the path is a file system that the plan itself has mounted, no copy is needed: its own
//! mounts are made writable again.

use sandbox_core::{InsidePath, MountFlag, Recursion, Step, Writable};

/// The steps of the cover, after the steps that have mounted what is in the new root.
pub(crate) fn steps(writable: &Writable, before: &[Step]) -> Vec<Step> {
    let (paths, inner) = match writable {
        Writable::All => return Vec::new(),
        Writable::Only(paths) => outermost(paths),
        _ => Default::default(),
    };
    // Nothing has to be done for these, but they must exist like the others.
    let mut steps: Vec<_> = inner.into_iter().map(Step::Find).collect();
    // A root that is writable whole needs no cover, but keeps what was restricted one by one.
    if paths.iter().any(InsidePath::is_root) {
        // Where `..` leads is not known, so such a path is not below the root yet.
        let others = paths.into_iter().filter(|path| !path.is_root());
        steps.extend(others.map(Step::Find));
        return steps;
    }
    let mut held = Vec::new();
    let mut reopened = Vec::new();
    for path in paths {
        match own_mounts(&path, before) {
            Some(mounts) => {
                // One that is read-only stays so; it must be there all the same.
                if !mounts.contains(&path) {
                    steps.push(Step::Find(path));
                }
                reopened.extend(mounts.into_iter().map(Step::Reopen));
            }
            None => held.push(path),
        }
    }
    steps.extend(held.iter().cloned().map(Step::HoldWritable));
    steps.push(Step::ReadOnly);
    steps.extend(reopened);
    steps.extend(held.into_iter().map(Step::ReleaseWritable));
    steps
}

/// The writable mounts at and below a path, where the plan has made all of them and the path is the
/// first: then they can be made writable again one by one.
fn own_mounts(path: &InsidePath, before: &[Step]) -> Option<Vec<InsidePath>> {
    let mut mounts = None;
    for step in before {
        match step {
            Step::Mount { target, flags, .. } if target.is_within(path) => {
                let writable = !flags.contains(&MountFlag::ReadOnly);
                let fresh = (target == path).then(Vec::new);
                mounts = fresh.or(mounts);
                mounts.as_mut()?.extend(writable.then(|| target.clone()));
            }
            // A device works as well on a read-only mount.
            Step::Bind { source, target, recursion: Recursion::Single, .. }
                if target.is_within(path) && target != path && source.starts_with("/dev") => {}
            Step::Bind { target, .. }
            | Step::BindDescriptor { target, .. }
            | Step::BindData { target, .. }
                if target.is_within(path) =>
            {
                return None;
            }
            Step::Restrict { target, .. } | Step::Mask(target) if target.is_within(path) => {
                return None;
            }
            // It may be the same mount by another name, and is to stay as it is then.
            Step::RestrictInPlace { .. } if mounts.is_some() => return None,
            // Mounted over it, later: the path is in there now.
            Step::Mount { target, .. }
            | Step::Bind { target, .. }
            | Step::BindDescriptor { target, .. }
                if path.is_within(target) =>
            {
                mounts = None;
            }
            _ => {}
        }
    }
    mounts
}

/// The paths that are not below another one of them, and those that are, each once, in order.
fn outermost(paths: &[InsidePath]) -> (Vec<InsidePath>, Vec<InsidePath>) {
    let mut sorted: Vec<_> = paths.iter().collect();
    // Component by component, a directory comes right before what is below it.
    sorted.sort_by(|a, b| a.components().cmp(b.components()));
    sorted.dedup();
    let mut outermost: Vec<InsidePath> = Vec::new();
    let mut inner = Vec::new();
    for path in sorted {
        match outermost.last() {
            Some(last) if path.is_within(last) => inner.push(path.clone()),
            _ => outermost.push(path.clone()),
        }
    }
    (outermost, inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox_core::{Missing, NewFilesystem};

    fn path(path: &str) -> InsidePath {
        InsidePath::absolute(path, "test").unwrap()
    }

    fn only(paths: &[&str]) -> Writable {
        Writable::Only(paths.iter().map(|text| path(text)).collect())
    }

    fn tmpfs(target: &str, flags: &[MountFlag]) -> Step {
        let filesystem = NewFilesystem::Tmpfs { size: None, mode: 0o755 };
        Step::Mount { filesystem, target: path(target), flags: flags.to_vec() }
    }

    fn bind(source: &str, target: &str) -> Step {
        let (source, recursion) = (source.into(), Recursion::Recursive);
        Step::Bind {
            source,
            target: path(target),
            recursion,
            flags: Vec::new(),
            missing: Missing::Fails,
        }
    }

    #[test]
    fn a_directory_of_the_tree_is_held() {
        let expected = [
            Step::Find(path("/a/b")),
            Step::HoldWritable(path("/a")),
            Step::ReadOnly,
            Step::ReleaseWritable(path("/a")),
        ];
        assert_eq!(steps(&only(&["/a", "/a/b", "/a"]), &[]), expected);
    }

    #[test]
    fn nothing_writable_is_one_step() {
        assert_eq!(steps(&Writable::Nothing, &[tmpfs("/tmp", &[])]), [Step::ReadOnly]);
        assert_eq!(steps(&only(&[]), &[]), [Step::ReadOnly]);
        assert_eq!(steps(&Writable::All, &[]), []);
        assert_eq!(steps(&only(&["/a", "/"]), &[]), [Step::Find(path("/a"))]);
        assert_eq!(steps(&only(&["/a/../b", "/"]), &[]), [Step::Find(path("/a/../b"))]);
    }

    #[test]
    fn a_mount_of_the_plan_is_reopened_with_those_below_it() {
        let before = [
            tmpfs("/dev", &[]),
            Step::Bind {
                source: "/dev/null".into(),
                target: path("/dev/null"),
                recursion: Recursion::Single,
                flags: Vec::new(),
                missing: Missing::Fails,
            },
            tmpfs("/dev/shm", &[]),
            tmpfs("/dev/ro", &[MountFlag::ReadOnly]),
        ];
        let expected = [Step::ReadOnly, Step::Reopen(path("/dev")), Step::Reopen(path("/dev/shm"))];
        assert_eq!(steps(&only(&["/dev"]), &before), expected);
    }

    #[test]
    fn other_mounts_are_held() {
        let hold =
            |before: &[Step]| matches!(steps(&only(&["/m"]), before)[0], Step::HoldWritable(_));
        assert!(!hold(&[tmpfs("/m", &[])]));
        assert!(hold(&[bind("/src", "/m")]));
        assert!(hold(&[tmpfs("/m", &[]), bind("/src", "/m/src")]));
        assert!(hold(&[tmpfs("/m", &[]), bind("/dev/pts", "/m")]));
        assert!(hold(&[tmpfs("/m/below", &[])]));
        let (target, flags) = (path("/link"), vec![MountFlag::ReadOnly]);
        assert!(hold(&[tmpfs("/m", &[]), Step::RestrictInPlace { target, flags }]), "by a link");
        assert!(hold(&[tmpfs("/m", &[]), tmpfs("/", &[])]));
    }

    #[test]
    fn a_mount_that_stays_read_only_must_be_there() {
        let before = [tmpfs("/m", &[MountFlag::ReadOnly])];
        assert_eq!(steps(&only(&["/m"]), &before), [Step::Find(path("/m")), Step::ReadOnly]);
    }

    #[test]
    fn siblings_with_a_common_prefix_are_kept_apart() {
        let covered = steps(&only(&["/a.b", "/a", "/a/c"]), &[]);
        let held = covered.iter().filter(|step| matches!(step, Step::HoldWritable(_))).count();
        assert_eq!(held, 2);
    }
}
