//! The backends that the command has, the preferred first. A new one is one line here.

use sandbox_core::Backend;

/// linux-user-chroot first: it isolates everything, and needs no privilege. chroot where there is
/// nothing else.
pub(crate) static BACKENDS: [&dyn Backend; 2] =
    [&sandbox_luc::LinuxUserChroot, &sandbox_chroot::Chroot];
