//! The programs that build tools already call, on sandboxlib: `bwrap` and `linux-user-chroot`.
//!
//! Each is a thin front: argument grammar -> [`SandboxConfig`](sandbox_core::SandboxConfig) -> the same
//! negotiation, plan and child as everything else.

pub mod bwrap;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod linux_user_chroot;
mod setuid;
