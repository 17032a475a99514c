//! Compiles the rules that every sandbox needs, so that none has to wait for it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the library's own modules, of which it needs a part"
)]

#[path = "src/compile.rs"]
mod compile;
#[path = "src/numbers.rs"]
mod numbers;
#[path = "src/rules.rs"]
mod rules;

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use compile::{Instruction, compile};
use numbers::Machine;
use rules::Rules;

fn main() {
    for source in ["rules", "src"] {
        println!("cargo::rerun-if-changed={source}");
    }
    if let Err(message) = write() {
        println!("cargo::error={message}");
    }
}

fn write() -> Result<(), String> {
    let build = Rules::build().map_err(|error| format!("rules/build.rules: {error}"))?;
    let terminal = Rules::terminal().map_err(|error| format!("rules/terminal.rules: {error}"))?;
    let machine = env::var("CARGO_CFG_TARGET_ARCH").ok();
    let machine = machine.and_then(|name| Machine::named(&name));
    let mut text = String::new();
    for (name, what, rules) in [
        ("BUILD", "The rules for builds.", &[&build][..]),
        ("TERMINAL", "The rules of a shared terminal.", &[&terminal]),
        ("BUILD_AND_TERMINAL", "Both, which costs less than two filters.", &[&build, &terminal]),
    ] {
        let program = machine.map(|machine| compile(machine, rules)).unwrap_or_default();
        let _ = writeln!(text, "/// {what} Compiled; empty for a machine that is not known here.");
        let _ = writeln!(text, "pub static {name}: &[Instruction] = &[");
        for Instruction { code, jt, jf, k } in program {
            let _ =
                writeln!(text, "    Instruction {{ code: {code}, jt: {jt}, jf: {jf}, k: {k} }},");
        }
        text.push_str("];\n");
    }
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    let out = PathBuf::from(out).join("filters.rs");
    fs::write(&out, text).map_err(|error| format!("{}: {error}", out.display()))
}
