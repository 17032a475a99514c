//! The environment of an app's processes. Nothing of the caller's is in it but what was asked for.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::accounts::Identity;
use super::model::App;
use super::options::{Options, RequiredVariables};
use super::report::Warning;

/// The one of ace.md, "Execution Environment".
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How an app knows which executor it runs in.
const CONTAINER: &str = "sandboxlib";

/// The variables, and where one of the image's own could not be kept, that. The later of these wins: the
/// user's account and terminal, the image, what the specification wants, the caller.
pub(super) fn variables(
    app: &App,
    who: &Identity,
    options: &Options<'_>,
) -> (BTreeMap<OsString, OsString>, Vec<Warning>) {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: &OsStr| variables.insert(name.into(), value.to_owned());
    set("HOME", who.home.as_deref().unwrap_or(OsStr::new("/")));
    let name = who.name.as_deref();
    for (variable, value) in [("USER", name), ("LOGNAME", name), ("SHELL", who.shell.as_deref())] {
        if let Some(value) = value {
            set(variable, value);
        }
    }
    if let Some(term) = &options.term {
        set("TERM", term);
    }
    let required = required(app, options);
    if options.rules.variables == RequiredVariables::Defaults {
        for (name, value) in &required {
            set(name, OsStr::new(value));
        }
    }
    let own = app.environment.iter();
    variables.extend(own.map(|(name, value)| (name.into(), value.clone())));

    let mut warnings = Vec::new();
    if options.rules.variables == RequiredVariables::Fixed {
        for (name, value) in required {
            let before = variables.insert(name.into(), value.into());
            // Who gives one to this run knows that of the image is not taken.
            let is_given = options.env.iter().any(|(given, _)| given == name);
            if before.is_some_and(|before| before != value) && !is_given {
                let (name, value) = (name.to_owned(), value.to_owned());
                warnings.push(Warning::VariableFixed { name, value });
            }
        }
    }
    variables.extend(options.env.iter().cloned());
    (variables, warnings)
}

/// What an executor sets.
fn required<'a>(app: &'a App, options: &'a Options<'_>) -> Vec<(&'static str, &'a str)> {
    let mut required = vec![("PATH", PATH), ("container", CONTAINER)];
    if options.rules.variables == RequiredVariables::Fixed {
        required.push(("AC_APP_NAME", &app.name));
    }
    required.extend(options.metadata_url.as_deref().map(|url| ("AC_METADATA_URL", url)));
    required
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Rules;

    fn identity() -> Identity {
        let some = |text: &str| Some(text.into());
        let (name, home, shell) = (some("web"), some("/srv"), some("/bin/false"));
        Identity { uid: 3, gid: 3, groups: Vec::new(), name, home, shell }
    }

    fn lines(app: &App, who: &Identity, options: &Options<'_>) -> (Vec<String>, Vec<String>) {
        let (variables, warnings) = variables(app, who, options);
        let line = |(name, value): (&OsString, &OsString)| {
            format!("{}={}", name.display(), value.display())
        };
        (variables.iter().map(line).collect(), warnings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_app_has_what_the_specification_says_and_its_users_own() {
        let app = App::new("app", Vec::new());
        let path = format!("PATH={PATH}");
        let mut options = Options::new(Rules::app_container());
        let expected =
            ["AC_APP_NAME=app", "HOME=/srv", "LOGNAME=web", &path, "SHELL=/bin/false", "USER=web"];
        let expected = [&expected[..], &["container=sandboxlib"]].concat();
        assert_eq!(lines(&app, &identity(), &options).0, expected);

        let nobody = Identity { name: None, home: None, shell: None, ..identity() };
        options.term = Some("xterm".into());
        options.metadata_url = Some("http://127.0.0.1:1/x".into());
        let expected = [
            "AC_APP_NAME=app",
            "AC_METADATA_URL=http://127.0.0.1:1/x",
            "HOME=/",
            &path,
            "TERM=xterm",
            "container=sandboxlib",
        ];
        assert_eq!(lines(&app, &nobody, &options).0, expected);
        options = Options::new(Rules::oci());
        assert_eq!(lines(&app, &nobody, &options).0, ["HOME=/", &path, "container=sandboxlib"]);
    }

    #[test]
    fn the_image_wins_over_the_user_the_specification_over_the_image_and_the_caller_over_all() {
        let mut app = App::new("app", Vec::new());
        for (name, value) in
            [("HOME", "/a"), ("PATH", "/own"), ("A", "1"), ("A", "2"), ("container", "x")]
        {
            app.environment.push((name.to_owned(), value.into()));
        }
        let of = |rules, env: &[(&str, &str)]| {
            let mut options = Options::new(rules);
            options.env = env.iter().map(|(name, value)| (name.into(), value.into())).collect();
            let (lines, warnings) = lines(&app, &identity(), &options);
            let one = |name: &str| {
                let start = format!("{name}=");
                lines.iter().find_map(|line| line.strip_prefix(&start)).unwrap().to_owned()
            };
            (["HOME", "PATH", "A", "container"].map(one), warnings)
        };
        let (appc, warnings) = of(Rules::app_container(), &[]);
        assert_eq!(appc, ["/a", PATH, "2", "sandboxlib"]);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("the image's PATH is not taken: it is \"/usr/local"));
        let (oci, warnings) = of(Rules::oci(), &[]);
        assert_eq!((oci, warnings.len()), (["/a", "/own", "2", "x"].map(str::to_owned), 0));
        let env = [("PATH", "/mine"), ("A", "3"), ("container", "y"), ("HOME", "/b")];
        for rules in [Rules::app_container(), Rules::oci()] {
            let (all, warnings) = of(rules, &env);
            assert_eq!((all, warnings.len()), (["/b", "/mine", "3", "y"].map(str::to_owned), 0));
        }
    }
}
