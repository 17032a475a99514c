//! Paths inside the sandbox.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use proptest::prelude::*;
use sandbox_core::{ConfigError, InsidePath};

use crate::strategies::{inside_path, os_string, written_path};

proptest! {
    #[test]
    fn a_path_is_absolute_and_has_no_empty_or_dot_components(path in inside_path()) {
        prop_assert!(path.as_path().is_absolute());
        prop_assert!(path.components().all(|part| !part.is_empty() && part != "."));
        let bytes = path.as_os_str().as_bytes();
        prop_assert!(!bytes.windows(2).any(|pair| pair == b"//"));
        prop_assert!(path.is_root() || !bytes.ends_with(b"/"));
        prop_assert_eq!(path.is_root(), path.components().next().is_none());
    }

    #[test]
    fn nothing_else_is_lost(written in written_path()) {
        let path = InsidePath::from_root(&written, "path").unwrap();
        let kept: Vec<_> = path.components().map(|part| part.as_bytes().to_vec()).collect();
        let given: Vec<_> = written
            .as_bytes()
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".")
            .map(<[u8]>::to_vec)
            .collect();
        prop_assert_eq!(kept, given);
        prop_assert_eq!(InsidePath::from_root(path.as_os_str(), "path").unwrap(), path);
    }

    #[test]
    fn an_absolute_path_is_taken_and_a_relative_one_refused(written in written_path()) {
        let absolute = written.as_bytes().starts_with(b"/");
        match InsidePath::absolute(&written, "cwd") {
            Ok(path) => {
                prop_assert!(absolute);
                prop_assert_eq!(path, InsidePath::from_root(&written, "cwd").unwrap());
            }
            Err(error) => {
                prop_assert!(!absolute);
                prop_assert_eq!(error, ConfigError::Relative { field: "cwd".into(), value: written });
            }
        }
    }

    #[test]
    fn nul_is_refused_wherever_it_is(before in os_string(), after in os_string()) {
        let mut bytes = before.into_vec();
        bytes.push(0);
        bytes.extend(after.into_vec());
        let value = OsString::from_vec(bytes);
        let error = InsidePath::from_root(&value, "writable").unwrap_err();
        prop_assert_eq!(error, ConfigError::Nul { field: "writable".into(), value });
    }

    #[test]
    fn what_is_joined_is_within(path in inside_path(), name in "[a-z]{1,5}") {
        let below = path.join(&name);
        prop_assert_eq!(below.components().last().unwrap(), name.as_str());
        prop_assert!(!path.is_within(&below));
        let dotted = path.components().any(|part| part == "..");
        prop_assert_eq!(below.is_within(&path), !dotted);
        prop_assert!(path.is_within(&path));
    }
}

#[test]
fn within_goes_by_components() {
    let path = |text: &str| InsidePath::absolute(text, "path").unwrap();
    assert!(path("/a/b").is_within(&path("/a")));
    assert!(path("/a").is_within(&path("/")));
    assert!(!path("/ab").is_within(&path("/a")));
    assert!(!path("/a/../b").is_within(&path("/a")));
    assert!(!path("/a/b").is_within(&path("/a/..")));
}
