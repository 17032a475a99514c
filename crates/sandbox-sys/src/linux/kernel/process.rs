//! The system calls that are about the process itself: privileges, limits, signals, exec.

use core::ffi::CStr;
use core::ptr::{from_mut, from_ref};

use super::{Errno, Fd, call, close, descriptor, text, word};

/// nanosleep(2) for a millisecond.
pub(in crate::linux) fn pause() {
    let time = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let _ = call(libc::SYS_nanosleep, [from_ref(&time) as usize, 0]);
}

/// prctl(2) with one argument.
pub(in crate::linux) fn process_control(option: i32, argument: usize) -> Result<(), Errno> {
    call(libc::SYS_prctl, [word(option), argument, 0, 0, 0]).map(drop)
}

/// prctl(2) `PR_CAP_AMBIENT_CLEAR_ALL`.
pub(in crate::linux) fn clear_ambient_capabilities() -> Result<(), Errno> {
    let clear = word(libc::PR_CAP_AMBIENT_CLEAR_ALL);
    call(libc::SYS_prctl, [word(libc::PR_CAP_AMBIENT), clear, 0, 0, 0]).map(drop)
}

/// prctl(2) `PR_CAP_AMBIENT_RAISE`
pub(in crate::linux) fn raise_ambient_capability(capability: usize) -> Result<(), Errno> {
    let raise = word(libc::PR_CAP_AMBIENT_RAISE);
    call(libc::SYS_prctl, [word(libc::PR_CAP_AMBIENT), raise, capability, 0, 0]).map(drop)
}

/// Effective, permitted, inheritable, in two halves: the lower 32 capabilities come first.
pub(in crate::linux) type CapabilitySets = [u32; 6];

/// The version of the interface, and this process.
const CAPABILITY_HEADER: [u32; 2] = [0x2008_0522, 0];

/// capget(2)
pub(in crate::linux) fn capabilities() -> Result<CapabilitySets, Errno> {
    let mut sets = [0; 6];
    let words = [CAPABILITY_HEADER.as_ptr() as usize, sets.as_mut_ptr() as usize];
    call(libc::SYS_capget, words).map(|_| sets)
}

/// capset(2)
pub(in crate::linux) fn set_capabilities(sets: &CapabilitySets) -> Result<(), Errno> {
    let words = [CAPABILITY_HEADER.as_ptr() as usize, sets.as_ptr() as usize];
    call(libc::SYS_capset, words).map(drop)
}

/// setgroups(2), setresgid(2), setresuid(2).
pub(in crate::linux) fn set_ids(uid: u32, gid: u32, groups: &[u32]) -> Result<(), Errno> {
    let (uid, gid) = (uid as usize, gid as usize);
    call(libc::SYS_setgroups, [groups.len(), groups.as_ptr() as usize])?;
    call(libc::SYS_setresgid, [gid, gid, gid])?;
    call(libc::SYS_setresuid, [uid, uid, uid]).map(drop)
}

/// seccomp(2) `SECCOMP_SET_MODE_FILTER`.
pub(in crate::linux) fn filter_system_calls(filter: &[libc::sock_filter]) -> Result<(), Errno> {
    let len = filter.len() as libc::c_ushort;
    // The kernel copies the filter and writes nothing.
    let program = libc::sock_fprog { len, filter: filter.as_ptr().cast_mut() };
    let mode = libc::SECCOMP_SET_MODE_FILTER as usize;
    call(libc::SYS_seccomp, [mode, 0, from_ref(&program) as usize]).map(drop)
}

/// sethostname(2), and setdomainname(2) to what a new system has.
pub(in crate::linux) fn set_host_name(name: &CStr) -> Result<(), Errno> {
    const NO_DOMAIN: &CStr = c"(none)";
    call(libc::SYS_sethostname, [text(name), name.count_bytes()])?;
    call(libc::SYS_setdomainname, [text(NO_DOMAIN), NO_DOMAIN.count_bytes()]).map(drop)
}

/// netdevice(7) `SIOCSIFFLAGS`: the loopback interface goes up; the kernel gives it its addresses.
pub(in crate::linux) fn loopback_up() -> Result<(), Errno> {
    // SAFETY: ifreq is plain integers, for which zero is valid.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    let socket = call(libc::SYS_socket, [word(libc::AF_INET), word(kind), 0])?;
    let words = [socket, libc::SIOCSIFFLAGS as usize, from_ref(&request) as usize];
    let done = call(libc::SYS_ioctl, words);
    close(descriptor(socket));
    done.map(drop)
}

/// The soft limit of open files becomes the hard one; gives back what it was (prlimit(2)).
pub(in crate::linux) fn raise_open_files() -> Result<libc::rlimit64, Errno> {
    let mut old = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let files = libc::RLIMIT_NOFILE as usize;
    call(libc::SYS_prlimit64, [0, files, 0, from_mut(&mut old) as usize])?;
    let new = libc::rlimit64 { rlim_cur: old.rlim_max, rlim_max: old.rlim_max };
    set_open_files(&new)?;
    Ok(old)
}

/// Sets the limit of open files (prlimit(2)).
pub(in crate::linux) fn set_open_files(limit: &libc::rlimit64) -> Result<(), Errno> {
    let files = libc::RLIMIT_NOFILE as usize;
    call(libc::SYS_prlimit64, [0, files, from_ref(limit) as usize, 0]).map(drop)
}

/// unshare(2) `CLONE_NEWCGROUP`: the cgroup that the process is in becomes the root of what it sees.
pub(in crate::linux) fn own_cgroups() -> Result<(), Errno> {
    call(libc::SYS_unshare, [word(libc::CLONE_NEWCGROUP)]).map(drop)
}

/// getpid(2)
pub(in crate::linux) fn own_pid() -> i32 {
    descriptor(call(libc::SYS_getpid, []).unwrap_or_default())
}

/// setsid(2)
pub(in crate::linux) fn new_session() -> Result<(), Errno> {
    call(libc::SYS_setsid, []).map(drop)
}

/// What a command starts with: no signal blocked, none that a handler of the caller's is for, and none
/// ignored that the caller's runtime ignores (rt_sigaction(2), rt_sigprocmask(2)). The table of actions is
/// a copy.
pub(in crate::linux) fn default_signals() -> Result<(), Errno> {
    const SET_SIZE: usize = size_of::<u64>();
    const LAST: i32 = 64;
    for signal in 1..=LAST {
        // The kernel's struct sigaction: the handler, flags, a restorer, a mask.
        let mut action = [0_u64; 4];
        let words = [word(signal), 0, action.as_mut_ptr() as usize, SET_SIZE];
        call(libc::SYS_rt_sigaction, words)?;
        let ignored = action[0] == libc::SIG_IGN as u64;
        let default = action[0] == libc::SIG_DFL as u64;
        if default || ignored && !matches!(signal, libc::SIGCHLD | libc::SIGPIPE) {
            continue;
        }
        action = [0; 4];
        let words = [word(signal), action.as_ptr() as usize, 0, SET_SIZE];
        call(libc::SYS_rt_sigaction, words)?;
    }
    let none = 0_u64;
    let words = [word(libc::SIG_SETMASK), from_ref(&none) as usize, 0, SET_SIZE];
    call(libc::SYS_rt_sigprocmask, words).map(drop)
}

/// execveat(2) of a descriptor. Returns only to report why not.
///
/// # Safety
/// `argv` and `envp` are arrays of pointers to strings, each ending with a null pointer.
pub(in crate::linux) unsafe fn execute(
    program: Fd,
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
) -> Errno {
    let empty = word(libc::AT_EMPTY_PATH);
    let words = [word(program), text(c""), argv as usize, envp as usize, empty];
    call(libc::SYS_execveat, words).err().unwrap_or(libc::EIO)
}

/// execve(2). Returns only to report why not.
///
/// # Safety
/// `program` is a string; `argv` and `envp` are arrays of pointers to strings, each ending with a null
/// pointer.
pub(in crate::linux) unsafe fn execute_path(
    program: *const libc::c_char,
    argv: *const *const libc::c_char,
    envp: *const *const libc::c_char,
) -> Errno {
    let words = [program as usize, argv as usize, envp as usize];
    call(libc::SYS_execve, words).err().unwrap_or(libc::EIO)
}

/// exit_group(2)
pub(in crate::linux) fn exit(status: i32) -> ! {
    loop {
        let _ = call(libc::SYS_exit_group, [word(status)]);
    }
}
