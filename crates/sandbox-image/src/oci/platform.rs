//! Which machine an image is for.

use std::env::consts;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A platform, in the words of the image specification, which are those of the Go compiler.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Platform {
    /// The operating system: `linux`.
    #[serde(default)]
    pub os: String,
    /// The processor: `amd64`, `arm64`.
    #[serde(default)]
    pub architecture: String,
    /// Which of them: `v7` for `arm`. `None`: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// A platform of any variant. Common other names of a processor are understood (`x86_64`).
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Self { os: os.into(), architecture: architecture.into(), variant: None }.canonical()
    }

    /// The same platform, of one variant.
    #[must_use]
    pub fn variant(mut self, variant: impl Into<String>) -> Self {
        self.variant = Some(variant.into()).filter(|variant| !variant.is_empty());
        self
    }

    /// The one that this program is compiled for; of a processor's variants the one that every
    /// such processor is.
    pub fn host() -> Self {
        let os = if consts::OS == "macos" { "darwin" } else { consts::OS };
        let little = cfg!(target_endian = "little");
        let architecture = match (consts::ARCH, little) {
            ("powerpc64", true) => "ppc64le",
            ("powerpc64", false) => "ppc64",
            ("mips64", true) => "mips64le",
            ("loongarch64", _) => "loong64",
            (other, _) => other,
        };
        let host = Self::new(os, architecture);
        match host.architecture.as_str() {
            "amd64" => host.variant("v1"),
            "arm64" => host.variant("v8"),
            "arm" => host.variant("v7"),
            _ => host,
        }
    }

    /// Whether an image for this platform runs where `wanted` does. A variant counts where both say one.
    pub fn is_for(&self, wanted: &Self) -> bool {
        let (image, wanted) = (self.clone().canonical(), wanted.clone().canonical());
        let variants = image.variant.as_ref().zip(wanted.variant.as_ref());
        image.os == wanted.os
            && image.architecture == wanted.architecture
            && variants.is_none_or(|(image, wanted)| image == wanted)
    }

    fn canonical(mut self) -> Self {
        self.architecture = match self.architecture.as_str() {
            "x86_64" | "x86-64" => "amd64".to_owned(),
            "x86" | "i386" | "i686" => "386".to_owned(),
            "aarch64" => "arm64".to_owned(),
            _ => self.architecture,
        };
        self.variant = self.variant.filter(|variant| !variant.is_empty());
        self
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_count_where_both_have_one() {
        let amd64 = || Platform::new("linux", "amd64");
        let arm = || Platform::new("linux", "arm");
        for (image, wanted, want) in [
            (amd64(), amd64(), true),
            (Platform::new("linux", "x86_64"), amd64(), true),
            (amd64(), amd64().variant("v1"), true),
            (amd64().variant(""), amd64().variant("v1"), true),
            (amd64().variant("v3"), amd64().variant("v1"), false),
            (arm().variant("v6"), arm().variant("v7"), false),
            (arm().variant("v7"), arm().variant("v7"), true),
            (arm(), amd64(), false),
            (Platform::new("windows", "amd64"), amd64(), false),
            (Platform::default(), amd64(), false),
        ] {
            assert_eq!(image.is_for(&wanted), want, "{image} for {wanted}");
        }
    }

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn the_host_has_the_names_of_the_specification() {
        assert_eq!(Platform::host().to_string(), "linux/amd64/v1");
    }
}
