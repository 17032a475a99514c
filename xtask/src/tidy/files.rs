//! The files of the workspace, and the rules for any text file.

use std::fs;
use std::path::Path;

use super::Finding;
use crate::Result;

const CODE: [&str; 5] = ["rs", "c", "h", "sh", "py"];
const TEXT: [&str; 4] = ["md", "toml", "txt", "yml"];
/// Files without an extension that are text all the same.
const NAMED: [&str; 4] = ["Makefile", "configure", "run", ".gitignore"];
const MAX_LINES: usize = 400;

pub(super) struct File {
    /// Relative to the workspace, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    pub(super) fn has_extension(&self, wanted: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| wanted.contains(&extension))
    }
}

pub(super) fn read(root: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().display().to_string();
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            if name != "target" && name != ".git" {
                walk(&entry.path(), &format!("{path}/"), files)?;
            }
            continue;
        }
        let file = File { path, text: String::new() };
        if file.has_extension(&CODE) || file.has_extension(&TEXT) || NAMED.contains(&&*name) {
            let text = fs::read_to_string(entry.path());
            let text = text.map_err(|error| format!("{}: {error}", file.path))?;
            files.push(File { text, ..file });
        }
    }
    Ok(())
}

pub(super) fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = file.text.lines().count();
    if file.has_extension(&CODE) && lines >= MAX_LINES {
        let rule = format!("{lines} lines, where each file has fewer than {MAX_LINES}");
        findings.push(Finding::in_file(&file.path, rule));
    }
    for (number, line) in file.text.lines().enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::at(&file.path, number, "white space at the end of the line"));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(Finding::in_file(&file.path, "no newline at the end of the file"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check(&file).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn white_space_and_last_lines() {
        assert_eq!(rules("a.md", "fine\n"), Vec::<String>::new());
        assert_eq!(
            rules("a.md", "fine\nnot \nnor\t"),
            [
                "a.md:2: white space at the end of the line",
                "a.md:3: white space at the end of the line",
                "a.md: no newline at the end of the file",
            ]
        );
    }

    #[test]
    fn only_code_has_a_length() {
        let long = "x\n".repeat(MAX_LINES);
        assert_eq!(rules("a.rs", &long).len(), 1);
        assert!(rules("a.rs", &long[2..]).is_empty());
        assert!(rules("a.md", &long).is_empty());
    }
}
