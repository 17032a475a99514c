//! The arguments of a conformance test, and its one variable.

use std::env;

use crate::case::Case;

pub(crate) const HELP: &str = "\
usage: conformance [OPTIONS] [NAME]...

Runs the cases whose names contain one of the words; all of them without a word.

  --exact                the words are whole names
  --except NAME          not this case
  --list                 name the cases, run nothing
  --without-namespaces   as on a host on which no namespace can be made
  --help                 this text

SANDBOX_TEST_MUST_RUN    backends and needs, separated by commas, or `all`: what cannot run fails
";

/// What is to be done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    #[default]
    Run,
    List,
    Help,
}

/// What the user asks of a run.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) job: Job,
    exact: bool,
    pub(crate) without_namespaces: bool,
    words: Vec<String>,
    except: Vec<String>,
    must_run: Vec<String>,
}

impl Options {
    pub(crate) fn read() -> Result<Self, String> {
        let must_run = env::var("SANDBOX_TEST_MUST_RUN").unwrap_or_default();
        let must_run = must_run.split(',').map(|name| name.trim().to_owned());
        let must_run = must_run.filter(|name| !name.is_empty()).collect();
        let mut options = Self { must_run, ..Self::default() };
        let mut args = env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--except" => {
                    let name = args.next().ok_or("--except needs the name of a case")?;
                    options.except.push(name);
                }
                "--exact" => options.exact = true,
                "--list" => options.job = Job::List,
                "--help" => options.job = Job::Help,
                "--without-namespaces" => options.without_namespaces = true,
                // What `cargo test -- …` hands to every test of a workspace.
                "--nocapture" | "--no-capture" | "--show-output" | "--quiet" | "-q" => {}
                option if option.starts_with('-') => {
                    return Err(format!("no option {option}; --help lists them"));
                }
                _ => options.words.push(arg),
            }
        }
        Ok(options)
    }

    pub(crate) fn selects(&self, case: &Case) -> bool {
        let hit = |word: &String| {
            if self.exact { case.name == word } else { case.name.contains(word.as_str()) }
        };
        let is_except = self.except.iter().any(|name| name == case.name);
        !is_except && (self.words.is_empty() || self.words.iter().any(hit))
    }

    /// Whether something that cannot run here is a failure.
    pub(crate) fn must_run(&self, backend: &str, need: &str) -> bool {
        self.must_run.iter().any(|name| name == "all" || name == backend || name == need)
    }
}
