//! Sandboxes under fire: many are started, and what belongs to them is killed, stopped and timed out at random;
//! then whatever is left is counted. `cargo xtask fire` starts this.
//!
//! `drive` starts callers, kills them, and looks for leaks; `call` is a caller.

mod call;
mod children;
mod drive;
mod host;
mod order;
mod random;
mod shot;

use std::env;
use std::process::ExitCode;

use order::Order;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T = ()> = std::result::Result<T, Error>;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let done = match words.split_first() {
        Some((role, rest)) if role == "drive" => {
            Order::parse(rest).and_then(|order| drive::drive(&order))
        }
        Some((role, rest)) if role == "call" => {
            Order::parse(rest).and_then(|order| call::call(&order))
        }
        _ => Err(format!("usage: fire drive|call {}", Order::USAGE).into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fire: {error}");
            ExitCode::FAILURE
        }
    }
}
