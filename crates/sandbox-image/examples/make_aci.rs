//! Makes an App Container image of a directory tree, and prints its ID. `cargo xtask image` runs this.

use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sandbox_image::aci::build::{Compression, build};
use sandbox_image::aci::platform::Platform;
use serde_json::json;

const USAGE: &str = "\
usage: cargo xtask image TREE OUT.aci [--manifest FILE | --name NAME --exec PROGRAM [ARG]...]
                         [--compress none|gzip]

  --manifest FILE  the image's manifest
  --name NAME      makes one: this name, for this host's platform, run as root
  --exec WORDS     what that image runs: an absolute path, and its arguments after spaces
  --compress HOW   default: gzip";

/// The words of the command line.
#[derive(Default)]
struct Words {
    paths: Vec<PathBuf>,
    manifest: Option<PathBuf>,
    name: Option<String>,
    exec: Option<String>,
    compression: Option<Compression>,
}

fn main() -> ExitCode {
    match run() {
        Ok(id) => {
            println!("{id}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Box<dyn Error>> {
    let words = Words::read(std::env::args_os().skip(1))?;
    let [tree, out] = words.paths.as_slice() else { return Err(USAGE.into()) };
    let manifest = match (&words.manifest, &words.name, &words.exec) {
        (Some(file), None, None) => fs::read(file).map_err(|e| at(file, &e))?,
        (None, Some(name), Some(exec)) => manifest(name, exec).into_bytes(),
        _ => return Err(USAGE.into()),
    };
    let file = File::create(out).map_err(|e| at(out, &e))?;
    let compression = words.compression.unwrap_or(Compression::Gzip);
    match build(&manifest, tree, BufWriter::with_capacity(1 << 18, file), compression) {
        Ok(id) => Ok(id.to_string()),
        Err(error) => {
            // Half an image is none.
            fs::remove_file(out).map_err(|e| at(out, &e))?;
            Err(error.into())
        }
    }
}

impl Words {
    fn read(mut args: impl Iterator<Item = OsString>) -> Result<Self, Box<dyn Error>> {
        let mut words = Self::default();
        while let Some(arg) = args.next() {
            let text = arg.to_string_lossy().into_owned();
            if !text.starts_with("--") {
                words.paths.push(arg.into());
                continue;
            }
            let value = args.next().ok_or_else(|| format!("{text} takes a value\n{USAGE}"))?;
            let shown = value.to_string_lossy().into_owned();
            match (text.as_str(), shown.as_str()) {
                ("--manifest", _) => words.manifest = Some(value.into()),
                ("--name", _) => words.name = Some(shown),
                ("--exec", _) => words.exec = Some(shown),
                ("--compress", "none") => words.compression = Some(Compression::None),
                ("--compress", "gzip") => words.compression = Some(Compression::Gzip),
                ("--compress", _) => return Err(format!("--compress {shown}: none or gzip").into()),
                _ => return Err(format!("no option {text}\n{USAGE}").into()),
            }
        }
        Ok(words)
    }
}

/// The least that a manifest has to say.
fn manifest(name: &str, exec: &str) -> String {
    let platform = Platform::host();
    json!({
        "acKind": "ImageManifest",
        "acVersion": "0.8.11",
        "name": name,
        "labels": [
            { "name": "os", "value": platform.os },
            { "name": "arch", "value": platform.arch },
        ],
        "app": {
            "exec": exec.split_whitespace().collect::<Vec<_>>(),
            "user": "0",
            "group": "0",
        },
    })
    .to_string()
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}
