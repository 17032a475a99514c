//! Every file of the fuzz targets' corpora, through the functions that are fuzzed: what was found once
//! stays mended.

#![allow(
    unreachable_pub,
    missing_docs,
    clippy::expect_used,
    clippy::panic,
    reason = "it is the library of the fuzz targets, where these are its interface and its way to fail"
)]

#[path = "../../../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::Path;

#[test]
fn the_corpora_hold() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in fuzz::TARGETS {
        let mut files = 0;
        for file in fs::read_dir(corpora.join(name)).unwrap() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            std::panic::catch_unwind(|| target(&bytes))
                .unwrap_or_else(|_| panic!("{} fails", path.display()));
            files += 1;
        }
        assert!(files > 0, "{name} has no corpus");
    }
}
