//! The steps that make and change names, and those that only look one up.

use std::path::Path;

use sandbox_core::{InsidePath, Missing, Step};

use super::Fault;
use super::host::Node;
use super::replay::{World, text};

/// Carries out such a step; other steps do nothing to files.
pub(super) fn step(world: &mut World, step: &Step) -> Result<(), Fault> {
    match step {
        Step::MakeDirectory(path) => make_all(world, path, &Node::Directory),
        Step::MakeFile(path) => make_all(world, path, &Node::File),
        Step::MakeTarget { target, like, missing } => match (kind(world, like), missing) {
            (Err(Fault::Missing), Missing::IsFine) => Ok(()),
            (kind, _) => make_all(world, target, &kind?),
        },
        Step::MakeTargetFor { target, descriptor } => {
            let path = world.descriptor(*descriptor)?;
            let kind = kind(world, Path::new(&path))?;
            make_all(world, target, &kind)
        }
        Step::CreateDirectory { target, .. } => match make_last(world, target, Node::Directory) {
            Err(Fault::Exists) => {
                let at = world.inside(target)?;
                let is_directory = world.table.node(&at) == Some(&Node::Directory);
                if is_directory { Ok(()) } else { Err(Fault::NotADirectory) }
            }
            done => done,
        },
        Step::Symlink { at, to } => match make_last(world, at, Node::Link(text(to))) {
            Err(Fault::Exists) if links_to(world, at, &text(to)) => Ok(()),
            done => done,
        },
        Step::CreateFile { target, .. } => create_file(world, target),
        Step::ChangeMode { target, .. } => {
            let at = world.inside(target)?;
            world.table.change(&at)
        }
        Step::ChangeDirectory(path) => {
            let at = world.inside(path)?;
            let is_directory = world.table.node(&at) == Some(&Node::Directory);
            if is_directory { Ok(()) } else { Err(Fault::NotADirectory) }
        }
        Step::KeepDirectory => world.at(world.cwd()).map(drop),
        Step::Lock(path) => world.inside(path).map(drop),
        _ => Ok(()),
    }
}

/// What kind of target something of the host's needs.
fn kind(world: &World, path: &Path) -> Result<Node, Fault> {
    // The caller looks, before anything is mounted.
    let (_, node) = world.on_host(&text(path))?;
    Ok(if node == Node::Directory { Node::Directory } else { Node::File })
}

/// The parts of a path: each directory's, and the last name.
fn parts(path: &InsidePath) -> (Vec<String>, String) {
    let mut names: Vec<String> =
        path.components().map(|name| name.to_string_lossy().into_owned()).collect();
    let last = names.pop().unwrap_or_default();
    let mut directories = vec![String::new()];
    for name in names {
        let longer =
            format!("{}/{name}", directories.last().map(String::as_str).unwrap_or_default());
        directories.push(longer);
    }
    (directories, last)
}

/// Makes a name in the directory at a path.
fn make_in(world: &mut World, directory: &str, name: &str, node: Node) -> Result<(), Fault> {
    let parent = world.at(directory)?;
    world.table.make(&parent, name, node)
}

/// Makes a path with all its parents. What exists is fine.
pub(super) fn make_all(world: &mut World, path: &InsidePath, node: &Node) -> Result<(), Fault> {
    let (directories, last) = parts(path);
    let mut todo = Vec::new();
    for pair in directories.windows(2) {
        let name = pair[1][pair[0].len() + 1..].to_owned();
        todo.push((pair[0].clone(), name, Node::Directory));
    }
    todo.push((directories.last().cloned().unwrap_or_default(), last, node.clone()));
    for (directory, name, node) in todo {
        match make_in(world, &directory, &name, node) {
            Err(Fault::Exists) => {}
            done => done?,
        }
    }
    Ok(())
}

/// Makes a path, and its parents where they are missing. It must not exist.
fn make_last(world: &mut World, path: &InsidePath, node: Node) -> Result<(), Fault> {
    let (directories, last) = parts(path);
    if matches!(last.as_str(), "" | "..") {
        return Err(Fault::Exists);
    }
    let parent = directories.last().cloned().unwrap_or_default();
    match make_in(world, &parent, &last, node.clone()) {
        Err(Fault::Missing) => {
            make_parents(world, &directories)?;
            make_in(world, &parent, &last, node)
        }
        done => done,
    }
}

fn make_parents(world: &mut World, directories: &[String]) -> Result<(), Fault> {
    for pair in directories.windows(2) {
        let name = &pair[1][pair[0].len() + 1..];
        match make_in(world, &pair[0], name, Node::Directory) {
            Err(Fault::Exists) => {}
            done => done?,
        }
        let at = world.at(&pair[1])?;
        if world.table.node(&at) != Some(&Node::Directory) {
            return Err(Fault::NotADirectory);
        }
    }
    Ok(())
}

fn links_to(world: &World, path: &InsidePath, to: &str) -> bool {
    let (directories, last) = parts(path);
    let parent = directories.last().cloned().unwrap_or_default();
    let link = world.at(&parent).map(|mut at| {
        at.path = format!("{}/{last}", at.path);
        world.table.node(&at) == Some(&Node::Link(to.to_owned()))
    });
    link == Ok(true)
}

/// open(2) with `O_CREAT` and `O_TRUNC`, in the root.
fn create_file(world: &mut World, path: &InsidePath) -> Result<(), Fault> {
    let existing = match world.inside(path) {
        Err(Fault::Missing) => {
            match make_last(world, path, Node::File) {
                // A link that leads nowhere: the file is made where it leads, if it can be.
                Err(Fault::Exists) => return Err(Fault::Missing),
                done => return done,
            }
        }
        found => found?,
    };
    match world.table.node(&existing) {
        Some(Node::Directory) => Err(Fault::Directory),
        Some(Node::Device) => Ok(()),
        _ => world.table.change(&existing),
    }
}
