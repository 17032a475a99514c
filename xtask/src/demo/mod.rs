//! `cargo xtask demo`: the main job, shown on a real project.

mod debian;
pub(crate) mod debian_tree;
mod hello;
mod images;
pub(crate) mod probe;
mod report;

use crate::Result;

pub(crate) fn run(args: &[String]) -> Result {
    match args.split_first() {
        None => hello::run(),
        Some((kind, rest)) if kind == "debian" => debian::run(rest),
        Some((kind, rest)) if kind == "images" => images::run(rest),
        Some((other, _)) => {
            Err(format!("no demo '{other}': leave it out, or say 'debian' or 'images'").into())
        }
    }
}
