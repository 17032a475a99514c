//! `cargo xtask demo`: the main job, shown on a real project.

mod debian;
mod debian_tree;
mod hello;
pub(crate) mod probe;
mod report;

use crate::Result;

pub(crate) fn run(args: &[String]) -> Result {
    match args.split_first() {
        None => hello::run(),
        Some((kind, rest)) if kind == "debian" => debian::run(rest),
        Some((other, _)) => Err(format!("no demo '{other}': leave it out, or say 'debian'").into()),
    }
}
