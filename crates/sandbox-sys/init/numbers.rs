//! The numbers of the system calls that init makes: libc, which knows them, is not linked.

use core::ffi::c_long;

macro_rules! numbers {
    ($($name:ident = $x86_64:literal, $generic:literal;)*) => {
        $(
            #[cfg(target_arch = "x86_64")]
            pub(crate) const $name: c_long = $x86_64;
            // aarch64 and riscv64 both use the table of the kernel's asm-generic/unistd.h.
            #[cfg(not(target_arch = "x86_64"))]
            pub(crate) const $name: c_long = $generic;
        )*
    };
}

numbers! {
    CLONE = 56, 220;
    CLOSE = 3, 57;
    CLOSE_RANGE = 436, 436;
    EXECVE = 59, 221;
    EXIT_GROUP = 231, 94;
    FCNTL = 72, 25;
    GETPID = 39, 172;
    GETPPID = 110, 173;
    GETRUSAGE = 98, 165;
    KILL = 62, 129;
    LSEEK = 8, 62;
    PPOLL = 271, 73;
    PRCTL = 157, 167;
    READ = 0, 63;
    RECVFROM = 45, 207;
    RT_SIGACTION = 13, 134;
    RT_SIGPENDING = 127, 136;
    RT_SIGPROCMASK = 14, 135;
    SECCOMP = 317, 277;
    SENDTO = 44, 206;
    SETSID = 112, 157;
    SIGNALFD4 = 289, 74;
    WAIT4 = 61, 260;
    WRITE = 1, 64;
}
