//! For which systems images are, and on which they run.

use std::fs;
use std::path::Path;

use super::types::{Label, label};

/// The architectures of each system, as `os` and `arch` of an image name them.
const KNOWN: [(&str, &[&str]); 3] = [
    (
        "linux",
        &[
            "amd64",
            "i386",
            "aarch64",
            "aarch64_be",
            "armv6l",
            "armv7l",
            "armv7b",
            "ppc64",
            "ppc64le",
            "s390x",
        ],
    ),
    ("freebsd", &["amd64", "i386", "arm"]),
    ("darwin", &["x86_64", "i386"]),
];

/// What is run here besides the host's own architecture, without help.
const ALSO: [(&str, &str); 2] = [("amd64", "i386"), ("armv7l", "armv6l")];

/// What qemu-user calls the architectures of Linux.
const QEMU: [(&str, &str); 10] = [
    ("amd64", "x86_64"),
    ("i386", "i386"),
    ("aarch64", "aarch64"),
    ("aarch64_be", "aarch64_be"),
    ("armv6l", "arm"),
    ("armv7l", "arm"),
    ("armv7b", "armeb"),
    ("ppc64", "ppc64"),
    ("ppc64le", "ppc64le"),
    ("s390x", "s390x"),
];

/// Where Linux lists its handlers of foreign programs.
const BINFMT_MISC: &str = "/proc/sys/fs/binfmt_misc";

/// The architectures of a system. `None`: it is not known.
pub(super) fn architectures(os: &str) -> Option<&'static [&'static str]> {
    KNOWN.iter().find(|(name, _)| *name == os).map(|(_, architectures)| *architectures)
}

/// The known systems.
pub(super) fn systems() -> [&'static str; 3] {
    KNOWN.map(|(name, _)| name)
}

/// A system and an architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Platform {
    /// As an image's label `os`.
    pub os: String,
    /// As an image's label `arch`.
    pub arch: String,
    /// The architectures that something else runs on this system: see [`emulated`].
    pub emulated: Vec<String>,
}

/// An image that does not run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// It is for another system.
    #[error("the image is for {os}, this host is {host}: use an image for {host}")]
    System {
        /// The image's.
        os: String,
        /// The host's.
        host: String,
    },
    /// It is for another architecture.
    #[error(
        "the image is for {os}/{arch}, this host is {os}/{host}, and no handler for {arch} is enabled in \
         binfmt_misc: use an image for {host}, or install qemu-user's handlers"
    )]
    Architecture {
        /// The system.
        os: String,
        /// The image's architecture.
        arch: String,
        /// The host's.
        host: String,
    },
}

impl Platform {
    /// A platform on which nothing else is emulated.
    pub fn new(os: impl Into<String>, arch: impl Into<String>) -> Self {
        Self { os: os.into(), arch: arch.into(), emulated: Vec::new() }
    }

    /// The platform that this program is for, with what the host emulates.
    pub fn host() -> Self {
        let os = match std::env::consts::OS {
            "macos" => "darwin",
            os => os,
        };
        let big_endian = cfg!(target_endian = "big");
        let arch = match (os, std::env::consts::ARCH) {
            ("darwin", arch) => arch,
            (_, "x86_64") => "amd64",
            (_, "x86") => "i386",
            ("freebsd", arch) => arch,
            (_, "aarch64") if big_endian => "aarch64_be",
            (_, "arm") if big_endian => "armv7b",
            (_, "arm") => "armv7l",
            (_, "powerpc64") if big_endian => "ppc64",
            (_, "powerpc64") => "ppc64le",
            (_, arch) => arch,
        };
        let emulated = emulated(Path::new(BINFMT_MISC));
        Self { emulated, ..Self::new(os, arch) }
    }

    /// Whether an image with these labels runs here. Without a label it is for every system, or for every
    /// architecture.
    ///
    /// # Errors
    /// It is for another one.
    pub fn runs(&self, labels: &[Label]) -> Result<(), PlatformError> {
        let Some(os) = label(labels, "os") else { return Ok(()) };
        if os != self.os {
            return Err(PlatformError::System { os: os.to_owned(), host: self.os.clone() });
        }
        let Some(arch) = label(labels, "arch") else { return Ok(()) };
        let runs = arch == self.arch
            || ALSO.contains(&(self.arch.as_str(), arch))
            || self.emulated.iter().any(|emulated| emulated == arch);
        if runs {
            return Ok(());
        }
        Err(PlatformError::Architecture {
            os: os.to_owned(),
            arch: arch.to_owned(),
            host: self.arch.clone(),
        })
    }
}

/// The architectures for which a handler of qemu-user's is enabled in this directory, which is Linux's
/// `/proc/sys/fs/binfmt_misc`. Whether its interpreter can be reached from inside an image (flag `F`) is
/// not looked at.
pub fn emulated(directory: &Path) -> Vec<String> {
    let first_line = |name: &str| {
        let text = fs::read_to_string(directory.join(name)).unwrap_or_default();
        text.lines().next().unwrap_or_default().to_owned()
    };
    if first_line("status") != "enabled" {
        return Vec::new();
    }
    QEMU.iter()
        .filter(|(_, qemu)| first_line(&format!("qemu-{qemu}")) == "enabled")
        .map(|(arch, _)| (*arch).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
        pairs
            .iter()
            .map(|(name, value)| Label { name: name.parse().unwrap(), value: (*value).to_owned() })
            .collect()
    }

    #[test]
    fn the_host_is_one_that_images_can_name() {
        let host = Platform::host();
        assert!(architectures(&host.os).unwrap().contains(&host.arch.as_str()), "{host:?}");
    }

    #[test]
    fn what_runs_where() {
        let host = Platform { emulated: vec!["s390x".into()], ..Platform::new("linux", "amd64") };
        for good in [
            &[][..],
            &[("os", "linux")],
            &[("arch", "s390x")],
            &[("arch", "anything")],
            &[("os", "linux"), ("arch", "amd64")],
            &[("os", "linux"), ("arch", "i386")],
            &[("arch", "s390x"), ("os", "linux")],
        ] {
            host.runs(&labels(good)).unwrap();
        }
        let error = host.runs(&labels(&[("os", "linux"), ("arch", "aarch64")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the image is for linux/aarch64, this host is linux/amd64, and no handler for aarch64 is \
             enabled in binfmt_misc: use an image for amd64, or install qemu-user's handlers"
        );
        let error = host.runs(&labels(&[("os", "freebsd"), ("arch", "amd64")])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the image is for freebsd, this host is linux: use an image for linux"
        );
        let small = Platform::new("linux", "i386");
        small.runs(&labels(&[("os", "linux"), ("arch", "amd64")])).unwrap_err();
    }

    #[test]
    fn handlers() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        assert!(emulated(directory.path()).is_empty());
        write("status", "enabled\n");
        write("qemu-arm", "enabled\ninterpreter /usr/bin/qemu-arm\nflags: OCF\n");
        write("qemu-s390x", "disabled\ninterpreter /usr/bin/qemu-s390x\n");
        write("python3.13", "enabled\n");
        assert_eq!(emulated(directory.path()), ["armv6l", "armv7l"]);
        write("status", "disabled\n");
        assert!(emulated(directory.path()).is_empty());
    }
}
