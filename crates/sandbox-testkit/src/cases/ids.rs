//! Who the command is, inside, and whose its files are, outside.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::unistd::{getegid, geteuid};
use sandbox_core::{Feature, User};

use crate::case::{Case, Need};
use crate::check::{Check, same};
use crate::world::World;

pub(super) const CASES: &[Case] = &[
    Case::new("user/same", &[Need::Has(Feature::UserSame)], same_user),
    Case::new("user/root", &[Need::Has(Feature::UserRoot)], root),
    Case::new("user/ids-with-privilege", &[Need::Has(Feature::UserIds), Need::Root], given_ids),
    Case::new("user/ids-without", &[Need::Has(Feature::UserIds), Need::PlainUser], named_ids),
    Case::new("user/no-other-groups", &[Need::Has(Feature::UserIds), Need::Root], no_other_groups),
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
