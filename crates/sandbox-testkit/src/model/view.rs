//! Holds what a plan leads to against what was asked, path by path.

use sandbox_core::MountFlag;

use super::asked::Asked;
use super::host::{Kind, Node};
use super::replay::World;
use super::table::At;
use super::{Agreement, Fault, Seen, Write, Wrong};

/// No world of a test has more names.
const MOST: usize = 5000;

pub(super) fn compare(end: &World, asked: &Asked) -> Result<Agreement, Wrong> {
    let root = end.root().map_err(|fault| Wrong::Fails { step: usize::MAX, fault })?;
    let mut todo = vec![(String::new(), root)];
    let (mut paths, mut narrower) = (0, 0);
    while let Some((path, at)) = todo.pop() {
        let (plan, wanted) = (seen(end, &at), asked.seen(&path));
        if is_narrower(plan.as_ref(), wanted.as_ref()) && asked.has_other_names() {
            narrower += 1;
        } else if plan != wanted {
            let (plan, asked) = (plan.map(Box::new), wanted.map(Box::new));
            return Err(Wrong::Differs { path, plan, asked });
        }
        paths += 1;
        if paths > MOST {
            return Err(Wrong::Succeeds(Fault::Loop));
        }
        if !plan.is_some_and(|seen| seen.node == Node::Directory) {
            continue;
        }
        let names = end.table.tree(&at).map(|tree| tree.names(&at.path)).unwrap_or_default();
        for name in &names | &asked.names(&path) {
            let below = At { mount: at.mount, path: format!("{}/{name}", at.path) };
            todo.push((format!("{path}/{name}"), end.table.top(below)));
        }
    }
    Ok(Agreement::Same { paths, narrower })
}

/// Whether the plan differs only in what cannot be written and should.
fn is_narrower(plan: Option<&Seen>, asked: Option<&Seen>) -> bool {
    let (Some(plan), Some(asked)) = (plan, asked) else { return false };
    let wider = Seen { write: Write::Yes, ..plan.clone() };
    plan.write == Write::No && *asked == wider
}

fn seen(end: &World, at: &At) -> Option<Seen> {
    let (tree, mount) = (end.table.tree(at).ok()?, end.table.mount(at.mount).ok()?);
    let node = tree.nodes.get(&at.path)?.clone();
    let mut flags = mount.flags.clone();
    let read_only = flags.remove(&MountFlag::ReadOnly) || tree.kind == Kind::ReadOnly;
    let write = match node {
        Node::Device => Write::Device,
        _ if read_only => Write::No,
        _ => Write::Yes,
    };
    Some(Seen { tree: tree.name.clone(), path: at.path.clone(), node, write, flags })
}
