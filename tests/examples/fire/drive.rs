//! The driver: starts callers, kills some of them, counts, and looks for what is left.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio, exit};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sandboxlib::{Launcher, Preference};

use crate::Result;
use crate::children::Children;
use crate::host::{self, Host};
use crate::order::Order;
use crate::random::Random;
use crate::shot::{self, Kind};

/// Sandboxes at a time.
const AT_A_TIME: usize = 32;
/// Callers that are killed, at a time, each with so many threads.
const MORTALS: usize = 8;
/// No sandbox takes a tenth of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a caller may weigh more than after its warm-up, in KiB.
const FLAT: u64 = 1024;
/// So many failures are shown.
const SHOWN: usize = 20;

#[derive(Default)]
struct Count {
    /// Grows with each line of a caller.
    progress: AtomicU64,
    done: AtomicBool,
    killed_callers: AtomicUsize,
    tally: Mutex<BTreeMap<String, usize>>,
    wrong: Mutex<Vec<String>>,
}

impl Count {
    fn line(&self, line: &str) {
        self.progress.fetch_add(1, Relaxed);
        if let Some(what) = line.strip_prefix("ran ") {
            let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
            *tally.entry(what.to_owned()).or_default() += 1;
        } else if let Some(memory) = line.strip_prefix("memory ") {
            let mut numbers = memory.split(' ').filter_map(|number| number.parse::<u64>().ok());
            if let (Some(before), Some(after)) = (numbers.next(), numbers.next()) {
                println!(
                    "  memory of the caller: {before} KiB after the warm-up, {after} KiB at the end"
                );
                if after > before + FLAT {
                    self.wrong(format!("the caller grew from {before} to {after} KiB"));
                }
            }
        } else if !line.is_empty() {
            self.wrong(line.to_owned());
        }
    }

    fn wrong(&self, text: String) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// How many have run in a way that contains some words.
    fn of(&self, words: &str) -> usize {
        let tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.iter().filter(|(what, _)| what.contains(words)).map(|(_, count)| count).sum()
    }
}

pub(crate) fn drive(order: &Order) -> Result {
    let kinds = shot::kinds(order)?;
    println!("  kinds: {kinds:?}");
    let (children, count) = (Children::new()?, Count::default());
    thread::scope(|scope| {
        scope.spawn(|| watch(&children, &count));
        let driven = phases(order, &kinds, &children, &count);
        count.done.store(true, Relaxed);
        driven
    })
}

/// Reaps, and ends everything where nothing goes on any more.
fn watch(children: &Children, count: &Count) {
    let mut last = (count.progress.load(Relaxed), Instant::now());
    while !count.done.load(Relaxed) {
        sleep(Duration::from_millis(20));
        let _ = children.orphans();
        let now = count.progress.load(Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        } else if last.1.elapsed() > PATIENCE {
            println!("  FAILED: nothing has ended for {} s; killed:", PATIENCE.as_secs());
            children.end_all().iter().for_each(|process| println!("    {process}"));
            exit(1);
        }
    }
}

fn phases(order: &Order, kinds: &[Kind], children: &Children, count: &Count) -> Result {
    let (host, namespaces) = (Host::look(&order.dir)?, host::namespaces());
    let mut random = Random::new(order.seed);
    let mut leaks = Vec::new();
    let parts = [("in a row", 1, 40), ("32 at a time", AT_A_TIME, 35)];
    for (name, threads, percent) in parts {
        let part = Order {
            runs: order.runs * percent / 100,
            seconds: order.seconds * percent as u64 / 100,
            seed: random.next(),
            threads,
            ..order.clone()
        };
        let start = Instant::now();
        live(&part, kinds, children, count)?;
        println!("  {name}: {:.1} s", start.elapsed().as_secs_f64());
        leaks.extend(children.left());
        // A child that is killed between making a mount point and telling of it leaves that.
        let targets = host::targets(&order.root())?;
        sweep(order, kinds)?;
        println!("  {targets} mount points until the next sandbox with the same");
        leaks.extend(host.left()?);
    }
    let start = Instant::now();
    let part = order.runs * 25 / 100;
    mortal(order, part, kinds, children, count, &mut random)?;
    let callers = count.killed_callers.load(Relaxed);
    println!("  {callers} callers killed: {:.1} s", start.elapsed().as_secs_f64());
    leaks.extend(children.left());
    let dead = Order { tree: shot::MORTAL.to_owned(), ..order.clone() };
    let (targets, cgroups) = (host::targets(&dead.root())?, host::cgroups().len());
    sweep(&dead, kinds)?;
    println!(
        "  after SIGKILL of callers: {targets} mount points until the next sandbox with the same, {cgroups} cgroups \
         until the next with limits"
    );
    leaks.extend(host.left()?);
    leaks.extend(host::new_namespaces(&namespaces, &order.dir));
    report(count, &leaks)
}

/// Starts the sandboxes that remove what is left of killed ones.
fn sweep(order: &Order, kinds: &[Kind]) -> Result {
    let backends = [order.backend];
    let launcher = Launcher::new(&backends).preference(Preference::Any);
    for (kind, count) in [(Kind::Limited, 1), (Kind::Targets, shot::TARGETS)] {
        for number in (0..count).filter(|_| kinds.contains(&kind)) {
            launcher.run(&shot::config(order, kind, "exit 0", number)?)?;
        }
    }
    Ok(())
}

fn report(count: &Count, leaks: &[String]) -> Result {
    let wrong = count.wrong.lock().unwrap_or_else(PoisonError::into_inner);
    for text in leaks.iter().map(|leak| format!("left: {leak}")).chain(wrong.clone()).take(SHOWN) {
        println!("  {text}");
    }
    for kind in ["Plain", "Isolated", "Targets", "First", "Limited", "command"] {
        println!("  {kind}: {}, of which killed {}", count.of(kind), killed(count, kind));
    }
    println!(
        "sandboxes run {}, killed {}, callers killed {}, wrong {}, leaks {}",
        count.of(""),
        count.of("killed"),
        count.killed_callers.load(Relaxed),
        wrong.len(),
        leaks.len()
    );
    if wrong.is_empty() && leaks.is_empty() { Ok(()) } else { Err("not as it must be".into()) }
}

fn killed(count: &Count, kind: &str) -> usize {
    let tally = count.tally.lock().unwrap_or_else(PoisonError::into_inner);
    let those = tally.iter().filter(|(what, _)| what.contains(kind) && what.ends_with("killed"));
    those.map(|(_, count)| count).sum()
}

fn start(order: &Order, kinds: &[Kind], children: &Children) -> Result<(Child, ChildStdout)> {
    let mut caller = order.caller(kinds)?;
    caller.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut caller = children.start(&mut caller)?;
    let out = caller.stdout.take().ok_or("no output of a caller")?;
    Ok((caller, out))
}

/// A caller that lives until it is done.
fn live(order: &Order, kinds: &[Kind], children: &Children, count: &Count) -> Result {
    let (caller, out) = start(order, kinds, children)?;
    for line in BufReader::new(out).lines() {
        count.line(&line?);
    }
    children.end(caller)
}

/// Callers that are killed at any time.
fn mortal(
    order: &Order,
    runs: usize,
    kinds: &[Kind],
    children: &Children,
    count: &Count,
    random: &mut Random,
) -> Result {
    let enough = count.of("") + runs;
    let seeds: Vec<u64> = (0..MORTALS).map(|_| random.next()).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = seeds
            .into_iter()
            .map(|seed| {
                scope.spawn(move || -> Result {
                    let mut random = Random::new(seed);
                    while !order.time_is_up() && count.of("") < enough {
                        one_mortal(order, kinds, children, count, &mut random)?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })
}

fn one_mortal(
    order: &Order,
    kinds: &[Kind],
    children: &Children,
    count: &Count,
    random: &mut Random,
) -> Result {
    let order = Order {
        runs: 10_000,
        seconds: 20,
        seed: random.next(),
        threads: AT_A_TIME / MORTALS,
        tree: shot::MORTAL.to_owned(),
        ..order.clone()
    };
    let (mut caller, mut out) = start(&order, kinds, children)?;
    let pid = i32::try_from(caller.id()).ok().and_then(Pid::from_raw).ok_or("no number")?;
    sleep(Duration::from_micros(2_000 + random.below(60_000)));
    if random.below(3) == 0 {
        kill_process(pid, Signal::STOP)?;
        sleep(random.moment());
        if random.below(2) == 0 {
            kill_process(pid, Signal::CONT)?;
            sleep(random.moment());
        }
    }
    caller.kill()?;
    count.killed_callers.fetch_add(1, Relaxed);
    let mut text = String::new();
    out.read_to_string(&mut text)?;
    children.end(caller)?;
    // The last line may be a part of one.
    let end = text.rfind('\n').unwrap_or_default();
    text.get(..end).unwrap_or_default().lines().for_each(|line| count.line(line));
    Ok(())
}
