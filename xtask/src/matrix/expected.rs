//! The expected outcomes of the matrix, as they are kept in the repository.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use super::cell::{Cell, Kernel};
use super::{Outcome, Outcomes, expected_file};
use crate::Result;

pub(super) const FILE: &str = "xtask/expected-matrix.txt";

/// The outcomes that a suite knows.
pub(super) const WORDS: &[&str] = &["passed", "refused", "skipped", "failed"];

/// Where not even this can run, nothing else says anything about the backend.
const SIMPLEST: &str = "command/exit-status";

const HEADER: &str = "\
# What each case of the conformance suite comes to, in each cell of `cargo xtask matrix`.
#
# `cell BACKEND CALLER KERNEL OUTCOME` says what all cases of a cell come to but those below it. Words:
# passed; refused (the backend does not promise it, and says so); skipped (it cannot be known there).
# `varies NAME...` is for cases that depend on the host: skipped is as good as passed.
# `cargo xtask matrix --bless` writes the cells anew; look at the difference.
";

/// The table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    varies: Vec<String>,
    cells: BTreeMap<String, Exceptions>,
}

/// What is expected of one cell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Exceptions {
    default: String,
    by_name: BTreeMap<String, String>,
}

impl Expected {
    pub(super) fn read() -> Result<Self> {
        let text = fs::read_to_string(expected_file()).map_err(|e| format!("{FILE}: {e}"))?;
        Self::parse(&text)
    }

    pub(super) fn write(&self) -> Result {
        fs::write(expected_file(), self.to_text())?;
        println!("wrote {FILE}");
        Ok(())
    }

    fn parse(text: &str) -> Result<Self> {
        let mut expected = Self::default();
        let mut current: Option<String> = None;
        for (number, line) in text.lines().enumerate() {
            let wrong = || format!("{FILE}:{}: cannot read {line:?}", number + 1);
            let words: Vec<_> = line.split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                ["varies", names @ ..] => {
                    expected.varies.extend(names.iter().map(|name| (*name).to_owned()));
                }
                ["cell", cell @ .., default] if cell.len() == 3 && WORDS.contains(default) => {
                    let cell = cell.join(" ");
                    let default = (*default).to_owned();
                    let exceptions = Exceptions { default, ..Exceptions::default() };
                    expected.cells.insert(cell.clone(), exceptions);
                    current = Some(cell);
                }
                [word, names @ ..] if WORDS.contains(word) => {
                    let cell = current.as_ref().and_then(|cell| expected.cells.get_mut(cell));
                    let cell = cell.ok_or_else(wrong)?;
                    let names = names.iter().map(|name| ((*name).to_owned(), (*word).to_owned()));
                    cell.by_name.extend(names);
                }
                _ => return Err(wrong().into()),
            }
        }
        Ok(expected)
    }

    fn to_text(&self) -> String {
        let mut text = HEADER.to_owned();
        if !self.varies.is_empty() {
            text.push('\n');
        }
        for name in &self.varies {
            // Writing to a string does not fail.
            let _ = writeln!(text, "varies {name}");
        }
        for (cell, Exceptions { default, by_name }) in &self.cells {
            let _ = writeln!(text, "\ncell {cell} {default}");
            for word in WORDS {
                let of_word = by_name.iter().filter(|(_, other)| other == word);
                let mut subjects: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
                for (name, _) in of_word {
                    let subject = name.split('/').next().unwrap_or(name);
                    subjects.entry(subject).or_default().push(name);
                }
                for names in subjects.values() {
                    let _ = writeln!(text, "{word} {}", names.join(" "));
                }
            }
        }
        text
    }

    /// Whether anything is expected of a cell.
    pub(super) fn knows(&self, cell: Cell) -> bool {
        self.cells.contains_key(&cell.to_string())
    }

    /// Why this host does not have what a cell is about: a full kernel that refuses namespaces to
    /// everybody is not a full one.
    pub(super) fn obstacle(&self, cell: Cell, outcomes: &Outcomes) -> Option<String> {
        let simplest = outcomes.get(SIMPLEST)?;
        let unforeseen = !self.foresees(cell, SIMPLEST, simplest);
        let here = simplest.word == "skipped" && cell.kernel == Kernel::Full && unforeseen;
        here.then(|| simplest.note.clone())
    }

    /// Whether an outcome is as expected.
    fn foresees(&self, cell: Cell, name: &str, outcome: &Outcome) -> bool {
        let wanted = self.wanted(cell, name);
        let varies = self.varies.iter().any(|varying| varying == name);
        let either = |word: &str| word == "passed" || word == "skipped";
        wanted == outcome.word || (varies && either(wanted) && either(&outcome.word))
    }

    /// What a case is to come to in a cell.
    pub(super) fn wanted(&self, cell: Cell, name: &str) -> &str {
        self.cells.get(&cell.to_string()).map_or("passed", |exceptions| {
            exceptions.by_name.get(name).unwrap_or(&exceptions.default)
        })
    }

    /// Every case that is not as expected, and every exception for a case that does not exist.
    pub(super) fn differences(&self, cell: Cell, outcomes: &Outcomes) -> Vec<String> {
        let wrong = outcomes.iter().filter(|(name, outcome)| !self.foresees(cell, name, outcome));
        let mut differences: Vec<_> = wrong
            .map(|(name, Outcome { word, note })| {
                format!("{name}: expected {}, got {word}: {note}", self.wanted(cell, name))
            })
            .collect();
        if let Some(exceptions) = self.cells.get(&cell.to_string()) {
            let gone = exceptions.by_name.keys().filter(|name| !outcomes.contains_key(*name));
            differences.extend(gone.map(|name| format!("{name}: there is no such case")));
        }
        differences
    }

    /// Takes what a cell has come to for what is expected of it.
    pub(super) fn learn(&mut self, cell: Cell, outcomes: &Outcomes) {
        let count = |word: &&&str| outcomes.values().filter(|o| o.word == **word).count();
        // Of words with the same count, the later one wins: that is stable, and all that matters.
        let default = (*WORDS.iter().max_by_key(count).unwrap_or(&"passed")).to_owned();
        let mut by_name = BTreeMap::new();
        for (name, outcome) in outcomes {
            // Nobody expects a failure: it stays a difference until it is mended.
            let word = match outcome.word.as_str() {
                "failed" => "passed",
                word => word,
            };
            if word != default {
                by_name.insert(name.clone(), word.to_owned());
            }
        }
        self.cells.insert(cell.to_string(), Exceptions { default, by_name });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "varies a/d\ncell chroot root full passed\nskipped a/b\nrefused c/d c/e\n";

    fn cell() -> Cell {
        Cell::all().find(|cell| cell.to_string() == "chroot root full").unwrap()
    }

    fn outcomes(list: &[(&str, &str)]) -> Outcomes {
        let outcome = |word: &str| Outcome { word: word.to_owned(), note: String::new() };
        list.iter().map(|(name, word)| ((*name).to_owned(), outcome(word))).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let expected = Expected::parse(TEXT).unwrap();
        assert_eq!(Expected::parse(&expected.to_text()).unwrap(), expected);
        assert!(Expected::parse("skipped a/b").is_err());
        assert!(Expected::parse("cell chroot root full perhaps").is_err());
    }

    #[test]
    fn every_difference_is_named() {
        let expected = Expected::parse(TEXT).unwrap();
        let right = [("a/b", "skipped"), ("c/d", "refused"), ("c/e", "refused"), ("x/y", "passed")];
        assert_eq!(expected.differences(cell(), &outcomes(&right)), Vec::<String>::new());
        let wrong = [("a/b", "passed"), ("c/d", "skipped"), ("a/d", "skipped"), ("x/y", "failed")];
        let differences = expected.differences(cell(), &outcomes(&wrong));
        let names: Vec<_> = differences.iter().filter_map(|d| d.split(':').next()).collect();
        assert_eq!(names, ["a/b", "c/d", "x/y", "c/e"]);
    }

    #[test]
    fn a_failure_is_never_learnt() {
        let mut expected = Expected::default();
        let came = [("a/b", "passed"), ("a/c", "passed"), ("a/d", "failed"), ("x/y", "skipped")];
        expected.learn(cell(), &outcomes(&came));
        let differences = expected.differences(cell(), &outcomes(&came));
        assert_eq!(differences, ["a/d: expected passed, got failed: "]);
    }
}
