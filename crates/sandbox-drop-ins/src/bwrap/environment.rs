//! The command's variables and working directory.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use sandbox_core::{Environment, Inherit, InsidePath};

use super::request::Variable;

/// What of the caller's environment matters here.
#[derive(Debug, Default)]
pub(super) struct Callers {
    pub(super) home: Option<OsString>,
    pub(super) pwd: Option<OsString>,
    /// Its working directory.
    pub(super) here: Option<PathBuf>,
}

/// The variables after all changes, in their order.
///
/// Nothing is added. Where `PWD` would be taken over from the caller it is what `--chdir` says, as the
/// caller's is wrong then.
pub(super) fn variables(
    changes: Vec<Variable>,
    chdir: Option<&InsidePath>,
    callers: &Callers,
) -> Environment {
    let mut environment = Environment::default();
    let mut unset = BTreeSet::new();
    for change in changes {
        match change {
            Variable::Clear => {
                environment.inherit = Inherit::Nothing;
                environment.set.clear();
            }
            Variable::Set(name, value) => {
                environment.set.insert(name, value);
            }
            Variable::Unset(name) => {
                environment.set.remove(&name);
                unset.insert(name);
            }
        }
    }
    if environment.inherit == Inherit::All && !unset.is_empty() {
        environment.inherit = Inherit::AllBut(unset);
    }
    if let (Some(path), Some(_)) = (chdir, &callers.pwd)
        && is_inherited(&environment, "PWD")
    {
        environment.set.insert("PWD".into(), path.as_os_str().to_owned());
    }
    environment
}

/// The directories to start in where none is given: the caller's, then the home as it is inside.
pub(super) fn places(environment: &Environment, callers: &Callers) -> Vec<InsidePath> {
    let inherited = is_inherited(environment, "HOME").then_some(callers.home.as_ref()).flatten();
    let home = environment.set.get(OsStr::new("HOME")).or(inherited);
    let places = [callers.here.as_deref().map(Path::as_os_str), home.map(OsString::as_os_str)];
    let places = places.into_iter().flatten();
    places.filter_map(|place| InsidePath::from_root(place, "cwd").ok()).collect()
}

fn is_inherited(environment: &Environment, name: &str) -> bool {
    let name = OsStr::new(name);
    !environment.set.contains_key(name)
        && match &environment.inherit {
            Inherit::All => true,
            Inherit::AllBut(names) => !names.contains(name),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::Variable::{Clear, Set, Unset};
    use super::*;

    fn path(path: &str) -> InsidePath {
        InsidePath::from_root(path, "path").unwrap()
    }

    fn callers() -> Callers {
        let (home, pwd) = (Some("/home/me".into()), Some("/here".into()));
        Callers { home, pwd, here: Some("/here".into()) }
    }

    fn seen(changes: Vec<Variable>, chdir: Option<&str>) -> Vec<(String, String)> {
        let chdir = chdir.map(path);
        let environment = variables(changes, chdir.as_ref(), &callers());
        let mine = [("HOME", "/home/me"), ("PWD", "/here")];
        let mine = mine.map(|(name, value)| (name.into(), value.into()));
        let text = |text: OsString| text.into_string().unwrap();
        let seen = environment.resolve(mine).into_iter();
        seen.map(|(name, value)| (text(name), text(value))).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn changes_count_in_their_order() {
        let set = |name: &str, value: &str| Set(name.into(), value.into());
        assert_eq!(seen(vec![], None), pairs(&[("HOME", "/home/me"), ("PWD", "/here")]));
        assert_eq!(seen(vec![Clear, set("foo", "bar")], Some("/")), pairs(&[("foo", "bar")]));
        assert_eq!(seen(vec![set("foo", "bar"), Clear], None), pairs(&[]));
        let changes = vec![Unset("HOME".into()), set("HOME", "/h"), Unset("PWD".into())];
        assert_eq!(seen(changes, Some("/x")), pairs(&[("HOME", "/h")]));
        let changes = vec![set("HOME", "/h"), Unset("HOME".into())];
        assert_eq!(seen(changes, None), pairs(&[("PWD", "/here")]));
    }

    #[test]
    fn an_inherited_pwd_is_the_working_directory() {
        let all = pairs(&[("HOME", "/home/me"), ("PWD", "/there/it/is")]);
        assert_eq!(seen(vec![], Some("there/it//is")), all);
        let set = Set("PWD".into(), "/mine".into());
        assert_eq!(seen(vec![set], Some("/x"))[1].1, "/mine");
        let environment = variables(vec![], Some(&path("/x")), &Callers::default());
        assert!(environment.set.is_empty(), "nothing is added where the caller has none");
    }

    #[test]
    fn the_home_is_the_one_inside() {
        let all = |changes| places(&variables(changes, None, &callers()), &callers());
        assert_eq!(all(vec![]), [path("/here"), path("/home/me")]);
        assert_eq!(all(vec![Set("HOME".into(), "h".into())]), [path("/here"), path("/h")]);
        assert_eq!(all(vec![Clear]), [path("/here")]);
        assert_eq!(all(vec![Unset("HOME".into())]), [path("/here")]);
    }
}
