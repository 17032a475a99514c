//! An exception to a lint, and a test that isn't run, say why.

use super::Finding;
use super::source::Source;

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let starts = source.code.match_indices("#[").chain(source.code.match_indices("#!["));
    let mut findings = Vec::new();
    for (start, opening) in starts {
        let inside = &source.code[start + opening.len()..];
        let attribute: String =
            inside[..end(inside)].chars().filter(|c| !c.is_whitespace()).collect();
        let exception = ["allow(", "expect("].iter().find(|name| {
            attribute.starts_with(*name)
                || (attribute.starts_with("cfg_attr(") && attribute.contains(&format!(",{name}")))
        });
        let rule = match exception {
            Some(name) if !attribute.contains("reason=") => {
                format!("{name}...) without `reason = \"...\"`")
            }
            None if attribute == "ignore" => "ignore without `= \"...\"`".to_owned(),
            _ => continue,
        };
        let line = source.code[..start].matches('\n').count();
        findings.push(Finding::at(source.path, line, rule));
    }
    findings
}

/// Where the bracket closes that was opened before this text.
fn end(text: &str) -> usize {
    let mut depth = 1;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::super::files::File;
    use super::*;

    fn count(text: &str) -> usize {
        let file = File { path: "a.rs".to_owned(), text: text.to_owned() };
        check(&Source::of(&file).unwrap()).len()
    }

    #[test]
    fn reasons_are_asked_for() {
        for text in [
            "#[allow(dead_code)]",
            "#![allow(dead_code)]",
            "#[expect(\n    dead_code,\n)]",
            "#[cfg_attr(x, allow(dead_code))]",
            "#[test]\n#[ignore]",
        ] {
            assert_eq!(count(text), 1, "{text}");
        }
        for text in [
            "#[allow(dead_code, reason = \"it's [odd]\")]",
            "#[ignore = \"takes a minute\"]",
            "#[derive(Debug)]",
            "// #[allow(dead_code)]",
        ] {
            assert_eq!(count(text), 0, "{text}");
        }
    }
}
