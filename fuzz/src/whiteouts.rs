//! Layers with whiteouts: what they make is what a model says.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use arbitrary::{Result, Unstructured};
use sandbox_image::unpack::{Budget, Options};
use tar::{Builder, EntryType, Header};

use super::archives::apply;
use super::fixture::Place;
use super::model::{Model, NOWHERE, Node, Said, Verdict};

/// How many things are said at most.
const MOST: usize = 64;

/// Layers made of the bytes, put over each other.
pub fn whiteouts(bytes: &[u8]) {
    let mut input = Unstructured::new(bytes);
    let Ok(layers) = layers(&mut input) else { return };
    let mut model = Model::default();
    let mut verdict = Verdict::Done;
    'all: for layer in &layers {
        for said in layer {
            verdict = model.say(said);
            if verdict != Verdict::Done {
                break 'all;
            }
        }
        model.next_layer();
    }

    let place = Place::new();
    let archives: Vec<_> = layers.iter().map(|layer| archive(layer)).collect();
    let mut options = Options::for_layers();
    options.budget = Budget::new(1 << 20);
    let result = apply(&place, &archives, options);
    place.unharmed();
    match verdict {
        Verdict::Unknown => {}
        Verdict::Refused => assert!(result.is_err(), "it was not refused: {layers:?}"),
        Verdict::Done => {
            result.unwrap_or_else(|error| panic!("{error}: {layers:?}"));
            let mut found = BTreeMap::new();
            walk(&place.path(), "", &mut found);
            assert_eq!(found, model.nodes(), "{layers:?}");
        }
    }
}

fn layers(input: &mut Unstructured<'_>) -> Result<Vec<Vec<Said>>> {
    let (mut layers, mut layer) = (Vec::new(), Vec::new());
    for number in 0..MOST {
        if input.is_empty() {
            break;
        }
        let content = u8::try_from(number).unwrap_or(0);
        match input.int_in_range(0..=6_u8)? {
            0 => layers.push(std::mem::take(&mut layer)),
            1 => layer.push(Said::File(path(input)?, content)),
            2 => layer.push(Said::Directory(path(input)?)),
            3 => layer.push(Said::Symlink(path(input)?)),
            4 => layer.push(Said::HardLink(path(input)?, path(input)?)),
            5 => layer.push(Said::Whiteout(path(input)?)),
            _ if input.arbitrary()? => layer.push(Said::Opaque(String::new())),
            _ => layer.push(Said::Opaque(path(input)?)),
        }
    }
    layers.push(layer);
    Ok(layers)
}

/// One of a few names: what is said is to be about the same ones often.
fn path(input: &mut Unstructured<'_>) -> Result<String> {
    let depth = input.int_in_range(1..=3)?;
    let parts: Result<Vec<_>> =
        (0..depth).map(|_| input.choose(&["a", "b", "c"]).copied()).collect();
    Ok(parts?.join("/"))
}

fn archive(layer: &[Said]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for said in layer {
        let (kind, path, target, content): (_, _, _, &[u8]) = match said {
            Said::File(path, content) => (EntryType::Regular, path.clone(), "", &[*content]),
            Said::Directory(path) => (EntryType::Directory, path.clone(), "", &[]),
            Said::Symlink(path) => (EntryType::Symlink, path.clone(), NOWHERE, &[]),
            Said::HardLink(path, target) => (EntryType::Link, path.clone(), target.as_str(), &[]),
            Said::Whiteout(path) => {
                let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
                (EntryType::Regular, format!("./{directory}/.wh.{name}"), "", &[])
            }
            Said::Opaque(path) => (EntryType::Regular, format!("./{path}/.wh..wh..opq"), "", &[]),
        };
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
        header.set_size(content.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        tar.append(&header, content).expect("it is written");
    }
    tar.into_inner().expect("it is written")
}

fn walk(directory: &Path, prefix: &str, found: &mut BTreeMap<String, Node>) {
    for entry in fs::read_dir(directory).expect("it is listed") {
        let path = entry.expect("it is listed").path();
        let name = path.file_name().unwrap_or_default().display();
        let name = if prefix.is_empty() { name.to_string() } else { format!("{prefix}/{name}") };
        let metadata = path.symlink_metadata().expect("it is there");
        let mode = metadata.permissions().mode() & 0o7777;
        let node = if metadata.is_dir() {
            assert_eq!(mode, 0o755, "{name}");
            walk(&path, &name, found);
            Node::Directory
        } else if metadata.is_symlink() {
            assert_eq!(fs::read_link(&path).expect("it is read"), Path::new(NOWHERE));
            Node::Symlink
        } else {
            assert_eq!(mode, 0o644, "{name}");
            match fs::read(&path).expect("it is read").as_slice() {
                [content] => Node::File(*content),
                other => panic!("{name} has {other:?}"),
            }
        };
        found.insert(name, node);
    }
}
