//! `cargo xtask demo`: the main job, shown on a real project.

mod debian;
pub(crate) mod debian_tree;
mod hello;
mod images;
pub(crate) mod probe;
mod profile;
mod report;

use crate::Result;

pub(crate) fn run(args: &[String]) -> Result {
    match args.split_first() {
        None => hello::run(),
        Some((kind, rest)) if kind == "debian" => debian::run(rest),
        Some((kind, rest)) if kind == "images" => images::run(rest),
        Some((kind, rest)) if kind == "profile" => profile::run(rest),
        Some((other, _)) => {
            let kinds = "leave it out, or say 'debian', 'images' or 'profile'";
            Err(format!("no demo '{other}': {kinds}").into())
        }
    }
}
