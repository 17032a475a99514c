//! `cargo xtask tidy`: the workspace's own rules as ordinary code. All findings are listed.

mod attributes;
mod core_purity;
mod crates;
mod files;
mod source;

use std::fmt;

use crate::{Result, workspace};

pub(crate) fn run(_args: &[String]) -> Result {
    let findings = findings()?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy");
            Ok(())
        }
        n => Err(format!("{n} findings").into()),
    }
}

fn findings() -> Result<Vec<Finding>> {
    let files = files::read(workspace::root())?;
    let mut findings: Vec<_> = files.iter().flat_map(files::check).collect();
    let sources: Vec<_> = files.iter().filter_map(source::Source::of).collect();
    findings.extend(sources.iter().flat_map(source::check));
    findings.extend(sources.iter().flat_map(attributes::check));
    findings.extend(core_purity::check(&sources));
    findings.extend(crates::check(&workspace::metadata(&["--no-deps"])?));
    Ok(findings)
}

/// One place that breaks one rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Relative to the workspace.
    path: String,
    line: Option<usize>,
    rule: String,
}

impl Finding {
    fn in_file(path: &str, rule: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, rule: rule.into() }
    }

    /// `line` counts from 0, as iterators do.
    fn at(path: &str, line: usize, rule: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: Some(line + 1), rule: rule.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule } = self;
        match line {
            Some(line) => write!(f, "{path}:{line}: {rule}"),
            None => write!(f, "{path}: {rule}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_tidy() {
        let findings = super::findings().unwrap();
        let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "{} findings\n{}", list.len(), list.join("\n"));
    }
}
