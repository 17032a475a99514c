//! `--env` and `--clear-env`: changes to an environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use sandbox_core::{Environment, Inherit};

/// Carries out one `--env`: `NAME=VALUE` sets a variable, `NAME` passes on the caller's.
pub(crate) fn apply(env: &mut Environment, word: &OsStr) {
    match word.as_bytes().iter().position(|byte| *byte == b'=') {
        Some(at) => {
            let (name, value) = (&word.as_bytes()[..at], &word.as_bytes()[at + 1..]);
            let text = |bytes| OsStr::from_bytes(bytes).to_owned();
            env.set.insert(text(name), text(value));
        }
        None => pass_on(env, word.to_owned()),
    }
}

fn pass_on(env: &mut Environment, name: OsString) {
    // Where it was set, by a file or the preset, the caller's own takes its place.
    env.set.remove(&name);
    match &mut env.inherit {
        Inherit::Only(names) => {
            names.insert(name);
        }
        Inherit::AllBut(names) => {
            names.remove(&name);
        }
        Inherit::Nothing => env.inherit = Inherit::Only([name].into()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(mut env: Environment, words: &[&str]) -> Vec<(String, String)> {
        for word in words {
            apply(&mut env, word.as_ref());
        }
        let callers = [("HOME", "/home/me"), ("LANG", "C")];
        let text = |text: OsString| text.into_string().unwrap();
        let env = env.resolve(callers.map(|(name, value)| (name.into(), value.into())));
        env.into_iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_variable_is_set_or_passed_on() {
        let none = || Environment::exactly([("HOME", "/tmp")]);
        assert_eq!(
            after(none(), &["A=b=c", "E="]),
            pairs(&[("A", "b=c"), ("E", ""), ("HOME", "/tmp")])
        );
        assert_eq!(after(none(), &["HOME", "NONE"]), pairs(&[("HOME", "/home/me")]));
        assert_eq!(
            after(none(), &["HOME", "HOME=/x", "LANG"]),
            pairs(&[("HOME", "/x"), ("LANG", "C")])
        );
        let mut but = Environment::default();
        but.inherit = Inherit::AllBut(["HOME".into(), "LANG".into()].into());
        assert_eq!(after(but, &["LANG"]), pairs(&[("LANG", "C")]));
        assert_eq!(after(Environment::default(), &["LANG=de"])[1].1, "de");
    }
}
