//! The child, from clone to exec.
//!
//! # Safety
//!
//! The child runs on a stack of its own in the caller's memory, with all signals blocked, beside the
//! caller's threads. Between clone and exec it does not allocate, lock, format, panic or look
//! anything up; it does not touch thread-local storage (which is the caller's) and so calls the
//! kernel without libc. Its file descriptors, working directory and umask are copies.
#![allow(unsafe_code, reason = "the entry point of a cloned child, and exec")]

use core::ffi::c_void;
use core::sync::atomic::Ordering::Relaxed;
use std::os::fd::AsRawFd;

use sandbox_core::{FIRST_LISTEN_FD, First};

use super::act::{Rights, State};
use super::calls::{Calls, Known};
use super::cgroup::Entry;
use super::init_file::InitFile;
use super::kernel::{self, Errno};
use super::program::{Descriptors, Image, Program};
use super::protocol::{
    ARGV_CANDIDATES, ARGV_PARAMETERS, ListenPidWord, NEW_SESSION, OWN_PID_NAMESPACE, Parameters,
    Record, TELL_PID, listen_pid,
};

/// Steps beyond those of any plan.
pub(super) const STREAMS: u32 = u32::MAX - 1;
pub(super) const START_INIT: u32 = u32::MAX - 2;
pub(super) const FIND_CHILDREN: u32 = u32::MAX - 3;
pub(super) const FILTER_COMMAND: u32 = u32::MAX - 4;
pub(super) const ENTER_CGROUP: u32 = u32::MAX - 5;
pub(super) const OWN_CGROUPS: u32 = u32::MAX - 6;
pub(super) const EXECUTE: u32 = 0x7fff_ffff;

/// What the child is started with.
pub(super) struct Order<'a> {
    pub(super) program: &'a Program,
    pub(super) descriptors: Descriptors,
    /// What it enters.
    pub(super) entry: &'a Entry,
    pub(super) init_flags: i32,
    pub(super) calls: Calls,
    pub(super) rights: Rights,
    pub(super) init: Option<InitFile>,
}

/// The function that clone(2) starts.
///
/// `order` points to an [`Order`], which lives until the child has executed or exited.
pub(super) extern "C" fn main(order: *mut c_void) -> libc::c_int {
    // SAFETY: the caller passes an Order, keeps it until the child is done, and only reads it.
    let order = unsafe { &*order.cast::<Order<'_>>() };
    let Err((step, errno)) = order.run() else { kernel::exit(0) };
    let record = Record::Failed { step, errno, detail: 0 };
    let _ = kernel::send(order.descriptors.socket, &record.to_bytes(), None);
    kernel::exit(1)
}

impl Order<'_> {
    fn run(&self) -> Result<(), (u32, Errno)> {
        let caller = match self.calls.pidfd {
            Known::Yes => self.descriptors.caller,
            Known::No => self.lifeline().map_err(|errno| (START_INIT, errno))?,
        };
        // While the host's /proc is there.
        let list = match self.calls.close_range {
            Known::Yes => None,
            Known::No => {
                let list = kernel::open(c"/proc/self/fd", libc::O_RDONLY | libc::O_DIRECTORY);
                Some(list.map_err(|errno| (START_INIT, errno))?)
            }
        };
        // Before anything else, so that all of it is counted.
        for cgroup in &self.entry.doors {
            kernel::write(*cgroup, b"0").map_err(|errno| (ENTER_CGROUP, errno))?;
        }
        if self.entry.own_cgroups {
            kernel::own_cgroups().map_err(|errno| (OWN_CGROUPS, errno))?;
        }
        let old_umask = kernel::umask(0o022);
        // Held mounts need a descriptor each. The limit is the command's again at the end.
        let limit = if self.program.held.is_empty() {
            None
        } else {
            Some(kernel::raise_open_files().map_err(|errno| (START_INIT, errno))?)
        };
        // Only the host's /proc can be asked, and only while it is there.
        let children = match self.init_flags & OWN_PID_NAMESPACE {
            // Without it, what the command leaves behind could not be found.
            0 if self.program.exec.is_some() => {
                kernel::open_children().map_err(|errno| (FIND_CHILDREN, errno))?
            }
            _ => -1,
        };
        let mut state = State::new(&self.descriptors, self.rights, self.calls.mounts);
        for op in &self.program.ops {
            op.act.run(self.program, &mut state).map_err(|errno| (op.step, errno))?;
        }
        let Some(image) = &self.program.exec else { return Ok(()) };
        self.streams().map_err(|errno| (STREAMS, errno))?;
        let ours = [Some(children), list, Some(caller)];
        let [children, list, caller] =
            listen_fds(image, ours).map_err(|errno| (START_INIT, errno))?;
        if let Some(limit) = limit {
            kernel::set_open_files(&limit).map_err(|errno| (START_INIT, errno))?;
        }
        kernel::umask(old_umask);
        Err(match image.first {
            First::Command => self.start_command(image, list),
            First::Init => {
                self.start_init(image, children.unwrap_or(-1), list, caller.unwrap_or(-1))
            }
        })
    }

    /// Makes the pipe that the caller and the init notice each other's end by, where there are no pidfds.
    fn lifeline(&self) -> Result<i32, Errno> {
        let [theirs, ours] = kernel::pipe()?;
        let record = Record::Lifeline.to_bytes();
        let sent = kernel::send(self.descriptors.socket, &record, Some(theirs));
        kernel::close(theirs);
        sent?;
        let first = self.program.exec.as_ref().map_or(0, |image| image.own_from);
        kernel::at_least(first.max(FIRST_LISTEN_FD), ours)
    }

    fn streams(&self) -> Result<(), Errno> {
        for (to, from) in (0..).zip(self.descriptors.streams) {
            if let Some(from) = from {
                kernel::duplicate(from, to)?;
            }
        }
        Ok(())
    }

    fn start_init(
        &self,
        image: &Image,
        children: i32,
        list: Option<i32>,
        caller: i32,
    ) -> (u32, Errno) {
        let socket = self.descriptors.socket;
        let kept = [socket, caller, children, image.own_from];
        let kept = kept.iter().chain(&self.entry.memory).chain(&image.descriptors);
        let parameters = Parameters {
            socket,
            caller_pidfd: caller,
            children,
            flags: self.init_flags | image.listen_pid.map_or(0, |_| TELL_PID),
            candidates: image.candidates,
            filters: image.filters,
            limits: image.limits,
            last: kept.fold(0, |last, fd| last.max(*fd)),
            exec_step: EXECUTE.cast_signed(),
        };
        let mut buffer = [0; Parameters::MAX_LEN];
        let parameters = parameters.encode(&mut buffer);
        let prepare = || {
            // One of the command's may have its number by now, and it is made anew then.
            let init = InitFile::descriptor(self.init)?;
            kernel::close_on_exec_from(3, list)?;
            let ours = [socket, caller, children];
            let ours = ours.iter().filter(|fd| **fd >= 0);
            for fd in ours.chain(&self.entry.memory) {
                kernel::keep_across_exec(*fd)?;
            }
            keep_commands(image)?;
            Ok(init)
        };
        let init = match prepare() {
            Ok(init) => init,
            Err(errno) => return (START_INIT, errno),
        };
        // The slot is this child's alone: a program is started once.
        image.argv[ARGV_PARAMETERS].store(parameters.as_ptr().cast_mut(), Relaxed);
        // SAFETY: both arrays were built with a null pointer at the end, from strings that the
        // image owns, and from the parameters, which are on this stack. An AtomicPtr has the layout
        // of a pointer.
        let errno = unsafe {
            kernel::execute(init, image.argv.as_ptr().cast(), image.envp.as_ptr().cast())
        };
        match errno {
            // The words and variables are the command's.
            libc::E2BIG => (EXECUTE, errno),
            _ => (START_INIT, errno),
        }
    }

    /// The command as the sandbox's own process: what init would do for it is done here.
    fn start_command(&self, image: &Image, list: Option<i32>) -> (u32, Errno) {
        let prepare = || {
            kernel::close_on_exec_from(3, list)?;
            keep_commands(image)?;
            // There is no init to watch the caller, which may have ended before the first line.
            let kill = libc::SIGKILL.cast_unsigned() as usize;
            kernel::process_control(libc::PR_SET_PDEATHSIG, kill)?;
            if kernel::has_ended(self.descriptors.caller) {
                return Err(libc::ESRCH);
            }
            if self.init_flags & NEW_SESSION != 0 {
                kernel::new_session()?;
            }
            kernel::default_signals()
        };
        if let Err(errno) = prepare() {
            return (START_INIT, errno);
        }
        // The end of the socket tells little: any process that another thread has forked holds it open.
        // Before the filters, which may forbid it.
        if let Err(errno) =
            kernel::send(self.descriptors.socket, &Record::Executing.to_bytes(), None)
        {
            return (START_INIT, errno);
        }
        for program in &image.programs {
            if let Err(errno) = kernel::filter_system_calls(program) {
                return (FILTER_COMMAND, errno);
            }
        }
        let mut word: ListenPidWord = [0; _];
        if let Some(slot) = image.listen_pid.and_then(|slot| image.envp.get(slot)) {
            // The slot is this child's alone, and the word on its stack until it has executed.
            let variable = listen_pid(kernel::own_pid(), &mut word).as_ptr();
            slot.store(variable.cast_mut().cast(), Relaxed);
        }
        (EXECUTE, execute_first(image))
    }
}

/// Puts the descriptors that the command gets as 3, 4, and so on, in place. Whatever of ours the caller has
/// opened has a higher number, as have the copies that are put there; only `ours` were opened since.
fn listen_fds(image: &Image, ours: [Option<i32>; 3]) -> Result<[Option<i32>; 3], Errno> {
    if image.listen_fds.is_empty() {
        return Ok(ours);
    }
    let mut moved = [None; 3];
    for (to, from) in moved.iter_mut().zip(ours) {
        if let Some(fd) = from.filter(|fd| *fd >= 0) {
            *to = Some(kernel::at_least(image.own_from, fd)?);
        }
    }
    for (to, from) in (FIRST_LISTEN_FD..).zip(&image.listen_fds) {
        kernel::duplicate(from.as_raw_fd(), to)?;
    }
    Ok(moved)
}

/// Lets the command's descriptors survive the exec.
fn keep_commands(image: &Image) -> Result<(), Errno> {
    for fd in (FIRST_LISTEN_FD..image.own_from).chain(image.descriptors.iter().copied()) {
        kernel::keep_across_exec(fd)?;
    }
    Ok(())
}

/// Like execvp(3): a program that is missing or may not be executed is passed over.
fn execute_first(image: &Image) -> Errno {
    let count = usize::try_from(image.candidates).unwrap_or_default();
    let filters = usize::try_from(image.filters).unwrap_or_default();
    let words = ARGV_CANDIDATES + count + filters;
    let mut denied = false;
    let mut errno = libc::ENOENT;
    for candidate in image.argv.iter().skip(ARGV_CANDIDATES).take(count) {
        // SAFETY: the candidates and both arrays are strings that the image owns, and the arrays end
        // with a null pointer. An AtomicPtr has the layout of a pointer.
        errno = unsafe {
            let argv = image.argv.as_ptr().add(words).cast();
            kernel::execute_path(candidate.load(Relaxed), argv, image.envp.as_ptr().cast())
        };
        match errno {
            libc::EACCES => denied = true,
            libc::ENOENT | libc::ENOTDIR => {}
            _ => return errno,
        }
    }
    if denied { libc::EACCES } else { errno }
}
