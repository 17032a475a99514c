//! A caller: starts sandboxes, in a row or many at a time, until it has started enough or is killed.
//!
//! It writes a line for each: `ran …`, or `wrong …`. With all of them behind it, it tells what it has more than
//! before: descriptors, and memory.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::Result;
use crate::order::Order;
use crate::random::Random;
use crate::shot::{self, Kind};

/// How many warm it up: what is kept for later ones, it has by then.
const WARM_UP: usize = 200;
/// Of so many, one is the command's.
const COMMANDS: u64 = 8;

pub(crate) fn call(order: &Order) -> Result {
    let kinds = Order::kinds();
    let mut random = Random::new(order.seed);
    let warm_up = WARM_UP.max(order.threads * 8).min(order.runs);
    volley(order, &kinds, warm_up, &mut random)?;
    let before = (descriptors()?, memory()?);
    volley(order, &kinds, order.runs - warm_up, &mut random)?;
    let after = (descriptors()?, memory()?);
    if after.0 != before.0 {
        say(&format!("wrong descriptors: {:?} before, {:?} after", before.0, after.0))?;
    }
    say(&format!("memory {} {}", before.1, after.1))
}

/// So many, by as many threads as were ordered.
fn volley(order: &Order, kinds: &[Kind], count: usize, random: &mut Random) -> Result {
    let left = AtomicUsize::new(count);
    let seeds: Vec<u64> = (0..order.threads).map(|_| random.next()).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = seeds
            .into_iter()
            .map(|seed| {
                let left = &left;
                scope.spawn(move || -> Result {
                    let mut random = Random::new(seed);
                    let take = || left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
                    while !order.time_is_up() && take().is_ok() {
                        let done = match random.below(COMMANDS) {
                            0 => shot::by_command(order, kinds, &mut random),
                            _ => shot::by_library(order, kinds, &mut random),
                        };
                        match done {
                            Ok(text) => say(&format!("ran {text}"))?,
                            Err(error) => say(&format!("wrong {error}"))?,
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })
}

/// An error where nobody listens any more.
fn say(text: &str) -> Result {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", text.replace('\n', " "))?;
    Ok(out.flush()?)
}

fn descriptors() -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        // That of this listing is gone.
        if let Ok(target) = fs::read_link(&path)
            && !target.ends_with("fd")
        {
            found.insert(format!("{} {}", path.display(), target.display()));
        }
    }
    Ok(found)
}

/// The resident memory, in KiB, page by page (proc(5), `smaps_rollup`).
fn memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or("no Rss")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
