//! Compiles a plan: everything that needs memory, formatting or the environment happens here.

use std::collections::BTreeMap;
use std::env;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::AtomicPtr;

use sandbox_core::{
    Exec, InsidePath, Missing, MountFlag, NewFilesystem, OverlayMarks, Plan, Recursion, Step,
};

use super::kernel::Depth;
use super::program::{Act, Image, Op, Program, Target, TargetKind, map_line};
use super::protocol::INIT_NAME;
use super::terminal;
use crate::error::SpawnError;
use crate::words::{Words, c_string};

/// Compiles all of a plan.
pub(super) fn program(plan: &Plan) -> Result<Program, SpawnError> {
    let mut program = steps(&plan.steps)?;
    program.exec = Some(image(&plan.exec)?);
    Ok(program)
}

/// Compiles steps that end without an exec.
pub(super) fn steps(steps: &[Step]) -> Result<Program, SpawnError> {
    let mut compiler = Compiler::default();
    for step in steps {
        if let Step::Reopen(path) = step {
            let slot = compiler.reopened.len();
            compiler.reopened.entry(path.clone()).or_insert(slot);
        }
    }
    for (index, step) in (0..).zip(steps) {
        compiler.step = index;
        compiler.compile(step).map_err(|source| SpawnError::Step {
            step: Box::new(step.clone()),
            hint: matches!(step, Step::MakeTarget { .. })
                .then(|| "the source cannot be looked at".to_owned()),
            source,
        })?;
    }
    let held = (0..compiler.held.len()).map(|_| (-1).into()).collect();
    let ids = (0..compiler.reopened.len()).map(|_| 0.into()).collect();
    Ok(Program { ops: compiler.ops, exec: None, held, ids })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Host,
    Memory,
}

#[derive(Default)]
struct Compiler {
    ops: Vec<Op>,
    step: u32,
    /// The slot of each held path.
    held: BTreeMap<InsidePath, usize>,
    /// What is mounted where so far, and whether that is the host's or memory of the sandbox's.
    places: Vec<(InsidePath, Place)>,
    targets: u32,
    /// The slot of each mount that is reopened later.
    reopened: BTreeMap<InsidePath, usize>,
}

impl Compiler {
    fn push(&mut self, act: Act) {
        self.ops.push(Op { step: self.step, act });
    }

    fn compile(&mut self, step: &Step) -> io::Result<()> {
        let act = match step {
            Step::MapIds { uid, gid } => {
                // Without this the kernel takes no gid_map from a plain user (user_namespaces(7)).
                self.push(Act::Write { path: c"/proc/self/setgroups", content: b"deny".into() });
                self.push(Act::Write { path: c"/proc/self/uid_map", content: map_line(*uid) });
                Act::Write { path: c"/proc/self/gid_map", content: map_line(*gid) }
            }
            Step::PrivateMounts => Act::PrivateMounts,
            Step::RootTree(path) | Step::RootDirectory(path) => {
                let path = std::path::absolute(path)?;
                let c_path = c_string(path.as_os_str())?;
                self.places.push((InsidePath::root(), Place::Host));
                match step {
                    Step::RootTree(_) => Act::RootTree(c_path),
                    _ => Act::RootDirectory(c_path),
                }
            }
            Step::RootEmpty => {
                self.places.push((InsidePath::root(), Place::Memory));
                Act::RootEmpty
            }
            Step::MakeDirectory(path) => Act::Make(self.target(path, TargetKind::Directory)?),
            Step::MakeFile(path) => Act::Make(self.target(path, TargetKind::File)?),
            Step::MakeTarget { target, like, missing } => {
                match (std::fs::metadata(like), missing) {
                    (Err(error), Missing::IsFine) if error.kind() == io::ErrorKind::NotFound => {
                        return Ok(());
                    }
                    (metadata, _) => Act::Make(self.target(target, kind_of(&metadata?))?),
                }
            }
            Step::Symlink { at, to } => {
                let (parent, name) = split(at)?;
                Act::Symlink { parent, name, to: c_string(to)? }
            }
            Step::Bind { source, target, recursion, flags, missing } => {
                let source = c_string(std::path::absolute(source)?)?;
                let target = self.mount_place(target, Place::Host)?;
                let (attributes, depth) = (attributes(flags), depth(*recursion));
                Act::Bind { source, target, attributes, depth, missing: *missing }
            }
            Step::Mount { filesystem, target, flags } => {
                let place = match filesystem {
                    NewFilesystem::Overlay { upper: Some(_), .. } => Place::Host,
                    _ => Place::Memory,
                };
                self.mount_place(target, place)?;
                mount(filesystem, target, flags, self.reopened.get(target).copied())?
            }
            Step::Restrict { target, recursion, flags, missing } => Act::Restrict {
                target: inside(target)?,
                attributes: attributes(flags),
                depth: depth(*recursion),
                missing: *missing,
            },
            Step::Mask(path) => Act::Mask(inside(path)?),
            Step::HoldWritable(path) => {
                let slot = self.held.len();
                self.held.insert(path.clone(), slot);
                Act::Hold { path: inside(path)?, slot }
            }
            Step::Find(path) => Act::Find(inside(path)?),
            Step::ReadOnly => Act::ReadOnly,
            Step::ReleaseWritable(path) => {
                let unheld = || io::Error::other("nothing is held for it");
                let slot = *self.held.get(path).ok_or_else(unheld)?;
                Act::Release { path: inside(path)?, slot }
            }
            Step::Reopen(path) => {
                let id = self.reopened.get(path).copied();
                Act::Reopen { path: inside(path)?, id }
            }
            Step::PivotRoot => Act::PivotRoot,
            Step::Chroot => Act::Chroot,
            Step::LoopbackUp => Act::LoopbackUp,
            Step::SetHostname(name) => Act::HostName(CString::new(name.as_str())?),
            Step::ChangeDirectory(path) => Act::ChangeDirectory(inside(path)?),
            Step::KeepDirectory => Act::ChangeDirectory(c_string(env::current_dir()?.as_os_str())?),
            Step::SetIds { uid, gid } => Act::SetIds { uid: *uid, gid: *gid },
            Step::DropCapabilities => Act::DropCapabilities,
            Step::NoNewPrivileges => Act::NoNewPrivileges,
            Step::BlockTerminalInput if !terminal::is_there() => return Ok(()),
            Step::BlockTerminalInput => Act::BlockTerminalInput,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        };
        self.push(act);
        Ok(())
    }

    /// Where something is mounted: what comes after it there is in it.
    fn mount_place(&mut self, target: &InsidePath, place: Place) -> io::Result<CString> {
        self.places.push((target.clone(), place));
        inside(target)
    }

    fn target(&mut self, path: &InsidePath, kind: TargetKind) -> io::Result<Target> {
        let number = self.targets;
        self.targets += 1;
        Ok(Target { kind, number, path: inside(path)?, on_host: self.on_host(path) })
    }

    /// Whether a path is, or may be, on the host: where `..` leads is not known yet.
    fn on_host(&self, path: &InsidePath) -> bool {
        if path.components().any(|name| name == "..") {
            return true;
        }
        let covering = self.places.iter().rev().find(|(target, _)| path.is_within(target));
        covering.is_none_or(|(_, place)| *place == Place::Host)
    }
}

fn kind_of(metadata: &std::fs::Metadata) -> TargetKind {
    if metadata.is_dir() { TargetKind::Directory } else { TargetKind::File }
}

fn depth(recursion: Recursion) -> Depth {
    match recursion {
        Recursion::Recursive => Depth::Recursive,
        Recursion::Single => Depth::Single,
        Recursion::SinglePreferred => Depth::SinglePreferred,
    }
}

fn mount(
    filesystem: &NewFilesystem,
    target: &InsidePath,
    flags: &[MountFlag],
    id: Option<usize>,
) -> io::Result<Act> {
    let (kind, data) = match filesystem {
        NewFilesystem::Proc => (c"proc", CString::default()),
        NewFilesystem::Sysfs => (c"sysfs", CString::default()),
        NewFilesystem::Mqueue => (c"mqueue", CString::default()),
        NewFilesystem::Devpts => (c"devpts", c"newinstance,ptmxmode=0666,mode=0620".to_owned()),
        NewFilesystem::Tmpfs { size, mode } => {
            let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
            (c"tmpfs", CString::new(format!("mode={mode:o}{size}"))?)
        }
        NewFilesystem::Overlay { lower, upper, marks } => {
            let mut data = b"lowerdir=".to_vec();
            let lower = lower.iter().map(|path| escape(path)).collect::<io::Result<Vec<_>>>()?;
            data.extend(lower.join(&b':'));
            if let Some(upper) = upper {
                data.extend_from_slice(b",upperdir=");
                data.extend(escape(&upper.upper)?);
                data.extend_from_slice(b",workdir=");
                data.extend(escape(&upper.work)?);
            }
            if *marks == OverlayMarks::User {
                data.extend_from_slice(b",userxattr");
            }
            (c"overlay", CString::new(data)?)
        }
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let flags = flags.iter().fold(0, |all, flag| all | mount_flag(*flag));
    Ok(Act::Mount { kind, data, flags, target: inside(target)?, id })
}

/// A path in overlayfs's options, where `:`, `,` and `\` need a backslash.
fn escape(path: &Path) -> io::Result<Vec<u8>> {
    let path = std::path::absolute(path)?;
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b':' | b',' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    Ok(escaped)
}

fn mount_flag(flag: MountFlag) -> libc::c_ulong {
    match flag {
        MountFlag::ReadOnly => libc::MS_RDONLY,
        MountFlag::NoSuid => libc::MS_NOSUID,
        MountFlag::NoDev => libc::MS_NODEV,
        MountFlag::NoExec => libc::MS_NOEXEC,
    }
}

fn attributes(flags: &[MountFlag]) -> u64 {
    flags.iter().fold(0, |all, flag| {
        all | match flag {
            MountFlag::ReadOnly => libc::MOUNT_ATTR_RDONLY,
            MountFlag::NoSuid => libc::MOUNT_ATTR_NOSUID,
            MountFlag::NoDev => libc::MOUNT_ATTR_NODEV,
            MountFlag::NoExec => libc::MOUNT_ATTR_NOEXEC,
        }
    })
}

/// The strings of the exec: init's own words, the programs to try, and the command's words.
fn image(exec: &Exec) -> Result<Image, SpawnError> {
    let Words { candidates, arguments, variables } = Words::of(exec)?;
    let count = i32::try_from(candidates.len()).unwrap_or(i32::MAX);
    let mut strings = vec![INIT_NAME.to_owned(), CString::default()];
    strings.extend(candidates);
    strings.extend(arguments);
    let words = strings.len();
    strings.extend(variables);
    let pointers = |strings: &[CString]| {
        let pointers = strings.iter().map(|string| string.as_ptr().cast_mut());
        pointers.chain([std::ptr::null_mut()]).map(AtomicPtr::new).collect()
    };
    Ok(Image {
        argv: pointers(&strings[..words]),
        envp: pointers(&strings[words..]),
        candidates: count,
        _strings: strings,
    })
}

fn split(path: &InsidePath) -> io::Result<(CString, CString)> {
    let (parent, name) = (path.as_path().parent(), path.as_path().file_name());
    let (Some(parent), Some(name)) = (parent, name) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    Ok((c_string(parent.as_os_str())?, c_string(name)?))
}

fn inside(path: &InsidePath) -> io::Result<CString> {
    Ok(c_string(path.as_os_str())?)
}
