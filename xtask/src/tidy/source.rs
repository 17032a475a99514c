//! Rust sources without their comments, strings and tests, and the rules for what remains.

use super::Finding;
use super::files::File;

/// The one crate that may hold `unsafe`.
const UNSAFE_CRATE: &str = "crates/sandbox-sys/";

/// What has no place outside tests.
const FORBIDDEN: [(&str, &str); 4] = [
    ("todo!", "todo! is for drafts"),
    ("unimplemented!", "unimplemented! is for drafts"),
    ("dbg!", "dbg! is for drafts"),
    (".unwrap()", ".unwrap() is for tests: hand the error on"),
];

pub(super) struct Source<'a> {
    pub(super) path: &'a str,
    text: &'a str,
    /// The text with blanks for comments and the insides of strings; lines are kept.
    pub(super) code: String,
    /// `code` with blanks for what `#[cfg(test)]` covers; empty where all of it is a test.
    pub(super) product: String,
}

impl<'a> Source<'a> {
    pub(super) fn of(file: &'a File) -> Option<Self> {
        if !file.has_extension(&["rs"]) {
            return None;
        }
        let code = blank_comments(&file.text);
        let stem = file.path.rsplit('/').next().unwrap_or_default();
        let is_test = file.path.split('/').any(|part| ["tests", "benches"].contains(&part))
            || stem == "tests.rs"
            || stem.ends_with("_tests.rs");
        let product = if is_test { String::new() } else { blank_tests(&code) };
        Some(Self { path: &file.path, text: &file.text, code, product })
    }
}

pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !source.text.starts_with("//!") {
        findings.push(Finding::in_file(source.path, "the first line says what the file is: //!"));
    }
    if !source.path.starts_with(UNSAFE_CRATE) {
        for line in lines_with(&source.code, "unsafe") {
            let rule = format!("unsafe is for {UNSAFE_CRATE} alone");
            findings.push(Finding::at(source.path, line, rule));
        }
    }
    for (word, rule) in FORBIDDEN {
        for line in lines_with(&source.product, word) {
            findings.push(Finding::at(source.path, line, rule));
        }
    }
    findings
}

/// The lines that hold a word, which isn't a part of a longer name.
pub(super) fn lines_with(code: &str, word: &str) -> Vec<usize> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let joined =
        |c: Option<char>, edge: Option<char>| c.is_some_and(is_name) && edge.is_some_and(is_name);
    let holds = |line: &str| {
        line.match_indices(word).any(|(start, _)| {
            let (before, after) = (&line[..start], &line[start + word.len()..]);
            !joined(before.chars().next_back(), word.chars().next())
                && !joined(after.chars().next(), word.chars().next_back())
        })
    };
    code.lines().enumerate().filter(|(_, line)| holds(line)).map(|(number, _)| number).collect()
}

/// Blanks for comments and for the insides of strings and characters.
fn blank_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after_name = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest),
            'r' | 'b' | 'c' if !after_name => prefixed_string(rest).unwrap_or(0),
            '\'' => character(rest).unwrap_or(0),
            _ => 0,
        };
        if length == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// The length of a comment that may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of `"..."` with its escapes.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"..."`, `br#"..."#` and their like.
fn prefixed_string(text: &str) -> Option<usize> {
    let name = text.len() - text.trim_start_matches(['r', 'b', 'c']).len();
    let hashes = text[name..].len() - text[name..].trim_start_matches('#').len();
    let open = name + hashes;
    if !text[open..].starts_with('"') {
        return None;
    }
    if !text[..name].contains('r') {
        return (hashes == 0).then(|| name + quoted(&text[name..]));
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = &text[open + 1..];
    Some(inside.find(&end).map_or(text.len(), |at| open + 1 + at + end.len()))
}

/// The length of a character; none for a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.get(1..)?;
    let first = inside.chars().next()?;
    if first == '\\' {
        // The escaped character itself may be a quote.
        return inside.get(2..)?.find('\'').map(|at| at + 4);
    }
    let end = 1 + first.len_utf8();
    text[end..].starts_with('\'').then_some(end + 1)
}

/// Blanks for each item under `#[cfg(test)]`, in code without comments and strings.
fn blank_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find("#[cfg(test)]") {
        let item = &rest[start..];
        let end = item_end(item);
        out.push_str(&rest[..start]);
        out.extend(item[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &item[end..];
    }
    out + rest
}

/// Where an item ends: at its first `;` or at the brace that closes its first one.
fn item_end(item: &str) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if (c == '}' || c == ';') && depth == 0 {
            return at + 1;
        }
    }
    item.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check(&Source::of(&file).unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = "a // unsafe\nb /* x /* unsafe */ y */ c \"un\\\"safe\" 'x' '\\'' d<'a> \
                    r#\"dbg!\"# br\"x\" b\"y\" e";
        let code = blank_comments(text);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "b", "c", "d<'a>", "e"]);
        assert_eq!(code.lines().count(), text.lines().count());
        assert_eq!(blank_comments("for r in b { '\u{e9}' }"), "for r in b {     }");
    }

    #[test]
    fn tests_are_not_product() {
        let code = "a\n#[cfg(test)]\nmod tests { fn x() { y } }\nb\n#[cfg(test)]\nmod more;\nc\n";
        assert_eq!(
            blank_tests(code),
            "a\n            \n                          \nb\n            \n         \nc\n"
        );
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(lines_with("unsafe_code\nunsafe {\nx.unsafe", "unsafe"), [1, 2]);
        assert_eq!(lines_with("x.unwrap()\nx.unwrap_or()", ".unwrap()"), [0]);
        assert_eq!(lines_with("my_dbg!()\ndbg!(x)", "dbg!"), [1]);
    }

    #[test]
    fn drafts_and_unsafe_are_found() {
        assert_eq!(
            findings("crates/a/src/lib.rs", "fn a() {\n    unsafe { b().unwrap() }\n}\n"),
            [
                "crates/a/src/lib.rs: the first line says what the file is: //!",
                "crates/a/src/lib.rs:2: unsafe is for crates/sandbox-sys/ alone",
                "crates/a/src/lib.rs:2: .unwrap() is for tests: hand the error on",
            ]
        );
        assert!(findings("crates/sandbox-sys/src/a.rs", "//! A.\nunsafe fn a() {}\n").is_empty());
        assert!(findings("crates/a/tests/b.rs", "//! B.\nfn a() { b().unwrap() }\n").is_empty());
    }
}
