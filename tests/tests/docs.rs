//! The documentation, held against the code: options, the configuration file, cases, and paths.
#![allow(clippy::unwrap_used, reason = "a test fails by it, in its helpers too")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap()
}

/// Whether a text is the name of a source file.
fn is_source(text: &str) -> bool {
    Path::new(text).extension().is_some_and(|extension| extension == "rs")
}

/// What stands between backticks in a page, outside of blocks of code.
fn quoted(page: &str) -> BTreeSet<String> {
    let prose: Vec<_> = page.split("```").step_by(2).collect();
    prose.join("").split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The names of all conformance cases, which are of the form `subject/promise`. Those of attacks are in
/// their page, which the matrix holds against the suite.
fn cases() -> BTreeSet<String> {
    let folder = workspace().join("crates/sandbox-testkit/src/cases");
    let mut names = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for after in text.split("Case::new(").skip(1) {
            names.extend(after.split('"').nth(1).map(str::to_owned));
        }
    }
    assert!(names.len() > 100, "{} cases", names.len());
    let page = read("docs/escapes.md");
    let attacks = page.lines().filter_map(|line| line.strip_prefix("| escape-")?.split(' ').next());
    let attacks: Vec<_> = attacks.map(|name| format!("escape-{name}")).collect();
    assert!(attacks.len() > 200, "{} attacks", attacks.len());
    names.extend(attacks);
    names
}

#[test]
fn every_option_is_described_and_no_other() {
    let page = read("docs/cli.md");
    let mut options: BTreeSet<String> = sandbox_cli::command()
        .get_arguments()
        .filter_map(|argument| argument.get_long().map(|name| format!("--{name}")))
        .collect();
    for option in &options {
        assert!(page.contains(option.as_str()), "docs/cli.md does not have {option}");
    }
    options.extend(["--help", "--version", "--executor"].map(str::to_owned));
    for text in quoted(&page) {
        for word in text.split_whitespace().filter(|word| word.starts_with("--") && *word != "--") {
            assert!(options.contains(word), "docs/cli.md has {word}, which is no option");
        }
    }
}

#[test]
fn the_configuration_file_is_understood() {
    let page = read("docs/cli.md");
    let examples: Vec<_> = page.split("```toml\n").skip(1).collect();
    assert_eq!(examples.len(), 2, "one is a whole file, the other has what has no flags");
    for (number, example) in examples.into_iter().enumerate() {
        let example = example.split("```").next().unwrap();
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("example.toml");
        // Its directories are not on every machine.
        let example =
            example.replace("/srv/tree", "/").replace("/srv/src", "/").replace("/srv/cache", "/");
        fs::write(&file, example).unwrap();
        let words = ["run-sandbox", "--explain", "--config"].map(OsString::from);
        let rest = if number == 0 { &[][..] } else { &["/", "true"] };
        let words = words.into_iter().chain([file.into_os_string()]);
        let explained = sandbox_cli::run(words.chain(rest.iter().map(OsString::from)));
        assert_eq!(explained, ExitCode::SUCCESS, "example {number}");
    }
}

#[test]
fn the_cases_that_hold_promises_exist() {
    let cases = cases();
    let subjects: BTreeSet<_> = cases.iter().filter_map(|name| name.split('/').next()).collect();
    for page in ["docs/security.md", "docs/backends.md", "docs/architecture.md"] {
        for text in quoted(&read(page)) {
            let Some((subject, promise)) = text.split_once('/') else { continue };
            if subjects.contains(subject) && promise != "*" && !is_source(&text) {
                assert!(cases.contains(&text), "{page} names {text}, which is no case");
            }
        }
    }
}

/// The pages, but for those of single crates.
fn pages() -> Vec<String> {
    let pages = fs::read_dir(workspace().join("docs")).unwrap();
    let pages = pages.map(|page| format!("docs/{}", page.unwrap().file_name().display()));
    pages.chain(["README.md", "CONTRIBUTING.md"].map(str::to_owned)).collect()
}

/// The files that a page links to.
fn linked(page: &str) -> Vec<PathBuf> {
    let folder = workspace().join(page).parent().unwrap().to_owned();
    let text = read(page);
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let targets = links.filter_map(|link| link.split('#').next());
    let files = |target: &&str| !target.is_empty() && !target.starts_with("http");
    targets.filter(files).map(|target| folder.join(target)).collect()
}

#[test]
fn every_page_is_linked_from_another() {
    let pages = pages();
    for page in pages.iter().filter(|page| page.starts_with("docs/")) {
        let file = workspace().join(page).canonicalize().unwrap();
        let is_it = |link: PathBuf| link.canonicalize().is_ok_and(|link| link == file);
        let others = pages.iter().filter(|other| *other != page);
        assert!(others.flat_map(|other| linked(other)).any(is_it), "nothing links to {page}");
    }
}

/// The options in a source file, in which each stands after `start` and before a quotation mark.
fn options_after(start: &str, file: &str) -> BTreeSet<String> {
    let text = read(file);
    let names = text.split(start).skip(1).filter_map(|rest| rest.split('"').next());
    names.map(|name| format!("--{name}")).collect()
}

#[test]
fn the_options_of_the_drop_ins_exist() {
    let page = read("docs/drop-ins.md");
    let (_, page) = page.split_once("\n## bwrap\n").unwrap();
    let (bwrap, linux_user_chroot) = page.split_once("\n## linux-user-chroot\n").unwrap();
    let source = "crates/sandbox-drop-ins/src";
    let of_bwrap = options_after("    spec(\"--", &format!("{source}/bwrap/options.rs"));
    let arguments = format!("{source}/linux_user_chroot/arguments.rs");
    let of_linux_user_chroot = options_after("    (\"--", &arguments);
    assert!(of_bwrap.len() > 50 && of_linux_user_chroot.len() > 9, "options are not found");
    for (text, options) in [(bwrap, of_bwrap), (linux_user_chroot, of_linux_user_chroot)] {
        for quoted in quoted(text) {
            let words = quoted.split_whitespace();
            for word in words.filter(|word| word.starts_with("--") && *word != "--") {
                let is_one = match word.strip_suffix('*') {
                    Some(start) => options.iter().any(|option| option.starts_with(start)),
                    None => options.contains(word),
                };
                assert!(is_one, "docs/drop-ins.md has {word}, which is no option");
            }
        }
    }
}

#[test]
fn links_and_files_exist() {
    for page in pages() {
        let text = read(&page);
        for target in linked(&page) {
            assert!(target.exists(), "{page} links to {}", target.display());
        }
        // Whole paths only: a table names files of the crate that it has just named.
        let is_path = |text: &&String| {
            let starts = ["sandbox-", "xtask/", "tests/tests/", "crates/"];
            let plain = !text.contains(['{', '*']) && !text.chars().any(char::is_uppercase);
            is_source(text) && plain && starts.iter().any(|start| text.starts_with(start))
        };
        for file in quoted(&text).iter().filter(is_path) {
            let places = ["", "crates"];
            let found = places.iter().any(|place| workspace().join(place).join(file).exists());
            assert!(found, "{page} names {file}, which is no file");
        }
    }
}
