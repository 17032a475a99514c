//! From bytes to fields: how long and how deep a manifest may be, and where it is wrong.

use std::io::Read;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::error::{Field, ManifestError};
use super::types::AcVersion;

/// The longest manifest that is read: 16 MiB.
pub const MAX_MANIFEST: u64 = 16 * 1024 * 1024;

/// How deeply the lists and objects of a manifest may hold each other.
pub const MAX_DEPTH: usize = 100;

/// Reads no more than the longest manifest, and an error if there is more.
pub(super) fn read(from: impl Read) -> Result<Vec<u8>, ManifestError> {
    let mut bytes = Vec::new();
    let limited = from.take(MAX_MANIFEST.saturating_add(1)).read_to_end(&mut bytes);
    limited.map_err(|source| ManifestError::Read { source })?;
    check_length(&bytes)?;
    Ok(bytes)
}

fn check_length(bytes: &[u8]) -> Result<(), ManifestError> {
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_MANIFEST) {
        Ok(())
    } else {
        Err(ManifestError::TooLong { limit: MAX_MANIFEST })
    }
}

/// What every manifest begins with, as far as what it means depends on it.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "acKind")]
    kind: String,
    #[serde(rename = "acVersion")]
    _version: AcVersion,
}

/// The manifest of this kind. What kind and version it is comes before anything else that may be wrong
/// with it.
pub(super) fn manifest<T: DeserializeOwned>(
    bytes: &[u8],
    expected: &'static str,
) -> Result<T, ManifestError> {
    check_length(bytes)?;
    if depth(bytes) > MAX_DEPTH {
        return Err(ManifestError::TooDeep { limit: MAX_DEPTH });
    }
    let head: Head = document(bytes)?;
    if head.kind != expected {
        return Err(ManifestError::Kind { found: head.kind, expected });
    }
    document(bytes)
}

fn document<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ManifestError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let document = value(&mut json, &Field::default())?;
    json.end().map_err(|source| ManifestError::Json { field: Field::default(), source })?;
    Ok(document)
}

/// A value whose errors name the field, which is below `at`.
pub(super) fn value<'de, T, D>(from: D, at: &Field) -> Result<T, ManifestError>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    serde_path_to_error::deserialize(from).map_err(|error| ManifestError::Json {
        field: at.follow(error.path()),
        source: error.into_inner(),
    })
}

/// How deeply the brackets of a text in JSON hold each other. What is wrong with them otherwise is found
/// when it is read.
fn depth(bytes: &[u8]) -> usize {
    let (mut now, mut most, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now = now.saturating_add(1);
                most = most.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// `null` as if the field were not there: what writes lists that are empty that way is in use.
pub(super) fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths() {
        for (text, expected) in [
            ("", 0),
            ("1", 0),
            ("{}", 1),
            (r#"{"a":[{}],"b":[]}"#, 3),
            (r#"{"a":"[[[["}"#, 1),
            (r#"{"a":"\"[[","b":"\\"}"#, 1),
            ("]]]]{", 1),
        ] {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
    }
}
