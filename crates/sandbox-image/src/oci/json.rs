//! JSON of untrusted size and depth.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};

use super::error::OciError;

/// The most bytes that a JSON file of an image may have: what registries take for a manifest.
pub(super) const LARGEST: u64 = 4 << 20;
/// The deepest nesting; no file of the specifications comes near it.
const DEEPEST: usize = 64;

/// Reads a value from JSON. The file is named in errors.
pub(super) fn parse<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, OciError> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size > LARGEST {
        return Err(OciError::JsonTooLarge { file: file.to_owned(), size, limit: LARGEST });
    }
    if depth(bytes) > DEEPEST {
        return Err(OciError::JsonTooDeep { file: file.to_owned(), limit: DEEPEST });
    }
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut from).map_err(|error| {
        let field = error.path().to_string();
        OciError::Json { file: file.to_owned(), field, source: error.into_inner() }
    })?;
    from.end().map_err(|source| OciError::Json {
        file: file.to_owned(),
        field: ".".to_owned(),
        source,
    })?;
    Ok(value)
}

/// How deep brackets are nested, whatever the rest is worth.
fn depth(bytes: &[u8]) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => now = now.saturating_add(1),
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

/// A field that programs write as `null` where it is empty.
pub(super) fn nullable<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_nest() {
        for (text, want) in [
            ("", 0),
            ("{}", 1),
            ("[[],[[]]]", 3),
            (r#"{"[[[[": "\"[[[", "a": [1]}"#, 2),
            (r#"["\\", [[]]]"#, 3),
            ("]]]][", 1),
        ] {
            assert_eq!(depth(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn deep_large_and_broken_files_are_errors_that_name_them() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let parse = |text: &str| parse::<serde_json::Value>("index.json", text.as_bytes());
        assert!(parse(&deep(DEEPEST)).is_ok());
        assert_eq!(
            parse(&deep(DEEPEST + 1)).unwrap_err().to_string(),
            "index.json: nested deeper than 64 levels: no image needs that"
        );
        let error = parse(&format!("\"{}\"", "x".repeat(4 << 20))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "index.json: 4194306 bytes of JSON: at most 4194304 are read"
        );
        let error = parse("{\"a\": }").unwrap_err();
        assert!(error.to_string().starts_with("index.json: a: expected value"), "{error}");
        assert!(parse("{} {}").unwrap_err().to_string().contains("trailing"));
    }
}
