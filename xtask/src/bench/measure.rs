//! Runs the arms of a group in turn and collects their figures.

use std::ffi::OsString;
use std::fs;
use std::process::{Child, Command, Stdio};

use super::Absent;
use super::arm::{Arm, Figure};
use super::bench_dir::{BenchDir, PATH, require_program, unlisted, whitelist};
use super::case::{Account, Group, Metric};
use super::images::ImageArm;
use super::init_rss::init_rss;

const INSIDE: &[&str] = &["/bin/true"];
/// An account without privileges, for a bench that root has started.
const DEMOTE: &[&str] = &["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
const NANOSECONDS_PER_MILLISECOND: f64 = 1e6;
const NANOSECONDS_PER_SECOND: f64 = 1e9;

/// Fails unless the sandbox is what the comparison says that it is. A program that does nothing is
/// the fastest of all, so a status of its own says that the control has run.
/// `$1`: the host's namespaces; `$2`: a path that must be writable; `$3`: one that must not.
const CONTROL: &str = r#"
fail() { echo "control: $*" >&2; exit 1; }
for name in mnt pid net ipc uts; do
    case "$1" in *"$(readlink /proc/self/ns/$name)"*) fail "$name namespace of the host";; esac
done
[ -z "$2" ] && exit 42
[ -c /dev/null ] || fail "no /dev/null"
for path in /tmp $2; do
    (echo > "$path/probe") 2>/dev/null || fail "$path is not writable"
    rm "$path/probe"
done
for path in / $3; do
    (echo > "$path/probe") 2>/dev/null && fail "$path is writable"
done
exit 42
"#;
const CONTROL_PASSED: i32 = 42;

/// What one arm gave: each figure, and one per round.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    pub(crate) all: Vec<f64>,
    pub(crate) rounds: Vec<f64>,
}

/// The arms of a group with their samples, or why there are none.
pub(crate) type Measured = Vec<(Arm, Result<Samples, Absent>)>;

/// Measures the arms in turn, starting each round with another one.
pub(crate) fn measure(dir: &BenchDir, group: &Group, arms: &[Arm], rounds: usize) -> Measured {
    let mut measured: Measured = arms
        .iter()
        .map(|&arm| (arm, warm_up(dir, group, arm).map(|()| Samples::default())))
        .collect();
    for round in 0..rounds {
        for turn in 0..arms.len() {
            let (arm, samples) = &mut measured[(round + turn) % arms.len()];
            let Ok(so_far) = samples else { continue };
            match figures(dir, group, *arm) {
                Ok(figures) => {
                    so_far.rounds.push(percentile(&figures, 50));
                    so_far.all.extend(figures);
                }
                Err(absent) => *samples = Err(absent),
            }
        }
    }
    measured
}

/// The value that this percentage of the figures does not exceed.
pub(crate) fn percentile(figures: &[f64], percent: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = (sorted.len().saturating_sub(1) * percent).div_ceil(100);
    sorted.get(middle).copied().unwrap_or(f64::NAN)
}

/// Runs the control, then one round that does not count.
fn warm_up(dir: &BenchDir, group: &Group, arm: Arm) -> Result<(), Absent> {
    if group.account == Account::Root && !is_root()? {
        return Err(Absent::Skipped("not started by root".into()));
    }
    if let Arm::Image(image) = arm {
        return warm_up_image(dir, group, image);
    }
    let host = host_namespaces()?;
    // unshare has neither a read-only root nor a /tmp of its own.
    let writable = match arm {
        Arm::Unshare => String::new(),
        _ => whitelist(arm.writable_paths()).last().unwrap_or_else(|| "/tmp".into()),
    };
    let read_only = if arm.writable_paths() > 0 { unlisted() } else { String::new() };
    let control = ["/bin/sh", "-c", CONTROL, "control", &host, &writable, &read_only];
    let line = arm.command(dir, Figure::Wall, 1, &control)?;
    finish(start(group.account, &line)?, CONTROL_PASSED)?;
    figures(dir, group, arm).map(drop)
}

/// Nothing but the whole of an image counts as having unpacked it, and a sandbox that runs something as
/// having taken it. A cache is filled by this.
fn warm_up_image(dir: &BenchDir, group: &Group, image: ImageArm) -> Result<(), Absent> {
    dir.images()?.clear()?;
    let inside = ["/bin/sh", "-c", "[ -e /etc/debian_version ] && exit 42"];
    let line = Arm::Image(image).command(dir, Figure::Nothing, 1, &inside)?;
    finish(start(group.account, &line)?, if image.runs() { CONTROL_PASSED } else { 0 })?;
    image.check(dir)
}

/// The figures of one arm in one round.
fn figures(dir: &BenchDir, group: &Group, arm: Arm) -> Result<Vec<f64>, Absent> {
    if let Arm::Image(_) = arm {
        dir.images()?.clear()?;
    }
    let run = |figure| start(group.account, &arm.command(dir, figure, group.runs, INSIDE)?);
    match group.metric {
        Metric::Wall | Metric::Extra => {
            let figures = numbers(run(Figure::Wall)?)?;
            Ok(figures.into_iter().map(|ns| ns / NANOSECONDS_PER_MILLISECOND).collect())
        }
        Metric::Throughput => {
            let workers = [run(Figure::Wall)?, run(Figure::Wall)?];
            let rates = workers.map(|worker| {
                let times = numbers(worker)?;
                let made = f64::from(u32::try_from(times.len()).unwrap_or(u32::MAX));
                Ok::<_, Absent>(made * NANOSECONDS_PER_SECOND / times.iter().sum::<f64>())
            });
            let [first, second] = rates;
            Ok(vec![first? + second?])
        }
        Metric::PeakRss => numbers(run(Figure::Peak)?),
        Metric::InitRss => {
            let line = arm.command(dir, Figure::Nothing, 1, &["/bin/sleep", "60"])?;
            Ok(vec![init_rss(start(group.account, &line)?)?])
        }
    }
}

fn start(account: Account, line: &[OsString]) -> Result<Child, Absent> {
    let mut line = line.to_vec();
    if account == Account::User && is_root()? {
        require_program(DEMOTE[0])?;
        line.splice(0..0, DEMOTE.iter().map(OsString::from));
    }
    let mut command = Command::new(&line[0]);
    // The same in every sandbox and on every host.
    command.args(&line[1..]).env_clear().env("PATH", PATH).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|error| Absent::Failed(format!("{}: {error}", line[0].display())))
}

/// Waits, and reads the figures that were printed.
fn numbers(child: Child) -> Result<Vec<f64>, Absent> {
    let text = finish(child, 0)?;
    let figures: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    if figures.is_empty() {
        return Err(Absent::Failed("no figures were printed".into()));
    }
    Ok(figures)
}

/// Waits for this exit status, and gives what was printed.
fn finish(child: Child, status: i32) -> Result<String, Absent> {
    let output = child.wait_with_output()?;
    if output.status.code() == Some(status) {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let reason = errors.lines().next().unwrap_or("no message");
    Err(Absent::Failed(format!("{}, expected {status}: {reason}", output.status)))
}

fn is_root() -> Result<bool, Absent> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

fn host_namespaces() -> Result<String, Absent> {
    let mut all = String::new();
    for entry in fs::read_dir("/proc/self/ns")? {
        all.push_str(&fs::read_link(entry?.path())?.to_string_lossy());
        all.push(' ');
    }
    Ok(all)
}
