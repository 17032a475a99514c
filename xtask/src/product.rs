//! The programs that are given to users, and measured: the release build, linked statically and
//! at a fixed address where that can be done. A process that is run once for each sandbox spends
//! much of its time on its own start, and the dynamic loader is half of that.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use crate::{Result, command, workspace};

const STATIC: &str = "-C target-feature=+crt-static -C relocation-model=static";

/// The programs of one package.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Programs {
    package: &'static str,
    pub(crate) names: &'static [&'static str],
}

pub(crate) const RUN_SANDBOX: Programs =
    Programs { package: "sandbox-cli", names: &["run-sandbox"] };
/// What build tools call by the names that they know.
pub(crate) const DROP_INS: Programs =
    Programs { package: "sandbox-drop-ins", names: &["bwrap", "linux-user-chroot"] };

/// The folder that built programs are in, and how they were linked.
pub(crate) struct Product {
    pub(crate) folder: PathBuf,
    pub(crate) linking: Linking,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Linking {
    /// Statically, at a fixed address.
    Static,
    /// As Cargo does it for this platform, and why.
    Default(String),
}

impl fmt::Display for Linking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => f.write_str("linked statically, at a fixed address"),
            Self::Default(reason) => write!(f, "linked as Cargo does it: {reason}"),
        }
    }
}

impl Programs {
    /// Builds them.
    pub(crate) fn build(self) -> Result<Product> {
        let version = command::stdout(Command::new("rustc").arg("-vV"))?;
        let target = host(&version).ok_or("rustc -vV names no host")?;
        let linking = match static_flags(target, &env::var("RUSTFLAGS").unwrap_or_default()) {
            Ok(flags) => self.build_static(target, &flags)?,
            Err(reason) => Linking::Default(reason),
        };
        let folder = match &linking {
            Linking::Static => format!("{target}/release"),
            Linking::Default(_) => {
                command::run(&mut self.cargo_build())?;
                "release".to_owned()
            }
        };
        Ok(Product { folder: workspace::target_dir()?.join(folder), linking })
    }

    fn cargo_build(self) -> Command {
        let mut cargo = workspace::cargo();
        cargo.args(["build", "--quiet", "--release", "--package", self.package]);
        cargo.args(self.names.iter().flat_map(|name| ["--bin", name]));
        cargo
    }

    fn build_static(self, target: &str, flags: &str) -> Result<Linking> {
        let mut cargo = self.cargo_build();
        // Named, the target keeps the flags from build scripts and procedural macros.
        cargo.args(["--target", target]);
        cargo.env("RUSTFLAGS", flags).env_remove("CARGO_ENCODED_RUSTFLAGS");
        let output = command::output(&mut cargo)?;
        if output.status.success() {
            return Ok(Linking::Static);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let first = errors.lines().find(|line| line.starts_with("error"));
        let first = first.unwrap_or("no reason given");
        Ok(Linking::Default(format!("a static build failed (it needs libc.a): {first}")))
    }
}

/// The user's flags and those of a static program, where the platform has such programs.
fn static_flags(target: &str, own: &str) -> std::result::Result<String, String> {
    if target.ends_with("-linux-gnu") {
        Ok(format!("{own} {STATIC}").trim_start().to_owned())
    } else {
        Err(format!("{target} has its own way"))
    }
}

fn host(version: &str) -> Option<&str> {
    version.lines().find_map(|line| line.strip_prefix("host: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glibc_alone_is_linked_differently() {
        assert_eq!(host("rustc 1.95.0\nhost: x86_64-apple-darwin\n"), Some("x86_64-apple-darwin"));
        assert_eq!(static_flags("aarch64-unknown-linux-gnu", "").unwrap(), STATIC);
        let own = static_flags("x86_64-unknown-linux-gnu", "-C target-cpu=native").unwrap();
        assert_eq!(own, format!("-C target-cpu=native {STATIC}"));
        for other in ["x86_64-unknown-linux-musl", "x86_64-apple-darwin"] {
            assert!(static_flags(other, "").unwrap_err().contains(other));
        }
    }
}
