//! Faults that are answered otherwise than by an error that tells of them, each with its reason:
//! `explained.txt`.

use nix::errno::Errno;

use super::site::Fault;
use crate::Result;

const TEXT: &str = include_str!("explained.txt");

/// The lines of the file.
pub(super) struct Explained(Vec<Line>);

struct Line {
    words: [Vec<&'static str>; 5],
    reason: &'static str,
}

impl Explained {
    pub(super) fn read() -> Result<Self> {
        let lines = TEXT.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        let line = |text: &'static str| {
            let (columns, reason) = text.split_once(" -- ").ok_or("no reason")?;
            let words: Vec<Vec<_>> =
                columns.split_whitespace().map(|word| word.split('|').collect()).collect();
            let words = words.try_into().map_err(|_| "not five columns")?;
            Ok(Line { words, reason: reason.trim() })
        };
        let lines = lines.map(|text| {
            line(text).map_err(|error: &str| format!("explained.txt: {text}: {error}").into())
        });
        lines.collect::<Result<_>>().map(Self)
    }

    /// Why this is as it should be, if it is.
    pub(super) fn why(&self, scenario: &str, fault: &Fault, outcome: &str) -> Option<&'static str> {
        let site = &fault.site;
        let (name, means) = (site.name(), fault.means.to_string());
        let is = |words: &[&str], value: &str| {
            words.iter().any(|word| {
                word.strip_suffix('*').map_or(*word == value, |start| value.starts_with(start))
            })
        };
        let line = self.0.iter().find(|line| {
            let [scenarios, roles, calls, faults, outcomes] = &line.words;
            is(scenarios, scenario)
                && is(roles, site.role.kind.name())
                && (is(calls, &name) || is(calls, site.call()))
                && is(faults, &means)
                && is(outcomes, outcome)
        });
        line.map(|line| line.reason)
    }
}

/// The number of `EPERM` and its like.
pub(super) fn errno_named(name: &str) -> Result<i32> {
    let name = if name == "EWOULDBLOCK" { "EAGAIN" } else { name };
    let mut numbers = 1..=133;
    numbers
        .find(|number| format!("{:?}", Errno::from_raw(*number)) == name)
        .ok_or_else(|| format!("no errno {name}").into())
}
