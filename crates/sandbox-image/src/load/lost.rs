//! What of an image could not be kept, in words.

use std::io;

use crate::archive::shown;
use crate::unpack::{Lost, Report};

/// A line for each kind of thing.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |lost: &Lost, what: &str| {
        if lost.count > 0 {
            lines.push(format!("{} {what}: {}", lost.count, examples(lost)));
        }
    };
    add(&report.owners, "files belong to the caller, and to others in the image");
    add(&report.devices, "devices are left out");
    for ((name, errno), lost) in &report.xattrs {
        let (name, error) = (named(name), io::Error::from_raw_os_error(*errno));
        add(lost, &format!("files are without the attribute {name} ({error})"));
    }
    lines
}

/// A name as messages show it. The root itself has none.
fn named(name: &[u8]) -> String {
    if name.is_empty() { ".".to_owned() } else { shown(name) }
}

fn examples(lost: &Lost) -> String {
    let names: Vec<_> = lost.examples.iter().map(|name| named(name)).collect();
    let more = lost.count > names.len() as u64;
    format!("{}{}", names.join(", "), if more { ", …" } else { "" })
}
