//! Carries out what is about the child itself: its network and names, directory, ids and capabilities.

use core::ffi::CStr;
use core::sync::atomic::Ordering::Relaxed;

use super::kernel::{self, Errno};
use super::program::{ProcessAct, Program};

impl ProcessAct {
    /// Does it. `caller` is a pidfd of the caller.
    pub(super) fn run(&self, program: &Program, caller: i32) -> Result<(), Errno> {
        match self {
            Self::LoopbackUp => kernel::loopback_up(),
            Self::HostName(name) => kernel::set_host_name(name),
            Self::ChangeDirectory(path) => change_directory(path),
            Self::FirstDirectory(paths) => {
                let mut done = Err(libc::ENOENT);
                for (path, variable) in paths {
                    done = change_directory(path);
                    if done.is_ok() {
                        name_directory(variable, program);
                        break;
                    }
                }
                done
            }
            Self::Await(descriptor) => kernel::await_byte(*descriptor, caller),
            Self::SetIds { uid, gid, groups } => {
                // Capabilities survive the change, to be dropped by a step of their own.
                set_secure_bits(libc::SECBIT_NO_SETUID_FIXUP)?;
                kernel::set_ids(*uid, *gid, groups)
            }
            Self::DropCapabilities => drop_all(),
            Self::KeepCapabilities(kept) => keep(*kept),
            Self::NoNewPrivileges => kernel::process_control(libc::PR_SET_NO_NEW_PRIVS, 1),
            Self::Filter(filter) => kernel::filter_system_calls(filter),
        }
    }
}

/// By no link of proc(5)'s: the caller's descriptors are still open here, and one of a directory outside
/// would lead there (CVE-2024-21626).
fn change_directory(path: &CStr) -> Result<(), Errno> {
    let root = kernel::open(c"/", libc::O_PATH | libc::O_DIRECTORY)?;
    let directory = kernel::open_in_root(root, path, libc::O_PATH | libc::O_DIRECTORY);
    kernel::close(root);
    let directory = directory?;
    let done = kernel::change_directory(directory);
    kernel::close(directory);
    done
}

/// Where the command gets a `PWD`, it is this one.
fn name_directory(variable: &CStr, program: &Program) {
    let slot = program.exec.as_ref().and_then(|image| image.envp.get(image.pwd?));
    if let Some(slot) = slot {
        slot.store(variable.as_ptr().cast_mut(), Relaxed);
    }
}

/// Gives up all capabilities, in every set, for good (capabilities(7)).
fn drop_all() -> Result<(), Errno> {
    limit_to(0)?;
    // Being user 0 means nothing any more, and nothing can change that.
    let locked = libc::SECBIT_NOROOT
        | libc::SECBIT_NOROOT_LOCKED
        | libc::SECBIT_NO_SETUID_FIXUP
        | libc::SECBIT_NO_SETUID_FIXUP_LOCKED
        | libc::SECBIT_KEEP_CAPS_LOCKED
        | libc::SECBIT_NO_CAP_AMBIENT_RAISE
        | libc::SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
    set_secure_bits(locked)?;
    kernel::clear_ambient_capabilities()?;
    kernel::set_capabilities(&[0; 6])
}

/// All but some, which each program that is executed has, whoever its user is.
fn keep(kept: u64) -> Result<(), Errno> {
    limit_to(kept)?;
    set_secure_bits(0)?;
    kernel::clear_ambient_capabilities()?;
    let has = kernel::capabilities()?;
    let permitted = u64::from(has[1]) | u64::from(has[4]) << 32;
    let kept = kept & permitted;
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or_default();
    let (low, high) = (half(kept), half(kept >> 32));
    kernel::set_capabilities(&[low, low, low, high, high, high])?;
    (0..u64::BITS as usize)
        .filter(|capability| kept & (1 << capability) != 0)
        .try_for_each(kernel::raise_ambient_capability)
}

/// The bounding set: what no program can give. While there is `CAP_SETPCAP`; the kernel says where the
/// list ends.
fn limit_to(kept: u64) -> Result<(), Errno> {
    for capability in 0..u64::BITS as usize {
        if kept & (1 << capability) != 0 {
            continue;
        }
        match kernel::process_control(libc::PR_CAPBSET_DROP, capability) {
            Ok(()) => {}
            Err(libc::EINVAL) if is_no_capability(capability) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// The list has no holes: what is beyond it is not in the bounding set, and not out of it either.
fn is_no_capability(number: usize) -> bool {
    kernel::process_control(libc::PR_CAPBSET_READ, number) == Err(libc::EINVAL)
}

fn set_secure_bits(bits: i32) -> Result<(), Errno> {
    kernel::process_control(libc::PR_SET_SECUREBITS, bits.cast_unsigned() as usize)
}
