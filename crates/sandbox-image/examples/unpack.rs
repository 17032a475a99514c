//! Unpacks an archive, to measure that: `unpack FILE DIRECTORY [sha256|sha512]`.

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;

use sandbox_image::archive::{Algorithm, Entries, Limits, Stream, StreamOptions};
use sandbox_image::unpack::{Choice, Options, Unpacker};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args_os().skip(1);
    let (Some(file), Some(directory)) = (words.next(), words.next()) else {
        return Err("usage: unpack FILE DIRECTORY [sha256|sha512]".into());
    };
    let digest = words.next().map(|word| match word.to_str() {
        Some("sha512") => Algorithm::Sha512,
        _ => Algorithm::Sha256,
    });
    let options = StreamOptions { digest, ..StreamOptions::default() };
    let stream = Stream::new(File::open(file)?, options)?;
    let mut entries = Entries::new(stream, Limits::default());
    let root = File::open(PathBuf::from(directory))?;
    let mut unpacker = Unpacker::new(root.into(), Options::for_caller());
    unpacker.apply(&mut entries, &mut |_| Choice::Unpack)?;
    let report = unpacker.finish()?;
    let totals = entries.finish()?.finish()?;
    if digest.is_some() || !report.complete() {
        println!("{report:?}\n{totals:?}");
    }
    Ok(())
}
