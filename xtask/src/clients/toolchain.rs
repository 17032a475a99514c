//! A small root tree with a C compiler and a shell: what this machine's compiler itself says that it
//! reads, and nothing else. It is small enough to be hashed and staged in no time.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, command};

/// Statically linked, as Debian's busybox-static has it.
const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 17] = [
    "cat", "chmod", "cp", "echo", "env", "false", "hostname", "id", "ls", "mkdir", "mv", "pwd",
    "rm", "sh", "sleep", "touch", "true",
];
/// What compiles, with what it starts; a name without a path is looked up on PATH.
const PROGRAMS: [&str; 4] = ["cc1", "collect2", "as", "ld"];
/// Folders that are symbolic links on most systems.
const LINKED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Sees to it that this machine has what a tree is made of.
pub(super) fn need() -> Result {
    command::need_packages(&["busybox-static", "gcc", "libc6-dev", "make"])
}

/// The tree with a shell only.
pub(super) fn make_shell(root: &Path) -> Result {
    fs::create_dir_all(root.join("usr"))?;
    for name in LINKED {
        match fs::read_link(Path::new("/").join(name)) {
            Ok(target) => {
                fs::create_dir_all(root.join(&target))?;
                symlink(target, root.join(name))?;
            }
            Err(_) => fs::create_dir_all(root.join(name))?,
        }
    }
    for name in ["dev", "proc", "tmp"] {
        fs::create_dir(root.join(name))?;
    }
    fs::copy(BUSYBOX, root.join("bin/busybox"))?;
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    Ok(())
}

/// The tree with a shell, make, and a compiler that can make a program of `source`.
pub(super) fn make(root: &Path, source: &Path) -> Result {
    make_shell(root)?;
    let mut files = BTreeSet::new();
    for name in ["gcc", "make"] {
        files.insert(command::find(name).ok_or_else(|| format!("there is no {name}"))?);
    }
    for name in PROGRAMS {
        let path = PathBuf::from(gcc(&[&format!("-print-prog-name={name}")])?.trim());
        let found = if path.is_absolute() { Some(path) } else { command::find(name) };
        files.insert(found.ok_or_else(|| format!("gcc has no {name}"))?);
    }
    files.insert(PathBuf::from(gcc(&["-print-file-name=liblto_plugin.so"])?.trim()));
    for program in files.clone() {
        // A static program has none, and ldd says so with a failure.
        let output = command::output(Command::new("ldd").arg(program))?;
        files.extend(absolute(&String::from_utf8_lossy(&output.stdout)));
    }
    let source = source.display().to_string();
    let headers = gcc(&["-O1", "-M", &source])?;
    let object = root.join("tmp/a.out").display().to_string();
    let linked = gcc(&["-O1", &source, "-Wl,--trace", "-o", &object])?;
    fs::remove_file(&object)?;
    // The compiler's own intermediate file is gone already.
    let read = absolute(&headers).chain(absolute(&linked)).filter(|file| file.exists());
    files.extend(read.filter(|file| *file != Path::new(&source)));
    files.iter().try_for_each(|file| copy(root, file))
}

fn gcc(arguments: &[&str]) -> Result<String> {
    command::stdout(Command::new("gcc").args(arguments))
}

/// The absolute paths in what a tool printed.
fn absolute(text: &str) -> impl Iterator<Item = PathBuf> {
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from)
}

/// Copies a file to the same place in the tree; links to files become files.
fn copy(root: &Path, file: &Path) -> Result {
    let (folder, name) = file
        .parent()
        .zip(file.file_name())
        .ok_or_else(|| format!("{} is no file", file.display()))?;
    let folder = folder.canonicalize()?;
    let target = root.join(folder.strip_prefix("/")?);
    fs::create_dir_all(&target)?;
    fs::copy(file, target.join(name)).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_words() {
        let ldd = "\tlibc.so.6 => /lib/libc.so.6 (0x7f)\n\t/lib64/ld.so (0x7f)\n";
        let found: Vec<PathBuf> = absolute(ldd).collect();
        assert_eq!(found, [Path::new("/lib/libc.so.6"), Path::new("/lib64/ld.so")]);
        let make = "main.o: main.c /usr/include/stdio.h \\\n /usr/include/a.h\n";
        assert_eq!(absolute(make).count(), 2);
    }
}
