//! Digests as descriptors write them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::archive::{Algorithm, Digest};

/// The digest of a blob: `sha256:` or `sha512:` and its digits, nothing else, so that it can be a part
/// of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobDigest(Digest);

/// A string that is no digest of a blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{value:?} is not a digest: give sha256: and 64, or sha512: and 128 lower-case hexadecimal digits"
)]
pub struct BlobDigestError {
    /// The string, cut where it is long.
    pub value: String,
}

impl BlobDigest {
    /// The digest.
    pub fn digest(&self) -> &Digest {
        &self.0
    }

    /// Where a layout has this blob.
    pub(super) fn path(&self) -> String {
        format!("blobs/{}/{}", self.0.algorithm().name(), self.0.hex())
    }
}

impl TryFrom<String> for BlobDigest {
    type Error = BlobDigestError;

    fn try_from(text: String) -> Result<Self, BlobDigestError> {
        let known = [Algorithm::Sha256, Algorithm::Sha512];
        match text.parse::<Digest>() {
            // Parsing takes other spellings as well.
            Ok(digest) if known.contains(&digest.algorithm()) && digest.to_string() == text => {
                Ok(Self(digest))
            }
            _ => Err(BlobDigestError { value: text.chars().take(200).collect() }),
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
        self.0.fmt(f)
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
            format!("sha256-{zeros}"),
            format!("sha512:{zeros}"),
            format!("sha384:{}", "0".repeat(96)),
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
