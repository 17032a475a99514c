//! sandbox-core does no I/O, and knows the platform in one module only.

use super::Finding;
use super::source::{Source, lines_with};

const CORE: &str = "crates/sandbox-core/src/";
const IO: [&str; 6] =
    ["std::env", "std::fs", "std::net", "std::os::unix", "std::process", "std::thread"];
/// Only the bytes of a name, which is no I/O.
const ALLOWED: &str = "std::os::unix::ffi";

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let core = || sources.iter().filter(|source| source.path.starts_with(CORE));
    let mut findings: Vec<_> = core().flat_map(io).collect();
    let platform = |source: &&Source| !lines_with(&source.product, "target_os").is_empty();
    let platform: Vec<_> = core().filter(platform).map(|source| source.path).collect();
    if platform.len() > 1 {
        for path in &platform {
            let rule = format!("target_os in {} modules, where one may know it", platform.len());
            findings.push(Finding::in_file(path, rule));
        }
    }
    findings
}

fn io(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (start, path) in paths(&source.product) {
        let is_io = IO.iter().any(|io| is_below(&path, io)) && !is_below(&path, ALLOWED);
        if is_io {
            let line = source.product[..start].matches('\n').count();
            findings.push(Finding::at(source.path, line, format!("{path} in the crate of no I/O")));
        }
    }
    findings
}

fn is_below(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every `std::...` path with its place, those in braces written out.
fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("std::") {
        let joined = code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if !joined {
            let text: String = tree(&code[start..]).split_whitespace().collect();
            found.extend(expand("", &text).into_iter().map(|path| (start, path)));
        }
    }
    found
}

/// A path up to where its names and braces end.
fn tree(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ':' | '_' => {}
            c if c.is_alphanumeric() => {}
            _ if depth == 0 => return &text[..at],
            _ => {}
        }
    }
    text
}

fn expand(prefix: &str, tree: &str) -> Vec<String> {
    let Some((path, rest)) = tree.split_once('{') else {
        return vec![format!("{prefix}{tree}")];
    };
    let prefix = format!("{prefix}{path}");
    let inside = rest.strip_suffix('}').unwrap_or(rest);
    let mut depth = 0;
    let branches = inside.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    branches.flat_map(|branch| expand(&prefix, branch)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::files::File;
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| File { path: format!("{CORE}{name}"), text: (*text).to_owned() })
            .collect();
        let sources: Vec<_> = files.iter().filter_map(Source::of).collect();
        check(&sources).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn io_is_found_however_it_is_written() {
        let text = "use std::{collections::BTreeMap, fs, os::unix::{ffi::OsStrExt, net}};\n\
                    use std::ffi::OsStr;\n\
                    fn a() { std::env::var(x); my_std::fs::read(); }\n\
                    #[cfg(test)] mod tests { use std::fs; }\n";
        assert_eq!(
            findings(&[("a.rs", text)]),
            [
                "crates/sandbox-core/src/a.rs:1: std::fs in the crate of no I/O",
                "crates/sandbox-core/src/a.rs:1: std::os::unix::net in the crate of no I/O",
                "crates/sandbox-core/src/a.rs:3: std::env::var in the crate of no I/O",
            ]
        );
    }

    #[test]
    fn one_module_may_know_the_platform() {
        let text = "#[cfg(target_os = \"linux\")] fn a() {}\n";
        assert!(findings(&[("a.rs", text), ("b.rs", "")]).is_empty());
        assert_eq!(findings(&[("a.rs", text), ("b.rs", text)]).len(), 2);
    }
}
