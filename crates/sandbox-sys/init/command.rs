//! Starts the command.

use core::arch::asm;
use core::cell::Cell;
use core::ffi::c_char;

use crate::protocol::{FILTER, INIT, LIMIT, LISTEN_PID, LONGEST_FILTER};
use crate::protocol::{ListenPidWord, limit, listen_pid};
use crate::sys::{self, EACCES, EINVAL, ENOENT, ENOTDIR, SIGKILL};
use crate::{numbers, raw, start};

const CLONE_VM: usize = 0x100;
const CLONE_VFORK: usize = 0x4000;
const FLAGS: usize = CLONE_VM | CLONE_VFORK | sys::SIGCHLD as usize;

pub(crate) struct Command<'a> {
    /// The paths to try as the program, in order.
    pub(crate) candidates: &'a [*const c_char],
    /// Filters of system calls, in hexadecimal.
    pub(crate) filters: &'a [*const c_char],
    /// What is written before it starts, to limit it.
    pub(crate) limits: &'a [*const c_char],
    /// argv and envp, each ended by a NULL.
    pub(crate) argv: *const *const c_char,
    pub(crate) envp: *mut *const c_char,
    /// Put its PID into its environment.
    pub(crate) tell_pid: bool,
    /// Run it in a session of its own.
    pub(crate) new_session: bool,
    /// The PID of init, if the command has to be killed when init dies.
    pub(crate) dies_with: Option<i32>,
}

/// A command, and where the child leaves the reason why it could not become it.
struct Attempt<'a> {
    command: &'a Command<'a>,
    failure: Cell<Option<Failure>>,
}

/// Why a command could not be started: an errno, and [`FILTER`], [`LIMIT`] or [`INIT`] where one of these is
/// why.
#[derive(Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) errno: i32,
    pub(crate) detail: u32,
}

impl Failure {
    pub(crate) fn of_exec(errno: i32) -> Self {
        Self { errno, detail: 0 }
    }

    pub(crate) fn of_init(errno: i32) -> Self {
        Self { errno, detail: INIT }
    }
}

impl Command<'_> {
    /// Starts the command and returns its PID.
    pub(crate) fn start(&self) -> Result<i32, Failure> {
        self.limit().map_err(|errno| Failure { errno, detail: LIMIT })?;
        let attempt = Attempt { command: self, failure: Cell::new(None) };
        // SAFETY: `child` does not return.
        let pid = raw::result(unsafe { vfork(&raw const attempt) }).map_err(Failure::of_init)?;
        match attempt.failure.get() {
            None => Ok(pid as i32),
            Some(failure) => Err(failure),
        }
    }

    /// In the child: it becomes a process that ends with init, and has no more of it than is meant.
    fn leave_init(&self) -> sys::Result<()> {
        if let Some(init) = self.dies_with {
            sys::prctl(sys::PR_SET_PDEATHSIG, SIGKILL as usize)?;
            // Init may have died before the line above.
            if sys::getppid() != init {
                sys::exit(127);
            }
        }
        if self.new_session {
            sys::setsid()?;
        }
        sys::set_signal_mask(sys::NO_SIGNALS).map(drop)
    }

    /// Writes what limits it; nobody can take that back by these descriptors.
    fn limit(&self) -> sys::Result<()> {
        self.limits.iter().try_for_each(|&text| {
            // SAFETY: an element of argv before the command's words, so not its NULL.
            let (fd, value) = limit(unsafe { start::bytes(text) }).ok_or(EINVAL)?;
            let written = sys::write(fd, value);
            // The command must not have it.
            sys::close_range(fd, fd)?;
            written.map(drop)
        })
    }

    /// Installs the filters, in order.
    fn filter(&self) -> sys::Result<()> {
        self.filters.iter().try_for_each(|&text| {
            // SAFETY: an element of argv before the command's words, so not its NULL.
            let text = unsafe { start::bytes(text) };
            let mut program = [0_u64; LONGEST_FILTER];
            let len = decode(text, &mut program).ok_or(EINVAL)?;
            sys::install_filter(program.get(..len).unwrap_or_default()).map(drop)
        })
    }

    /// Puts another variable in the place of [`LISTEN_PID`].
    ///
    /// # Safety
    ///
    /// `variable` must end with a NUL, and last until the command has been executed, or is not wanted any more.
    unsafe fn set_listen_pid(&self, variable: &[u8]) {
        let mut slot = self.envp;
        // SAFETY: envp is an array of strings that ends with a NULL, and nothing else refers to it.
        unsafe {
            while !(*slot).is_null() {
                if start::bytes(*slot).starts_with(LISTEN_PID) {
                    *slot = variable.as_ptr().cast();
                }
                slot = slot.add(1);
            }
        }
    }

    /// Like execvp(3): a program that is missing or may not be executed is passed over. Returns
    /// why none could be executed.
    fn execute(&self) -> i32 {
        let mut denied = false;
        let mut errno = ENOENT;
        for &path in self.candidates {
            let path = path.expose_provenance();
            let (argv, envp) = (self.argv.expose_provenance(), self.envp.expose_provenance());
            // SAFETY: a string and two arrays that came from execve(2) as they are.
            let value = unsafe { raw::syscall3(numbers::EXECVE, path, argv, envp) };
            errno = raw::result(value).err().unwrap_or_default();
            match errno {
                EACCES => denied = true,
                ENOENT | ENOTDIR => {}
                _ => return errno,
            }
        }
        if denied { EACCES } else { errno }
    }
}

/// The child's life until it becomes the command.
unsafe extern "C" fn child(attempt: *const Attempt<'_>) -> ! {
    // SAFETY: `start` lends it, and is suspended until this process has executed or exited.
    let Attempt { command, failure } = unsafe { &*attempt };
    if let Err(errno) = command.leave_init() {
        failure.set(Some(Failure::of_init(errno)));
        sys::exit(127);
    }
    let mut word: ListenPidWord = [0; _];
    if command.tell_pid {
        // SAFETY: it ends with a NUL, and is in this frame, which is never left.
        unsafe { command.set_listen_pid(listen_pid(sys::getpid(), &mut word)) };
    }
    failure.set(Some(match command.filter() {
        Ok(()) => Failure::of_exec(command.execute()),
        Err(errno) => Failure { errno, detail: FILTER },
    }));
    sys::exit(127)
}

/// Instructions of 8 bytes, in hexadecimal; gives back how many there are.
fn decode(text: &[u8], program: &mut [u64]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<16>();
    if !rest.is_empty() || words.len() > program.len() {
        return None;
    }
    for (to, word) in program.iter_mut().zip(words) {
        let mut bytes = [0; 8];
        for (byte, &[high, low]) in bytes.iter_mut().zip(word.as_chunks::<2>().0) {
            *byte = digit(high)? << 4 | digit(low)?;
        }
        *to = u64::from_ne_bytes(bytes);
    }
    Some(words.len())
}

fn digit(text: u8) -> Option<u8> {
    match text {
        b'0'..=b'9' => Some(text - b'0'),
        b'a'..=b'f' => Some(text - b'a' + 10),
        _ => None,
    }
}

/// vfork(2): runs [`child`] in a new process that shares this one's memory, while this one is
/// suspended. The child can use this stack, as it only ever goes deeper from here.
///
/// # Safety
///
/// `attempt` must point to an `Attempt`.
unsafe fn vfork(attempt: *const Attempt<'_>) -> isize {
    let value: isize;
    // SAFETY: clone(2) needs no pointer with these flags. Its return in the parent leaves all other
    // registers alone. In the child, nothing here is executed after `child`, and what `child` does
    // to the stack is below this frame: without `nostack` the red zone is free.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rdi, r9",
            "call {child}",
            "ud2",
            "2:",
            child = sym child,
            inlateout("rax") numbers::CLONE => value,
            in("rdi") FLAGS,
            in("rsi") 0_usize, in("rdx") 0_usize, in("r10") 0_usize, in("r8") 0_usize,
            in("r9") attempt,
            lateout("rcx") _, lateout("r11") _,
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x0, x5",
            "bl {child}",
            "brk #1",
            "2:",
            child = sym child,
            in("x8") numbers::CLONE,
            inlateout("x0") FLAGS => value,
            in("x1") 0_usize, in("x2") 0_usize, in("x3") 0_usize, in("x4") 0_usize,
            in("x5") attempt,
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "riscv64")]
    unsafe {
        asm!(
            "ecall",
            "bnez a0, 2f",
            "mv a0, a5",
            "call {child}",
            "unimp",
            "2:",
            child = sym child,
            in("a7") numbers::CLONE,
            inlateout("a0") FLAGS => value,
            in("a1") 0_usize, in("a2") 0_usize, in("a3") 0_usize, in("a4") 0_usize,
            in("a5") attempt,
            clobber_abi("C"),
        );
    }
    value
}
