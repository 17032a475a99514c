//! What is made by name, and stays.

use sandbox_core::{Filesystem, InsidePath, MountFlag, Step};

/// The step of a mount that is about a file, a directory or a link.
pub(crate) fn file_step(
    file: &Filesystem,
    target: InsidePath,
    flags: &[MountFlag],
) -> Option<Step> {
    Some(match file {
        Filesystem::Directory { mode } => {
            Step::CreateDirectory { target, mode: mode.unwrap_or(0o755) }
        }
        Filesystem::File { content, mode } => {
            let (content, mode) = (content.clone(), mode.unwrap_or(0o644));
            Step::CreateFile { target, content, mode }
        }
        Filesystem::Data { content, mode } => {
            let (content, mode) = (content.clone(), mode.unwrap_or(0o600));
            Step::BindData { target, content, mode, flags: flags.to_vec() }
        }
        Filesystem::Symlink { to } => Step::Symlink { at: target, to: to.clone() },
        Filesystem::Chmod { mode } => Step::ChangeMode { target, mode: *mode },
        _ => return None,
    })
}
