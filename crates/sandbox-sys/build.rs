//! Compiles the sandbox's init, a program of its own, for the library to embed.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that init is made of.
const SOURCES: [&str; 3] = ["init", "src/linux/protocol.rs", "src/linux/raw.rs"];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(native_engine)");
    if !supported() {
        return;
    }
    println!("cargo::rustc-cfg=native_engine");
    println!("cargo::rerun-if-env-changed=SANDBOX_SYS_CHECK_ONLY");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    if let Err(message) = build() {
        println!("cargo::error={message}");
    }
}

/// The targets whose system calls init knows.
fn supported() -> bool {
    let cfg = |name| env::var(name).unwrap_or_default();
    cfg("CARGO_CFG_TARGET_OS") == "linux"
        && cfg("CARGO_CFG_TARGET_POINTER_WIDTH") == "64"
        && matches!(cfg("CARGO_CFG_TARGET_ARCH").as_str(), "x86_64" | "aarch64" | "riscv64")
}

fn build() -> Result<(), String> {
    let [rustc, target, out_dir] = ["RUSTC", "TARGET", "OUT_DIR"].map(env::var_os);
    let (Some(rustc), Some(target), Some(out_dir)) = (rustc, target, out_dir) else {
        return Err("the environment is not the one that Cargo gives a build script".into());
    };
    let output = PathBuf::from(out_dir).join("sandbox-init");
    // Type-checking needs the file, but not what is in it, nor a core library for the target.
    if env::var_os("SANDBOX_SYS_CHECK_ONLY").is_some() {
        return fs::write(&output, []).map_err(|e| format!("{}: {e}", output.display()));
    }
    let status = Command::new(&rustc)
        .args(["--crate-name=sandbox_init", "--crate-type=bin", "--edition=2024"])
        .args(["-Copt-level=s", "-Ccodegen-units=1", "-Cpanic=abort", "-Cstrip=symbols"])
        .args(["-Cforce-unwind-tables=no", "-Crelro-level=off"])
        .args(["-Crelocation-model=static", "-Ctarget-feature=+crt-static"])
        .args(link_args(env::var_os("RUSTC_LINKER")))
        .arg("--target")
        .arg(&target)
        .arg("-o")
        .arg(&output)
        .arg("init/main.rs")
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!(
            "cannot compile sandbox-init for {target}: this needs the target's core library \
             (`rustup target add {target}`) and a linker for it (`target.{target}.linker` in \
             Cargo's configuration)",
            target = target.display()
        )),
        Err(error) => Err(format!("cannot run {}: {error}", rustc.display())),
    }
}

/// For a small executable that has an entry point of its own instead of the C runtime's.
fn link_args(linker: Option<OsString>) -> Vec<OsString> {
    // As rustc does, tell a linker proper from a C compiler that runs one by its name.
    let name = linker.as_ref().and_then(|linker| Path::new(linker).file_stem()?.to_str());
    let proper = name.is_some_and(|name| name.ends_with("ld"));
    let mut args = vec!["-Clink-arg=-nostdlib"];
    if proper {
        args.extend(["-Clink-arg=--build-id=none", "-Clink-arg=-znoseparate-code"]);
    } else {
        args.extend(["-Clink-arg=-nostartfiles", "-Clink-arg=-Wl,--build-id=none"]);
        args.push("-Clink-arg=-Wl,-znoseparate-code");
    }
    // rustc brings a C runtime along for musl, but elsewhere perhaps the linker itself.
    if env::var_os("CARGO_CFG_TARGET_ENV").is_some_and(|env| env == "musl") {
        args.push("-Clink-self-contained=no");
    }
    let linker = linker.map(|linker| {
        let mut arg = OsString::from("-Clinker=");
        arg.push(linker);
        arg
    });
    args.into_iter().map(OsString::from).chain(linker).collect()
}
