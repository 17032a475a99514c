//! The cells of the matrix: a backend, a caller, and what kind of kernel or host there is.

use std::fmt;

use super::BACKENDS;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) backend: &'static str,
    pub(super) caller: Caller,
    pub(super) kernel: Kernel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Caller {
    Root,
    User,
}

/// What the suite runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kernel {
    /// As it is here.
    Full,
    /// No namespace can be made, as in most containers.
    Refused,
    /// New namespaces and mounts are refused by a filter, as in the other containers.
    Container,
    /// Nothing that is newer than Linux 4.19.
    Of2018,
    /// Without a call, which is answered by ENOSYS.
    Without(&'static str),
    /// In a sandbox of the backend's own.
    Nested,
    /// In one of Debian's bubblewrap.
    InBwrap,
}

/// When a cell is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// With `--all`, or by the name of its kernel.
    Asked,
}

const KERNELS: [Kernel; 12] = [
    Kernel::Full,
    Kernel::Refused,
    Kernel::Container,
    Kernel::Of2018,
    Kernel::Nested,
    Kernel::InBwrap,
    Kernel::Without("clone3"),
    Kernel::Without("openat2"),
    Kernel::Without("mount-setattr"),
    Kernel::Without("mount-api"),
    Kernel::Without("close-range"),
    Kernel::Without("pidfd"),
];

impl Kernel {
    fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Refused => "refused",
            Self::Container => "container",
            Self::Of2018 => "2018",
            Self::Without(call) => call,
            Self::Nested => "nested",
            Self::InBwrap => "in-bwrap",
        }
    }

    /// What the suite is told.
    pub(super) fn arguments(self) -> Vec<&'static str> {
        match self {
            Self::Full => Vec::new(),
            Self::Refused => vec!["--without", "namespaces"],
            Self::Container | Self::Of2018 | Self::Without(_) => vec!["--without", self.word()],
            Self::Nested => vec!["--inside", "ours"],
            Self::InBwrap => vec!["--inside", "bwrap"],
        }
    }
}

impl Cell {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let callers = [Caller::Root, Caller::User];
        let pairs = move |backend| {
            callers.into_iter().flat_map(move |caller| {
                KERNELS.into_iter().map(move |kernel| Self { backend, caller, kernel })
            })
        };
        BACKENDS.iter().flat_map(move |(backend, _)| pairs(*backend)).filter(|cell| cell.says())
    }

    /// Whether another cell does not say the same: a plain user cannot chroot on any kernel, and in a sandbox
    /// without capabilities nobody can.
    fn says(self) -> bool {
        let chroot = self.backend == "chroot";
        match (self.caller, self.kernel) {
            (_, Kernel::Full | Kernel::Refused) => true,
            (_, Kernel::Nested) => !chroot,
            (caller, _) => !chroot || caller == Caller::Root,
        }
    }

    pub(super) fn when(self) -> When {
        match self.kernel {
            Kernel::Full | Kernel::Refused | Kernel::Container | Kernel::Of2018 => When::Always,
            Kernel::Nested | Kernel::InBwrap | Kernel::Without(_) => When::Asked,
        }
    }

    pub(super) fn words(self) -> [&'static str; 3] {
        let caller = match self.caller {
            Caller::Root => "root",
            Caller::User => "user",
        };
        [self.backend, caller, self.kernel.word()]
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}
