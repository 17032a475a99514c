//! The arguments of a conformance test, and its one variable.

use std::env;

use crate::case::Case;

pub(crate) const HELP: &str = "\
usage: conformance [OPTIONS] [NAME]...

Runs the cases whose names contain one of the words; all of them without a word.

  --exact                the words are whole names
  --except NAME          not this case
  --list                 name the cases, run nothing
  --without NAME[,...]   as on a host with less in it (see below)
  --inside NAME          in a sandbox: of `ours`, or of `bwrap`
  --help                 this text

NAMEs of --without:
  namespaces             none can be made
  clone3, openat2, mount-setattr, mount-api, close-range, pidfd
                         system calls that the kernel does not know
  2018                   all of these, and what else Linux 4.19 does not know
  container              new namespaces and mounts are refused by a filter

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

/// A sandbox that the whole suite runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outer {
    /// One of the backend's own.
    Ours,
    /// Debian's bubblewrap.
    Bwrap,
}

impl Outer {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "ours" => Ok(Self::Ours),
            "bwrap" => Ok(Self::Bwrap),
            _ => Err(format!("no sandbox {name}; --help lists them")),
        }
    }
}

/// What the user asks of a run.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) job: Job,
    pub(crate) exact: bool,
    /// What the host is to be without.
    pub(crate) without: Vec<String>,
    /// What sandbox all of it runs in.
    pub(crate) inside: Option<Outer>,
    pub(crate) words: Vec<String>,
    pub(crate) except: Vec<String>,
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
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a NAME"));
            match arg.as_str() {
                "--except" => options.except.push(value()?),
                "--exact" => options.exact = true,
                "--list" => options.job = Job::List,
                "--help" => options.job = Job::Help,
                "--without" => {
                    options.without.extend(value()?.split(',').map(ToOwned::to_owned));
                }
                "--inside" => options.inside = Some(Outer::named(&value()?)?),
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
