//! Compiles a plan: everything that needs memory, formatting or the environment happens here.

use std::collections::BTreeMap;
use std::env;
use std::ffi::CString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sandbox_core::{Exec, InsidePath, Missing, NewFilesystem, Plan, Recursion, Step};

use super::console;
use super::filesystems::{attributes, depth, mount};
use super::host_path::host_path;
use super::image::{PWD, image};
use super::kernel::Depth;
use super::places::{Place, Places};
use super::profile;
use super::program::{Act, FileAct, Op, ProcessAct, Program, Target, TargetKind, map_line};
use crate::error::SpawnError;
use crate::words::c_string;

/// Compiles all of a plan. `limits` are words for the init.
pub(super) fn program(plan: &Plan, limits: Vec<CString>) -> Result<Program, SpawnError> {
    let mut program = steps_of(&plan.steps, Some(&plan.exec))?;
    program.exec = Some(image(&plan.exec, limits)?);
    Ok(program)
}

/// Compiles steps that end without an exec.
pub(super) fn steps(steps: &[Step]) -> Result<Program, SpawnError> {
    steps_of(steps, None)
}

fn steps_of(steps: &[Step], exec: Option<&Exec>) -> Result<Program, SpawnError> {
    let mut compiler = Compiler { exec, steps, ..Compiler::default() };
    for step in steps {
        if let Step::Reopen(path) = step {
            let slot = compiler.reopened.len();
            compiler.reopened.entry(path.clone()).or_insert(slot);
        }
    }
    let mut scratch = steps.iter().any(needs_scratch);
    for (index, step) in (0..).zip(steps) {
        compiler.step = index;
        if matches!(step, Step::RootTree(_) | Step::RootEmpty) && scratch {
            compiler.push(Act::Scratch);
            scratch = false;
        }
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

#[derive(Default)]
struct Compiler<'a> {
    /// What comes after the steps.
    exec: Option<&'a Exec>,
    steps: &'a [Step],
    ops: Vec<Op>,
    step: u32,
    /// The slot of each held path.
    held: BTreeMap<InsidePath, usize>,
    /// What is mounted where so far.
    places: Places,
    targets: u32,
    /// The slot of each mount that is reopened later.
    reopened: BTreeMap<InsidePath, usize>,
}

impl Compiler<'_> {
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
                let path = host_path(path)?;
                let c_path = c_string(path.as_os_str())?;
                self.places.mount(&InsidePath::root(), Place::Host);
                match step {
                    Step::RootTree(_) => Act::RootTree(c_path),
                    _ => Act::RootDirectory(c_path),
                }
            }
            Step::RootEmpty => {
                self.places.mount(&InsidePath::root(), Place::Memory);
                Act::RootEmpty
            }
            Step::MakeDirectory(path) => Act::Make(self.target(path, TargetKind::Directory)?),
            Step::MakeFile(path) => Act::Make(self.target(path, TargetKind::File)?),
            Step::MakeTarget { target, like, missing } => match (fs::metadata(like), missing) {
                (Err(error), Missing::IsFine) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(());
                }
                (metadata, _) => Act::Make(self.target(target, kind_of(&metadata?))?),
            },
            Step::MakeTargetFor { target, descriptor } => {
                let metadata = descriptors_file(*descriptor)?;
                Act::Make(self.target(target, kind_of(&metadata))?)
            }
            Step::Mount { filesystem, target, flags } => {
                let place = match filesystem {
                    // A link in a layer may lead anywhere.
                    NewFilesystem::Overlay { .. } | NewFilesystem::TemporaryOverlay { .. } => {
                        Place::Host
                    }
                    _ => Place::Memory,
                };
                self.mount_place(target, place)?;
                mount(filesystem, target, flags, self.reopened.get(target).copied())?
            }
            Step::RestrictInPlace { target, flags } => {
                Act::RestrictInPlace { target: inside(target)?, attributes: attributes(flags) }
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
            Step::Lock(path) => Act::Lock(inside(path)?),
            Step::LastUserNamespace => {
                Act::Write { path: c"/proc/sys/user/max_user_namespaces", content: b"0".into() }
            }
            Step::BlockTerminalInput | Step::BuildProfile(_) => {
                match profile::filter(step, self.steps)? {
                    Some(filter) => Act::Process(ProcessAct::Filter(filter)),
                    // There is nothing to refuse, or another step does it.
                    None => return Ok(()),
                }
            }
            step => match (self.bind(step)?, self.file(step)?, process(step)?) {
                (Some(act), ..) => act,
                (None, Some(act), _) => Act::File(act),
                (None, None, Some(act)) => Act::Process(act),
                (None, None, None) => return Err(io::ErrorKind::Unsupported.into()),
            },
        };
        self.push(act);
        Ok(())
    }

    fn bind(&mut self, step: &Step) -> io::Result<Option<Act>> {
        Ok(Some(match step {
            Step::BindDescriptor { descriptor, target, recursion, flags } => {
                descriptors_file(*descriptor)?;
                Act::BindDescriptor {
                    descriptor: *descriptor,
                    source: c_string(fs::read_link(descriptors_path(*descriptor))?)?,
                    target: self.mount_place(target, Place::Host)?,
                    attributes: attributes(flags),
                    depth: depth(*recursion),
                }
            }
            Step::Bind { source, target, recursion, flags, missing } => {
                let source = c_string(host_path(source)?)?;
                let target = self.mount_place(target, Place::Host)?;
                let (attributes, depth) = (attributes(flags), depth(*recursion));
                Act::Bind { source, target, attributes, depth, missing: *missing }
            }
            Step::BindConsole(target) => Act::Bind {
                source: c_string(console::source(self.exec))?,
                target: self.mount_place(target, Place::Host)?,
                attributes: 0,
                depth: Depth::Single,
                missing: Missing::Fails,
            },
            _ => return Ok(None),
        }))
    }

    fn file(&mut self, step: &Step) -> io::Result<Option<FileAct>> {
        Ok(Some(match step {
            Step::CreateDirectory { target, mode } => {
                FileAct::Directory { path: inside(target)?, mode: *mode }
            }
            Step::CreateFile { target, content, mode } => {
                FileAct::File { path: inside(target)?, content: content.clone(), mode: *mode }
            }
            Step::Symlink { at, to } => {
                // It may lead anywhere.
                self.places.mount(at, Place::Host);
                FileAct::Link { path: inside(at)?, to: c_string(to)? }
            }
            Step::ChangeMode { target, mode } => {
                FileAct::Mode { path: inside(target)?, mode: *mode }
            }
            Step::BindData { target, content, mode, flags } => {
                let make = Act::Make(self.target(target, TargetKind::File)?);
                self.push(make);
                FileAct::Data {
                    target: inside(target)?,
                    content: content.clone(),
                    mode: *mode,
                    attributes: attributes(flags),
                }
            }
            _ => return Ok(None),
        }))
    }

    /// Where something is mounted: what comes after it there is in it.
    fn mount_place(&mut self, target: &InsidePath, place: Place) -> io::Result<CString> {
        self.places.mount(target, place);
        inside(target)
    }

    fn target(&mut self, path: &InsidePath, kind: TargetKind) -> io::Result<Target> {
        let number = self.targets;
        self.targets += 1;
        Ok(Target { kind, number, path: inside(path)?, on_host: self.places.on_host(path) })
    }
}

fn process(step: &Step) -> io::Result<Option<ProcessAct>> {
    Ok(Some(match step {
        Step::LoopbackUp => ProcessAct::LoopbackUp,
        Step::SetHostname(name) => ProcessAct::HostName(CString::new(name.as_str())?),
        Step::ChangeDirectory(path) => ProcessAct::ChangeDirectory(inside(path)?),
        Step::KeepDirectory => {
            ProcessAct::ChangeDirectory(c_string(env::current_dir()?.as_os_str())?)
        }
        Step::FirstDirectory(paths) => {
            let root = InsidePath::root();
            let places = paths.iter().chain([&root]).map(|path| {
                let variable = [PWD, path.as_os_str().as_encoded_bytes()].concat();
                Ok((inside(path)?, CString::new(variable)?))
            });
            ProcessAct::FirstDirectory(places.collect::<io::Result<_>>()?)
        }
        Step::Await(descriptor) => {
            descriptors_file(*descriptor)?;
            ProcessAct::Await(*descriptor)
        }
        Step::SetIds { uid, gid, groups } => {
            ProcessAct::SetIds { uid: *uid, gid: *gid, groups: groups.clone() }
        }
        Step::DropCapabilities => ProcessAct::DropCapabilities,
        Step::KeepCapabilities(kept) => {
            ProcessAct::KeepCapabilities(kept.iter().fold(0, |bits, one| bits | 1 << one.number()))
        }
        Step::NoNewPrivileges => ProcessAct::NoNewPrivileges,
        _ => return Ok(None),
    }))
}

fn descriptors_path(descriptor: i32) -> String {
    format!("/proc/self/fd/{descriptor}")
}

/// What one of this process's descriptors refers to.
fn descriptors_file(descriptor: i32) -> io::Result<Metadata> {
    fs::metadata(descriptors_path(descriptor)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::from_raw_os_error(libc::EBADF),
        _ => error,
    })
}

/// Whether a step needs a tmpfs below the new root: for a file in memory, or to leave the sandbox's own
/// roots out of a copy of the host's.
fn needs_scratch(step: &Step) -> bool {
    let is_root = |path: &Path| {
        let which = |path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        which(path).is_some() && which(path) == which(Path::new("/"))
    };
    match step {
        Step::BindData { .. } => true,
        Step::Bind { source, recursion, .. } => *recursion != Recursion::Single && is_root(source),
        Step::BindDescriptor { descriptor, .. } => is_root(descriptors_path(*descriptor).as_ref()),
        _ => false,
    }
}

fn kind_of(metadata: &Metadata) -> TargetKind {
    if metadata.is_dir() { TargetKind::Directory } else { TargetKind::File }
}

fn inside(path: &InsidePath) -> io::Result<CString> {
    Ok(c_string(path.as_os_str())?)
}
