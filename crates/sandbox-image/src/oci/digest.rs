//! Digests as descriptors write them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The digest of a blob: an algorithm and lower-case hexadecimal digits, nothing else, so that it can
/// be a part of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobDigest {
    algorithm: Algorithm,
    hex: String,
}

/// A hash that digests are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `sha256`
    Sha256,
    /// `sha512`
    Sha512,
}

/// A string that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{value:?} is not a digest: give sha256: and 64, or sha512: and 128 lower-case hexadecimal digits"
)]
pub struct DigestError {
    /// The string, cut where it is long.
    pub value: String,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl BlobDigest {
    /// A digest from its algorithm and digits.
    ///
    /// # Errors
    /// Not as many lower-case hexadecimal digits as the algorithm has.
    pub fn new(algorithm: Algorithm, hex: impl Into<String>) -> Result<Self, DigestError> {
        let hex = hex.into();
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if hex.len() == algorithm.digits() && hex.bytes().all(digit) {
            return Ok(Self { algorithm, hex });
        }
        let value = format!("{}:{hex}", algorithm.name()).chars().take(200).collect();
        Err(DigestError { value })
    }

    /// What it was made with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its digits.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// Where a layout has this blob.
    pub(super) fn path(&self) -> String {
        format!("blobs/{}/{}", self.algorithm.name(), self.hex)
    }
}

impl TryFrom<String> for BlobDigest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        match text.split_once(':') {
            Some(("sha256", hex)) => Self::new(Algorithm::Sha256, hex),
            Some(("sha512", hex)) => Self::new(Algorithm::Sha512, hex),
            _ => Err(DigestError { value: text.chars().take(200).collect() }),
        }
    }
}

impl From<BlobDigest> for String {
    fn from(digest: BlobDigest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for BlobDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_digests_of_known_algorithms_are_digests() {
        let good = |text: &str| BlobDigest::try_from(text.to_owned());
        let zeros = "0".repeat(64);
        let digest = good(&format!("sha256:{zeros}")).unwrap();
        assert_eq!(digest.path(), format!("blobs/sha256/{zeros}"));
        assert!(good(&format!("sha512:{zeros}{zeros}")).is_ok());
        for wrong in [
            String::new(),
            zeros.clone(),
            format!("sha512:{zeros}"),
            format!("sha256:{zeros}0"),
            format!("sha256:{}A", "0".repeat(63)),
            format!("md5:{}", "0".repeat(32)),
            format!("sha256:../{}", "0".repeat(61)),
            format!("sha256:{}/", "0".repeat(63)),
        ] {
            let error = good(&wrong).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{wrong:?} is not a digest")), "{error}");
        }
    }
}
