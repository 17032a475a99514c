//! Who the command is, inside, and whose its files are, outside.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use nix::unistd::{getegid, geteuid};
use sandbox_core::{Feature, User, UserNamespace};

use crate::case::{Case, Need};
use crate::check::{Check, ensure, names, same};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    Case::new("user/same", &[Need::Has(Feature::UserSame)], same_user),
    Case::new("user/root", &[Need::Has(Feature::UserRoot)], root),
    Case::new("user/ids-with-privilege", &[Need::Has(Feature::UserIds), Need::Root], given_ids),
    Case::new("user/ids-without", &[Need::Has(Feature::UserIds), Need::PlainUser], named_ids),
    Case::new("user/no-other-groups", &[Need::Has(Feature::UserIds), Need::Root], no_other_groups),
    Case::new("user/groups", &[Need::Has(Feature::GroupsGiven)], groups).control(no_such_groups),
    Case::new(
        "user/groups-open-what-is-theirs",
        &[Need::Has(Feature::GroupsGiven), Need::Has(Feature::UserIds)],
        groups_open,
    )
    .control(closed_to_others),
    Case::new("user/groups-with-own-namespace", &[], groups_with_namespace),
];

/// Who the command is inside, and who owns outside what it writes.
fn who(w: &World<'_>, user: User, inside: (u32, u32), outside: (u32, u32)) -> Check {
    let said = w.says(w.probe("ids , write /work/new , stat /work/new").user(user))?;
    let (uid, gid) = inside;
    same("inside", said, format!("{uid} {uid} {gid} {gid}\nok\nfile 644 {uid} {gid}"))?;
    let file = fs::metadata(w.path("/work/new"))?;
    same("owner outside", (file.uid(), file.gid()), outside)
}

fn caller() -> (u32, u32) {
    (geteuid().as_raw(), getegid().as_raw())
}

fn same_user(w: &World<'_>) -> Check {
    who(w, User::Same, caller(), caller())
}

fn root(w: &World<'_>) -> Check {
    who(w, User::Root, (0, 0), caller())
}

fn given_ids(w: &World<'_>) -> Check {
    who(w, User::Ids { uid: 4321, gid: 4322 }, (4321, 4322), (4321, 4322))
}

/// Without a privilege these are other names for the caller's own.
fn named_ids(w: &World<'_>) -> Check {
    who(w, User::Ids { uid: 4321, gid: 4322 }, (4321, 4322), caller())
}

fn no_other_groups(w: &World<'_>) -> Check {
    let said = w.says(w.probe("groups").user(User::Ids { uid: 4321, gid: 4322 }))?;
    same("groups", said.trim_matches([' ', '\n']).replace("4322", ""), "")
}

/// The command's groups, in order.
fn groups_of(w: &World<'_>, user: User, groups: &[u32]) -> Check<Vec<u32>> {
    let said = w.says(w.probe("groups").user(user).groups(groups.iter().copied()))?;
    let numbers = said.split_whitespace().map(str::parse).collect::<Result<Vec<_>, _>>();
    let mut numbers = numbers?;
    numbers.sort_unstable();
    Ok(numbers)
}

const GROUPS: [u32; 2] = [4323, 4324];

fn groups(w: &World<'_>) -> Check {
    let other = User::Ids { uid: 4321, gid: 4322 };
    same("another user", groups_of(w, other, &GROUPS)?, GROUPS)?;
    same("the caller", groups_of(w, User::Same, &GROUPS)?, GROUPS)?;
    same("user 0", groups_of(w, User::Root, &[0, 4323])?, [0, 4323])?;
    // The rest of who it is stays.
    let ids = w.says(w.probe("ids").groups(GROUPS))?;
    let (uid, gid) = caller();
    same("ids", ids, format!("{uid} {uid} {gid} {gid}"))
}

fn no_such_groups(w: &World<'_>) -> Check {
    let callers = groups_of(w, User::Same, &[])?;
    ensure!(
        GROUPS.iter().all(|group| !callers.contains(group)),
        "the caller has them: {callers:?}"
    );
    Ok(())
}

/// Opens a file that only a group can read, as somebody with these groups.
fn open_theirs(w: &World<'_>, groups: &[u32]) -> Check<String> {
    let path = w.path("/work/theirs");
    fs::write(&path, "theirs\n")?;
    std::os::unix::fs::chown(&path, Some(0), Some(GROUPS[0]))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;
    let user = User::Ids { uid: 4321, gid: 4322 };
    w.says(w.probe("read /work/theirs").user(user).groups(groups.iter().copied()))
}

fn groups_open(w: &World<'_>) -> Check {
    same("with the group", open_theirs(w, &GROUPS)?, "theirs")
}

fn closed_to_others(w: &World<'_>) -> Check {
    same("without", open_theirs(w, &[])?, "EACCES")
}

/// In it there would be no names for them.
fn groups_with_namespace(w: &World<'_>) -> Check {
    let config = w.probe("groups").groups(GROUPS).user_namespace(UserNamespace::Own);
    match config.build() {
        Ok(_) => Err(crate::check::Failure::wrong("it is valid")),
        Err(error) => names(&error, &["groups", "4323", "user namespace"]),
    }
}
