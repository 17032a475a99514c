//! `cargo xtask check-targets`: type-checks the crates for the platforms that are not this one.
//! A check links nothing and runs nothing: it says that the code is well formed there, no more.
//!
//! Where rustup has a target, the ordinary toolchain checks it. Elsewhere Debian's compiler does,
//! whose packages carry the source of the standard library, with which any target can be checked.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::{Result, command, workspace};

const EVERYWHERE: &[&str] = &[
    "sandbox-core",
    "sandbox-sys",
    "sandbox-chroot",
    "sandbox-image",
    "sandbox-cli",
    "sandboxlib",
];
const LINUX: &[&str] = &[
    "sandbox-core",
    "sandbox-sys",
    "sandbox-chroot",
    "sandbox-image",
    "sandbox-cli",
    "sandboxlib",
    "sandbox-luc",
];

const TARGETS: [(&str, &[&str]); 6] = [
    ("x86_64-apple-darwin", EVERYWHERE),
    ("aarch64-apple-darwin", EVERYWHERE),
    ("x86_64-unknown-freebsd", EVERYWHERE),
    ("x86_64-unknown-linux-musl", LINUX),
    ("aarch64-unknown-linux-gnu", LINUX),
    ("riscv64gc-unknown-linux-gnu", LINUX),
];

/// In place of a C compiler for the target, and of ar: makes the file that is asked for, with nothing in it.
/// Build scripts of libraries that are written in C want one, and a check links none of that.
const NO_COMPILER: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
    [ "$1" = -o ] && : > "$2"
    shift
done
"#;

const COMPILER: &str = "no-compiler";

const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

pub(crate) fn run(args: &[String]) -> Result {
    let required = match args {
        [] => false,
        [flag] if flag == "--required" => true,
        _ => return Err("check-targets takes --required and nothing else".into()),
    };
    let target_dir = workspace::target_dir()?.join("cross");
    fs::create_dir_all(&target_dir)?;
    let compiler = target_dir.join(COMPILER);
    fs::write(&compiler, NO_COMPILER)?;
    fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755))?;
    let sysroot = command::stdout(Command::new("rustc").args(["--print", "sysroot"]))?;
    let rustup = Path::new(sysroot.trim()).join("lib/rustlib");
    // Asked for once, and only if one of the targets takes it.
    let mut debian: Option<std::result::Result<(), String>> = None;
    let mut rows = Vec::new();
    for (target, crates) in TARGETS {
        let clock = Instant::now();
        let installed = rustup.join(target).join("lib").is_dir();
        let cells = if installed {
            check(&mut workspace::cargo(), target, crates, &target_dir)?
        } else {
            let there = debian.get_or_insert_with(|| {
                command::need_packages(&PACKAGES).map_err(|error| error.to_string())
            });
            match there {
                Ok(()) => check(&mut debian_cargo(), target, crates, &target_dir)?,
                Err(reason) => Cells::NotHere(reason.clone()),
            }
        };
        rows.push((target, crates, cells, clock.elapsed().as_secs_f64()));
    }

    print!("{:28}", "checked, not run");
    for name in LINUX {
        print!(" {name:15}");
    }
    println!(" seconds");
    let (mut failed, mut not_here) = (Vec::new(), Vec::new());
    for (target, crates, cells, seconds) in rows {
        print!("{target:28}");
        match cells {
            Cells::NotHere(reason) => {
                println!(" not checked: {reason}");
                not_here.push(target);
            }
            Cells::Checked(passed) => {
                for name in LINUX {
                    let cell = match (crates.contains(name), passed.contains(*name)) {
                        (false, _) => "-",
                        (true, true) => "ok",
                        (true, false) => "FAILED",
                    };
                    print!(" {cell:15}");
                }
                println!(" {seconds:7.1}");
                if !crates.iter().all(|name| passed.contains(*name)) {
                    failed.push(target);
                }
            }
        }
    }
    if !failed.is_empty() {
        return Err(format!("failed: {}", failed.join(", ")).into());
    }
    if required && !not_here.is_empty() {
        return Err(format!("required, and not checked: {}", not_here.join(", ")).into());
    }
    Ok(())
}

enum Cells {
    /// The crates that passed.
    Checked(BTreeSet<String>),
    NotHere(String),
}

/// Debian's cargo, of which nothing but the path sees rustup's.
fn debian_cargo() -> Command {
    let mut cargo = Command::new("/usr/bin/cargo");
    cargo.current_dir(workspace::root()).env("PATH", "/usr/bin:/bin");
    for (name, _) in env::vars_os() {
        let name = name.display().to_string();
        let of_rust = ["CARGO", "RUST"].iter().any(|start| name.starts_with(start));
        if of_rust && name != "CARGO_HOME" {
            cargo.env_remove(name);
        }
    }
    // It is a stable compiler, which this lets build its own standard library. No machine code is
    // wanted of that, and no backtraces, which are most of its crates: it halves the time.
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zno-codegen");
    cargo.args(["-Zbuild-std=std", "-Zbuild-std-features="]);
    cargo
}

fn check(cargo: &mut Command, target: &str, crates: &[&str], target_dir: &Path) -> Result<Cells> {
    println!("checking {target}");
    // Where the host is another platform, cc-rs reads these; build scripts' own code has a real one.
    for name in ["TARGET_CC", "TARGET_AR"] {
        cargo.env(name, target_dir.join(COMPILER));
    }
    // sandbox-sys embeds its static init, which only a compiler for the target could build.
    cargo.env("SANDBOX_SYS_CHECK_ONLY", "1").args(["check", "--quiet", "--keep-going", "--locked"]);
    cargo.args(["--target", target, "--message-format=json-render-diagnostics"]);
    cargo.arg("--target-dir").arg(target_dir).stderr(Stdio::inherit());
    for name in crates {
        cargo.args(["--package", name]);
    }
    let output = command::output(cargo)?;
    let messages = String::from_utf8(output.stdout)?;
    let passed: BTreeSet<String> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| checked_crate(&message, crates))
        .collect();
    if passed.is_empty() && !output.status.success() {
        eprintln!("{}: {}", command::show(cargo), output.status);
    }
    Ok(Cells::Checked(passed))
}

/// The crate of ours that a message of cargo's reports as done.
fn checked_crate(message: &Value, crates: &[&str]) -> Option<String> {
    let is_done = message["reason"] == "compiler-artifact";
    // A build script is done long before its crate is.
    let kinds = message["target"]["kind"].as_array()?;
    let is_product = kinds.iter().any(|kind| kind == "lib" || kind == "bin");
    let id = message["package_id"].as_str()?;
    let name = crates.iter().find(|name| id.contains(&format!("/{name}#")))?;
    (is_done && is_product).then(|| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_finished_product_counts() {
        let message = |reason, kind, id| json!({ "reason": reason, "target": { "kind": [kind] }, "package_id": id });
        let id = "path+file:///w/crates/sandbox-sys#0.1.0";
        let done = |message: &Value| checked_crate(message, LINUX);
        assert_eq!(done(&message("compiler-artifact", "lib", id)), Some("sandbox-sys".to_owned()));
        assert_eq!(done(&message("compiler-artifact", "custom-build", id)), None);
        assert_eq!(done(&message("compiler-message", "lib", id)), None);
        let other = "registry+https://github.com/rust-lang/crates.io-index#libc@0.2.1";
        assert_eq!(done(&message("compiler-artifact", "lib", other)), None);
        assert_eq!(done(&json!({ "reason": "build-finished", "success": true })), None);
    }
}
