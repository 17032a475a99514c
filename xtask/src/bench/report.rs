//! The results as a table for people and as JSON for programs.

use std::fmt;

use super::Absent;
use super::arm::Arm;
use super::case::{Case, Limit};
use super::measure::{Measured, Samples, percentile};

const HEADINGS: [&str; 8] =
    ["name", "ours median", "min", "p90", "peer median", "figure", "limit", "verdict"];

/// One case with what was found.
#[derive(Debug)]
pub(crate) struct Row {
    case: &'static Case,
    found: Result<Found, Absent>,
}

#[derive(Debug)]
struct Found {
    median: f64,
    min: f64,
    p90: f64,
    peer_median: Option<f64>,
    figure: f64,
}

impl Row {
    pub(crate) fn new(case: &'static Case, measured: &Measured) -> Self {
        Self { case, found: Found::new(case, measured) }
    }

    pub(crate) fn missed(&self) -> bool {
        match &self.found {
            Ok(found) => !self.case.limit.is_met(found.figure),
            Err(Absent::Failed(_)) => true,
            Err(Absent::Skipped(_)) => false,
        }
    }

    fn cells(&self) -> [String; 8] {
        let unit = self.case.group.metric.unit();
        let name = self.case.name.to_owned();
        let limit = self.case.limit.to_string();
        let dash = || "-".to_owned();
        match &self.found {
            Ok(found) => [
                name,
                format!("{} {unit}", short(found.median)),
                short(found.min),
                short(found.p90),
                found.peer_median.map_or_else(dash, |median| format!("{} {unit}", short(median))),
                short(found.figure),
                limit,
                self.case.limit.verdict(found.figure).to_owned(),
            ],
            Err(absent) => {
                [name, dash(), dash(), dash(), dash(), dash(), limit, absent.to_string()]
            }
        }
    }
}

impl Found {
    fn new(case: &Case, measured: &Measured) -> Result<Self, Absent> {
        let samples = |wanted| {
            let found = measured.iter().find(|(arm, _)| *arm == wanted);
            found.map_or(Err(Absent::Skipped("not measured".into())), |(_, samples)| {
                samples.as_ref().map_err(Clone::clone)
            })
        };
        let ours: &Samples = samples(case.ours)?;
        let peer = case.peer.map(samples).transpose()?;
        let base = case.base.map(samples).transpose()?;
        let figure = |round: usize, ours: f64, peer: f64| {
            let Some(base) = base.and_then(|base| base.rounds.get(round)) else {
                return case.group.metric.compare(ours, peer);
            };
            let each = |time: f64, arm: Option<Arm>| {
                let binds = arm.map_or(1, Arm::writable_paths);
                (time - base) / f64::from(u32::try_from(binds).unwrap_or(u32::MAX))
            };
            case.group.metric.compare(each(ours, Some(case.ours)), each(peer, case.peer))
        };
        // Round by round, so that what slows the host down slows both sides of each comparison.
        let figures: Vec<f64> = match peer {
            Some(peer) => ours
                .rounds
                .iter()
                .zip(&peer.rounds)
                .enumerate()
                .map(|(round, (ours, peer))| figure(round, *ours, *peer))
                .collect(),
            None => ours.rounds.clone(),
        };
        Ok(Self {
            median: percentile(&ours.all, 50),
            min: percentile(&ours.all, 0),
            p90: percentile(&ours.all, 90),
            peer_median: peer.map(|peer| percentile(&peer.all, 50)),
            figure: percentile(&figures, 50),
        })
    }
}

/// All rows, in columns.
pub(crate) struct Table<'a>(pub(crate) &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![HEADINGS.map(str::to_owned)];
        lines.extend(self.0.iter().map(Row::cells));
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
        let widths: [usize; 8] = std::array::from_fn(width);
        for line in &lines {
            write!(f, "{:<1$}", line[0], widths[0])?;
            for column in 1..7 {
                write!(f, "  {:>1$}", line[column], widths[column])?;
            }
            writeln!(f, "  {}", line[7])?;
        }
        Ok(())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "-"),
            Self::AtMost(limit) => write!(f, "<= {limit}"),
            Self::AtMostGoal(limit, goal) => write!(f, "<= {limit} (goal {goal})"),
            Self::AtLeast(limit) => write!(f, ">= {limit}"),
        }
    }
}

/// `{name: figure}` of what was measured.
pub(crate) fn json(rows: &[Row]) -> String {
    let members: Vec<String> = rows
        .iter()
        .filter_map(|row| Some((row.case.name, row.found.as_ref().ok()?.figure)))
        .map(|(name, figure)| format!("  \"{name}\": {figure:.4}"))
        .collect();
    format!("{{\n{}\n}}\n", members.join(",\n"))
}

/// Three digits or so: more would be noise.
fn short(figure: f64) -> String {
    let decimals = match figure.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{figure:.decimals$}")
}
