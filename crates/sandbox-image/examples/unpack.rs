//! Unpacks an archive or an OCI image layout, to measure that: `unpack FILE|LAYOUT DIRECTORY [sha256|sha512]`.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use sandbox_image::archive::{Algorithm, Entries, Limits, Stream, StreamOptions};
use sandbox_image::oci::{Layout, Platform};
use sandbox_image::unpack::{Choice, Options, Report, Unpacker};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let (Some(image), Some(directory)) = (words.next(), words.next()) else {
        return Err("usage: unpack FILE|LAYOUT DIRECTORY [sha256|sha512]".into());
    };
    let digest = words.next().map(|word| match word.to_str() {
        Some("sha512") => Algorithm::Sha512,
        _ => Algorithm::Sha256,
    });
    let (image, root) = (PathBuf::from(image), File::open(PathBuf::from(directory))?);
    let report =
        if image.is_dir() { layers(&image, root)? } else { archive(&image, root, digest)? };
    if !report.complete() {
        println!("{report:?}");
    }
    Ok(())
}

fn archive(image: &Path, root: File, digest: Option<Algorithm>) -> Result<Report, Box<dyn Error>> {
    let options = StreamOptions { digest, ..StreamOptions::default() };
    let stream = Stream::new(File::open(image)?, options)?;
    let mut entries = Entries::new(stream, Limits::default());
    let mut unpacker = Unpacker::new(root.into(), Options::for_caller());
    unpacker.apply(&mut entries, &mut |_| Choice::Unpack)?;
    let report = unpacker.finish()?;
    let totals = entries.finish()?.finish()?;
    if digest.is_some() {
        println!("{totals:?}");
    }
    Ok(report)
}

/// Digests are always checked here.
fn layers(image: &Path, root: File) -> Result<Report, Box<dyn Error>> {
    let layout = Layout::directory(File::open(image)?.into(), image)?;
    let image = layout.image(None, &Platform::host())?;
    Ok(layout.unpack(&image, root.into(), Options::for_layers(), None)?)
}
