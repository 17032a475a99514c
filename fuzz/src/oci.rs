//! JSON of OCI images and bundles.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;

use sandbox_image::oci::{Bundle, Hosts, Layout, Platform};
use sha2::{Digest as _, Sha256};

use super::fixture::directory;

/// Most files of an image that are made of an input.
const PARTS: usize = 6;

/// An image in a directory. The bytes are its files, with a zero byte between them; the last one says
/// which images there are: `manifest.json` of a docker-archive if it is a list, else `index.json`. In
/// them `%D0` is the digest of the first file, and `%S0` its length.
pub fn oci_json(bytes: &[u8]) {
    let at = directory();
    let blobs = at.path().join("blobs/sha256");
    fs::create_dir_all(&blobs).expect("directories are made");
    let mut known: Vec<(String, usize)> = Vec::new();
    let mut last = Vec::new();
    for part in bytes.split(|byte| *byte == 0).take(PARTS) {
        last = filled_in(part, &known);
        let mut digest = String::new();
        for byte in Sha256::digest(&last) {
            write!(digest, "{byte:02x}").expect("a string takes it");
        }
        fs::write(blobs.join(&digest), &last).expect("a file is written");
        known.push((digest, last.len()));
    }
    let write = |name: &str, content: &[u8]| {
        fs::write(at.path().join(name), content).expect("a file is written");
    };
    if last.trim_ascii_start().starts_with(b"[") {
        write("manifest.json", &last);
    } else {
        write("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        write("index.json", &last);
    }
    let opened = File::open(at.path()).expect("the directory is opened");
    let Ok(layout) = Layout::directory(opened.into(), at.path()) else { return };
    for name in [None, Some("test")] {
        let Ok(image) = layout.image(name, &Platform::new("linux", "amd64")) else { continue };
        let _ = image.run.command(&[]);
        let _ = layout.stored_bytes(&image);
        let again =
            layout.image(name, &Platform::new("linux", "amd64")).expect("it is there still");
        assert_eq!(image.reference, again.reference);
    }
}

/// The text with digests and lengths in it.
fn filled_in(part: &[u8], known: &[(String, usize)]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = part;
    while let Some((first, more)) = rest.split_first() {
        let at = |digit: u8| known.get(usize::from(digit.wrapping_sub(b'0')));
        rest = match rest {
            [b'%', b'D', digit, after @ ..] if let Some((digest, _)) = at(*digit) => {
                text.extend_from_slice(digest.as_bytes());
                after
            }
            [b'%', b'S', digit, after @ ..] if let Some((_, length)) = at(*digit) => {
                text.extend_from_slice(length.to_string().as_bytes());
                after
            }
            _ => {
                text.push(*first);
                more
            }
        };
    }
    text
}

/// The `config.json` of a bundle.
pub fn bundle(bytes: &[u8]) {
    let parse = || Bundle::parse(Path::new("/bundle"), bytes, Hosts { uid: 0, gid: 0 });
    let (Ok(bundle), Ok(again)) = (parse(), parse()) else { return };
    assert_eq!(bundle, again);
    // What reads the file refuses a text that is not JSON: no field of another text can be told of.
    let value: serde_json::Value = serde_json::from_slice(bytes).expect("it is JSON");
    for field in bundle.unsupported.iter().chain(&bundle.without_effect) {
        let mut names = value.as_object().into_iter().flatten().map(|(name, _)| name);
        let known = names.any(|name| field.field.starts_with(name.as_str()));
        assert!(known, "there is no field {:?}", field.field);
    }
}
