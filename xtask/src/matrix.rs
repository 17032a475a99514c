//! `cargo xtask matrix`: the conformance suite for each backend, privilege and kind of kernel.

mod cell;
mod expected;
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Result, command, workspace};
use cell::{Caller, Cell, When};
use expected::Expected;

const USAGE: &str =
    "usage: cargo xtask matrix [--all] [--bless] [WORD]...: the cells that every word is in";

/// The backends, each with the package whose `tests/conformance.rs` hands it to the suite.
const BACKENDS: &[(&str, &str)] =
    &[("linux-user-chroot", "sandbox-luc"), ("chroot", "sandbox-chroot")];

/// A user that no account needs to have, with no processes that would count against its limits.
const SOME_USER: &str = "64321";

/// How a case ended, as the suite says it: its word, and the rest of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    word: String,
    note: String,
}

type Outcomes = BTreeMap<String, Outcome>;

pub(crate) fn run(args: &[String]) -> Result {
    let (options, words): (Vec<_>, Vec<_>) = args.iter().partition(|arg| arg.starts_with('-'));
    let bless = options.iter().any(|option| *option == "--bless");
    let all = options.iter().any(|option| *option == "--all");
    if let Some(other) = options.iter().find(|o| !["--bless", "--all"].contains(&o.as_str())) {
        return Err(format!("no option {other}; {USAGE}").into());
    }
    let chosen = |cell: &Cell| words.iter().all(|word| cell.words().contains(&word.as_str()));
    // A cell that is named by its kernel is wanted, too.
    let named = |cell: &Cell| words.iter().any(|word| *word == cell.words()[2]);
    let due = |cell: &Cell| all || named(cell) || cell.when() == When::Always;
    let cells: Vec<_> = Cell::all().filter(chosen).filter(due).collect();
    if cells.is_empty() {
        return Err(format!("no such cell; {USAGE}").into());
    }

    let mut expected = Expected::read()?;
    let stage = Stage::new()?;
    let mut results = Vec::new();
    for cell in cells {
        print!("{:<42}", cell.to_string());
        io::stdout().flush()?;
        let mut result = stage.run(cell)?;
        if !bless
            && let Some(reason) = result.as_ref().ok().and_then(|o| expected.obstacle(cell, o))
        {
            result = Err(reason);
        }
        match &result {
            Ok(outcomes) => println!("{} cases", outcomes.len()),
            Err(reason) => println!("cannot run here: {reason}"),
        }
        results.push((cell, result));
    }
    print_table(&results);
    print_escapes(&results);

    if bless {
        for (cell, result) in &results {
            if let Ok(outcomes) = result {
                expected.learn(*cell, outcomes);
            }
        }
        expected.write()?;
        return page::write(&expected, &names(&results));
    }
    compare(&expected, &results)
}

fn print_table(results: &[(Cell, std::result::Result<Outcomes, String>)]) {
    let columns = ["passed", "refused", "skipped", "failed"];
    println!(
        "\n{:<20}{:<8}{:<14}{:>8}{:>21}{:>9}{:>8}",
        "backend", "caller", "kernel", "passed", "refused as declared", "skipped", "failed"
    );
    for (cell, result) in results {
        let [backend, caller, kernel] = cell.words();
        print!("{backend:<20}{caller:<8}{kernel:<14}");
        match result {
            Err(_) => println!("  cannot run here"),
            Ok(outcomes) => {
                let [passed, refused, skipped, failed] = columns
                    .map(|word| outcomes.values().filter(|outcome| outcome.word == word).count());
                println!("{passed:>8}{refused:>21}{skipped:>9}{failed:>8}");
            }
        }
    }
}

/// The attacks: how many were tried, and how many of them were held.
fn print_escapes(results: &[(Cell, std::result::Result<Outcomes, String>)]) {
    println!(
        "\n{:<20}{:<8}{:<9}{:>8}{:>8}{:>21}{:>9}",
        "escapes", "caller", "kernel", "tried", "held", "refused as declared", "skipped"
    );
    for (cell, result) in results {
        let [backend, caller, kernel] = cell.words();
        print!("{backend:<20}{caller:<8}{kernel:<9}");
        match result {
            Err(_) => println!("  cannot run here"),
            Ok(outcomes) => {
                let [tried, held, refused, skipped] = escapes(outcomes);
                println!("{tried:>8}{held:>8}{refused:>21}{skipped:>9}");
            }
        }
    }
}

/// Of the attacks: tried, held, refused as declared, skipped.
fn escapes(outcomes: &Outcomes) -> [usize; 4] {
    let attacks = || outcomes.iter().filter(|(name, _)| page::is_attack(name));
    let [held, lost, refused, skipped] = ["passed", "failed", "refused", "skipped"]
        .map(|word| attacks().filter(|(_, outcome)| outcome.word == word).count());
    [held + lost, held, refused, skipped]
}

/// The names of all cases: every cell has them all.
fn names(results: &[(Cell, std::result::Result<Outcomes, String>)]) -> BTreeSet<String> {
    results
        .iter()
        .filter_map(|(_, result)| result.as_ref().ok())
        .flat_map(BTreeMap::keys)
        .cloned()
        .collect()
}

/// Names every cell that cannot run, and every case that is not as expected.
fn compare(
    expected: &Expected,
    results: &[(Cell, std::result::Result<Outcomes, String>)],
) -> Result {
    let must_run = env::var("SANDBOX_TEST_MUST_RUN").unwrap_or_default();
    let mut wrong = Vec::new();
    for (cell, result) in results {
        match result {
            // One that is run on request may not have been looked at yet: then only a failure is wrong.
            Ok(outcomes) if !expected.knows(*cell) => {
                let failed = outcomes.iter().filter(|(_, outcome)| outcome.word == "failed");
                wrong.extend(failed.map(|(name, o)| format!("{cell}: {name}: failed: {}", o.note)));
            }
            Ok(outcomes) => {
                let differences = expected.differences(*cell, outcomes);
                wrong.extend(differences.into_iter().map(|text| format!("{cell}: {text}")));
            }
            Err(reason) => {
                println!("cannot run here: {cell}: {reason}");
                let named = |word: &str| word == "all" || cell.words().contains(&word);
                if must_run.split(',').any(|word| named(word.trim())) {
                    wrong.push(format!("{cell}: it must run (SANDBOX_TEST_MUST_RUN): {reason}"));
                }
            }
        }
    }
    wrong.extend(page::difference(expected, &names(results)));
    if wrong.is_empty() {
        println!("every case is as expected");
        return Ok(());
    }
    println!("\nnot as expected:\n  {}", wrong.join("\n  "));
    let count = wrong.len();
    Err(format!("the matrix differs from {} in {count} places", expected::FILE).into())
}

/// The tests' programs, where any user can run them.
struct Stage {
    dir: PathBuf,
    root: bool,
}

impl Stage {
    fn new() -> Result<Self> {
        let built = build()?;
        let dir = env::temp_dir().join(format!("xtask-matrix-{}", std::process::id()));
        fs::create_dir(&dir)?;
        let stage = Self { dir, root: command::is_root() };
        let temporary = stage.dir.join("tmp");
        fs::create_dir(&temporary)?;
        fs::set_permissions(&stage.dir, Permissions::from_mode(0o755))?;
        fs::set_permissions(&temporary, Permissions::from_mode(0o1777))?;
        for (backend, program) in built {
            fs::copy(program, stage.dir.join(backend))?;
        }
        Ok(stage)
    }

    /// Runs one cell; the inner error says why it cannot.
    fn run(&self, cell: Cell) -> Result<std::result::Result<Outcomes, String>> {
        if cell.caller == Caller::Root && !self.root {
            return Ok(Err("needs root: start `cargo xtask matrix` as root".to_owned()));
        }
        let program = self.dir.join(cell.backend);
        let mut suite = match cell.caller {
            Caller::User if self.root => {
                let mut setpriv = Command::new("setpriv");
                setpriv.args(["--reuid", SOME_USER, "--regid", SOME_USER, "--clear-groups"]);
                setpriv.arg(program);
                setpriv
            }
            _ => Command::new(program),
        };
        suite.args(cell.kernel.arguments());
        suite.current_dir(&self.dir).env("TMPDIR", self.dir.join("tmp"));
        // A skip is compared here, with what is expected of this very cell.
        suite
            .env_remove("SANDBOX_TEST_BY_MATRIX")
            .env_remove("SANDBOX_TEST_MUST_RUN")
            .stdin(Stdio::null());
        let output = command::output(&mut suite)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let outcomes = parse(&text);
        // A last line of another sort is a suite that did not come to its end.
        if outcomes.is_empty() || !text.trim_end().ends_with("refused as declared") {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{cell}: {}\n{text}{errors}", output.status).into());
        }
        Ok(Ok(outcomes))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Deleting is safe: the suite keeps what has mounts in it, and says so.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Builds the conformance tests: the program of each backend.
fn build() -> Result<Vec<(&'static str, PathBuf)>> {
    let packages = BACKENDS.iter().flat_map(|(_, package)| ["--package", package]);
    let messages = command::stdout(
        workspace::cargo()
            .args(["test", "--no-run", "--test", "conformance"])
            .arg("--message-format=json-render-diagnostics")
            .args(packages),
    )?;
    let messages: Vec<Value> =
        messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let program = |package: &str| {
        let source = format!("{package}/tests/conformance.rs");
        let built = messages.iter().filter(|message| {
            message["target"]["src_path"].as_str().is_some_and(|path| path.ends_with(&source))
        });
        built.filter_map(|message| message["executable"].as_str()).next_back().map(PathBuf::from)
    };
    BACKENDS
        .iter()
        .map(|(backend, package)| {
            let program = program(package);
            program
                .map(|program| (*backend, program))
                .ok_or_else(|| format!("cargo built no conformance test of {package}").into())
        })
        .collect()
}

/// The outcomes in the output of a suite: `WORD SUBJECT/PROMISE NOTE`.
fn parse(text: &str) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(word), Some(name)) = (words.next(), words.next()) else { continue };
        // Other lines are indented, or have no name of a case in second place.
        if expected::WORDS.contains(&word) && name.contains('/') && !line.starts_with(' ') {
            let note = words.collect::<Vec<_>>().join(" ");
            outcomes.insert(name.to_owned(), Outcome { word: word.to_owned(), note });
        }
    }
    outcomes
}

/// Where the expected outcomes are kept.
fn expected_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("expected-matrix.txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_a_suite_is_read() {
        let outcomes = parse(
            "passed   a/b\nskipped  c/d    user: the caller is root\n\ncould not run here:\n  \
             c/d: user\n\n1 passed, 0 failed, 1 skipped, 0 refused as declared\n",
        );
        let words: Vec<_> = outcomes.iter().map(|(name, o)| (name.as_str(), &*o.word)).collect();
        assert_eq!(words, [("a/b", "passed"), ("c/d", "skipped")]);
        assert_eq!(outcomes["c/d"].note, "user: the caller is root");
    }

    #[test]
    fn attacks_are_counted() {
        let outcomes =
            parse("passed escape-a/b\nfailed escape-a/c x\nskipped escape-a/d y\npassed a/b\n");
        assert_eq!(escapes(&outcomes), [2, 1, 0, 1]);
    }

    #[test]
    fn every_cell_is_expected() {
        let expected = Expected::read().unwrap();
        for cell in Cell::all().filter(|cell| cell.when() == When::Always) {
            assert!(expected.knows(cell), "{cell}");
        }
    }
}
