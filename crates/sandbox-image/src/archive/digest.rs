//! Digests of content, as App Container and OCI images spell them.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use thiserror::Error;

/// How a digest is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256, of 32 bytes.
    Sha256,
    /// SHA-384, of 48 bytes.
    Sha384,
    /// SHA-512, of 64 bytes.
    Sha512,
}

impl Algorithm {
    /// Bytes of a digest.
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Its name in digests: `sha256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }
}

/// The digest of some bytes. Shown as OCI writes it (`sha256:HEX`); [`Digest::appc`] is the other
/// spelling. Both are parsed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Box<[u8]>,
}

/// Why a text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DigestError {
    /// It begins with no algorithm that is known here.
    #[error("digest {text:?}: the algorithm is not known: sha256, sha384 and sha512 are")]
    Algorithm {
        /// What was to be parsed.
        text: String,
    },
    /// It has more or fewer digits than the algorithm gives.
    #[error("digest {text:?}: {digits} digits, where {} has {wanted}; abbreviated ones are not taken", .algorithm.name())]
    Length {
        /// What was to be parsed.
        text: String,
        /// The algorithm.
        algorithm: Algorithm,
        /// How many digits there are.
        digits: usize,
        /// How many there must be.
        wanted: usize,
    },
    /// Something in it is not a lower-case hexadecimal digit.
    #[error("digest {text:?}: {found:?} is not one of 0-9 and a-f")]
    Digit {
        /// What was to be parsed.
        text: String,
        /// What is there in place of a digit.
        found: char,
    },
}

impl Digest {
    /// The digest of bytes that are in memory.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// How it was made.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its hexadecimal digits.
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        self.bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// As App Container writes it: `sha512-HEX`.
    pub fn appc(&self) -> String {
        format!("{}-{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, digits) = [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512]
            .into_iter()
            .find_map(|a| {
                let rest = text.strip_prefix(a.name())?;
                Some((a, rest.strip_prefix(['-', ':'])?))
            })
            .ok_or_else(|| DigestError::Algorithm { text: text.into() })?;
        let value = |c: char| match c {
            '0'..='9' => Ok(c as u8 - b'0'),
            'a'..='f' => Ok(c as u8 - b'a' + 10),
            found => Err(DigestError::Digit { text: text.into(), found }),
        };
        let nibbles = digits.chars().map(value).collect::<Result<Vec<u8>, _>>()?;
        let wanted = algorithm.size() * 2;
        if nibbles.len() != wanted {
            let digits = nibbles.len();
            return Err(DigestError::Length { text: text.into(), algorithm, digits, wanted });
        }
        let (pairs, _) = nibbles.as_chunks::<2>();
        Ok(Self { algorithm, bytes: pairs.iter().map(|[high, low]| high << 4 | low).collect() })
    }
}

/// Makes a digest of bytes that come in pieces.
#[derive(Clone)]
pub(super) enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha384 => Self::Sha384(Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Digest {
        let (algorithm, bytes): (_, Box<[u8]>) = match self {
            Self::Sha256(hasher) => (Algorithm::Sha256, hasher.finalize().as_slice().into()),
            Self::Sha384(hasher) => (Algorithm::Sha384, hasher.finalize().as_slice().into()),
            Self::Sha512(hasher) => (Algorithm::Sha512, hasher.finalize().as_slice().into()),
        };
        Digest { algorithm, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings() {
        let digest = Digest::of(Algorithm::Sha512, b"");
        assert!(digest.appc().starts_with("sha512-cf83e1357eefb8bd"));
        assert_eq!(digest.appc().parse(), Ok(digest.clone()));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let digest = Digest::of(Algorithm::Sha256, b"abc");
        assert!(digest.to_string().starts_with("sha256:ba7816bf8f01cfea"));
        assert_eq!(digest.to_string().parse(), Ok(digest));
    }

    #[test]
    fn others_are_errors() {
        for text in ["", "md5:00", "sha256", "sha256=00", "sha-256:00"] {
            assert!(matches!(text.parse::<Digest>(), Err(DigestError::Algorithm { .. })), "{text}");
        }
        let short = Digest::of(Algorithm::Sha512, b"").appc();
        let error = short.get(..20).map(str::parse::<Digest>);
        assert!(matches!(error, Some(Err(DigestError::Length { digits: 13, wanted: 128, .. }))));
        assert!(matches!(
            "sha256:AA".parse::<Digest>(),
            Err(DigestError::Digit { found: 'A', .. })
        ));
    }
}
