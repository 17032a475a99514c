//! A plan compiled: what the caller mounts, and every string and number that the child will need.

use std::env;
use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr;

use sandbox_core::{Exec, InsidePath, Missing, NewFilesystem, Plan, Session, Step};

use crate::error::SpawnError;
use crate::words::{Words, c_string};

/// What is done, in order, each with the index of its step.
#[derive(Default)]
pub(super) struct Program {
    /// Before the child exists.
    pub(super) mounts: Vec<(usize, Mounting)>,
    /// In the child.
    pub(super) acts: Vec<(usize, Act)>,
    /// Executed at the end, where it is not a trial.
    pub(super) image: Option<Image>,
}

/// What the caller does to the tree. Targets are below the root.
pub(super) enum Mounting {
    MakeDirectory(PathBuf),
    /// Makes what the host path is: a directory, or a file.
    MakeLike(PathBuf, PathBuf),
    Bind {
        source: PathBuf,
        target: PathBuf,
    },
    New {
        filesystem: NewFilesystem,
        target: PathBuf,
    },
}

/// One operation of the child.
pub(super) enum Act {
    Chroot(CString),
    ChangeDirectory(CString),
    /// The first of the groups is `gid`: some systems take that for the effective one.
    SetIds {
        uid: libc::uid_t,
        gid: libc::gid_t,
        groups: Vec<libc::gid_t>,
    },
}

/// What the child executes.
pub(super) struct Image {
    pub(super) candidates: Vec<CString>,
    pub(super) session: Session,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    /// What the pointers point to: each has an allocation of its own, which does not move.
    _strings: Vec<CString>,
}

impl Image {
    fn of(exec: &Exec) -> Result<Self, SpawnError> {
        let Words { candidates, arguments, variables } = Words::of(exec)?;
        let pointers = |strings: &[CString]| {
            strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
        };
        let (argv, envp) = (pointers(&arguments), pointers(&variables));
        // Moved, not copied: the pointers are theirs.
        let strings = arguments.into_iter().chain(variables).collect();
        Ok(Self { candidates, session: exec.session, argv, envp, _strings: strings })
    }

    /// Two arrays of strings, each with a null pointer at the end.
    pub(super) fn pointers(&self) -> (*const *const libc::c_char, *const *const libc::c_char) {
        (self.argv.as_ptr(), self.envp.as_ptr())
    }
}

/// The root of the plan, and all that is done.
pub(super) fn compile(plan: &Plan) -> Result<(PathBuf, Program), SpawnError> {
    let mut root = PathBuf::from("/");
    let mut program = Program::default();
    for (index, step) in plan.steps.iter().enumerate() {
        compile_step(index, step, &mut root, &mut program).map_err(|source| match source {
            Refused::NotHere => SpawnError::NotHere { step: Box::new(step.clone()) },
            Refused::Os(source) => {
                SpawnError::Step { step: Box::new(step.clone()), hint: None, source }
            }
        })?;
    }
    if !plan.namespaces.is_empty() {
        let action = "make namespaces, which this platform has not";
        return Err(SpawnError::host(action, io::ErrorKind::Unsupported.into()));
    }
    if !plan.limits.is_none() {
        let action = "limit resources, for which this platform has no cgroups";
        return Err(SpawnError::host(action, io::ErrorKind::Unsupported.into()));
    }
    program.image = Some(Image::of(&plan.exec)?);
    Ok((root, program))
}

enum Refused {
    NotHere,
    Os(io::Error),
}

impl<E: Into<io::Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Os(error.into())
    }
}

fn compile_step(
    index: usize,
    step: &Step,
    root: &mut PathBuf,
    program: &mut Program,
) -> Result<(), Refused> {
    let mounting = match step {
        Step::RootDirectory(path) => {
            // Made out here: inside, a relative path would be another one.
            *root = std::path::absolute(path)?;
            if !std::fs::metadata(&*root)?.is_dir() {
                return Err(io::Error::from_raw_os_error(libc::ENOTDIR).into());
            }
            return Ok(());
        }
        Step::MakeDirectory(target) => Mounting::MakeDirectory(below(target)?),
        Step::MakeTarget { like: source, missing: Missing::IsFine, .. }
        | Step::Bind { source, missing: Missing::IsFine, .. }
            if !source.exists() =>
        {
            return Ok(());
        }
        Step::MakeTarget { target, like, .. } => Mounting::MakeLike(below(target)?, like.clone()),
        Step::Bind { source, target, flags, .. } if flags.is_empty() => {
            Mounting::Bind { source: std::path::absolute(source)?, target: below(target)? }
        }
        Step::Mount { filesystem, target, flags } if flags.is_empty() => {
            Mounting::New { filesystem: filesystem.clone(), target: below(target)? }
        }
        step => {
            program.acts.push((index, act(step, root)?));
            return Ok(());
        }
    };
    program.mounts.push((index, mounting));
    Ok(())
}

fn act(step: &Step, root: &Path) -> Result<Act, Refused> {
    Ok(match step {
        Step::Chroot => Act::Chroot(c_string(root.as_os_str())?),
        Step::ChangeDirectory(path) => Act::ChangeDirectory(c_string(path.as_os_str())?),
        Step::KeepDirectory => Act::ChangeDirectory(c_string(env::current_dir()?.as_os_str())?),
        Step::SetIds { uid, gid, groups } => {
            let groups = [&[*gid], groups.as_slice()].concat();
            Act::SetIds { uid: *uid, gid: *gid, groups }
        }
        _ => return Err(Refused::NotHere),
    })
}

/// A target as a relative path. Without openat2(2) nothing resolves `..` inside a root.
fn below(target: &InsidePath) -> io::Result<PathBuf> {
    if target.components().any(|name| name == "..") {
        let text = format!("`..` in the target {target} cannot be resolved inside the root here");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(target.components().collect())
}
