//! What an image's configuration means for a process.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use sandbox_core::InsidePath;

use super::error::OciError;
use super::types::Execution;
use crate::app::{App, MountPoint, Port};

/// How an image is run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// What it runs; its `exec` is empty where the image says nothing.
    pub app: App,
    /// The words that a caller's arguments follow.
    pub entrypoint: Vec<OsString>,
    /// The arguments where a caller gives none.
    pub arguments: Vec<OsString>,
    /// What it means that the working directory does not exist.
    pub working_directory: WorkingDirectory,
    /// The signal that ends it: `SIGTERM`, or a number. `None`: the runner's choice.
    pub stop_signal: Option<String>,
    /// What is said about it.
    pub labels: BTreeMap<String, String>,
}

/// What it means that a working directory does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WorkingDirectory {
    /// It is made (0755, the user's own), as all runtimes of OCI images do.
    #[default]
    Made,
    /// An error, as for App Container images.
    Required,
}

impl Run {
    /// The command with these arguments: the image's own where there are none.
    ///
    /// # Errors
    /// Neither the image nor the caller says what to run.
    pub fn command(&self, arguments: &[OsString]) -> Result<Vec<OsString>, OciError> {
        let arguments = if arguments.is_empty() { &self.arguments } else { arguments };
        let words: Vec<_> = self.entrypoint.iter().chain(arguments).cloned().collect();
        if words.is_empty() { Err(OciError::NoCommand) } else { Ok(words) }
    }

    /// What a configuration says. `file` is its name in errors, `name` the app's.
    pub(super) fn new(file: &str, name: &str, config: &Execution) -> Result<Self, OciError> {
        let words = |words: &[String]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let (entrypoint, arguments) = (words(&config.entrypoint), words(&config.cmd));
        let exec = [entrypoint.clone(), arguments.clone()].concat();
        let (user, group) = match config.user.split_once(':') {
            Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
            None => (&*config.user, None),
        };
        let mut app = App::new(name, exec);
        user.clone_into(&mut app.user);
        app.group = group.map(str::to_owned);
        app.environment = environment(file, &config.env)?;
        if !config.working_dir.is_empty() {
            app.working_directory = inside(file, "config.WorkingDir", &config.working_dir)?;
        }
        app.mount_points = mount_points(file, config.volumes.keys())?;
        app.ports = config
            .exposed_ports
            .keys()
            .map(|port| parse_port(file, port))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            app,
            entrypoint,
            arguments,
            working_directory: WorkingDirectory::Made,
            stop_signal: Some(config.stop_signal.clone()).filter(|signal| !signal.is_empty()),
            labels: config.labels.clone(),
        })
    }
}

fn wrong(file: &str, field: String, value: &str, expected: &'static str) -> OciError {
    OciError::Field { file: file.to_owned(), field, value: value.to_owned(), expected }
}

fn inside(file: &str, field: &str, path: &str) -> Result<InsidePath, OciError> {
    InsidePath::from_root(path, "path").map_err(|source| OciError::Config {
        file: file.to_owned(),
        field: field.to_owned(),
        source,
    })
}

fn environment(file: &str, env: &[String]) -> Result<Vec<(String, OsString)>, OciError> {
    let variable = |(index, text): (usize, &String)| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), OsString::from(value))),
        _ => Err(wrong(file, format!("config.Env[{index}]"), text, "give NAME=VALUE")),
    };
    env.iter().enumerate().map(variable).collect()
}

/// A mount point for each path, with a name that is made from it: `/var/lib/db` is `var-lib-db`.
fn mount_points<'a>(
    file: &str,
    paths: impl Iterator<Item = &'a String>,
) -> Result<Vec<MountPoint>, OciError> {
    let mut taken = BTreeSet::new();
    let mut points = Vec::new();
    for path in paths {
        let path = inside(file, "config.Volumes", path)?;
        let base = volume_name(&path);
        let more = (2_u32..).map(|number| format!("{base}-{number}"));
        let free = std::iter::once(base.clone()).chain(more).find(|name| !taken.contains(name));
        let name = free.unwrap_or(base);
        taken.insert(name.clone());
        points.push(MountPoint { name, path, read_only: false });
    }
    Ok(points)
}

/// Lower-case letters and digits, with `-` between what was between them.
fn volume_name(path: &InsidePath) -> String {
    let text = path.to_string().to_ascii_lowercase();
    let words: Vec<_> = text
        .split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() { "volume".to_owned() } else { words.join("-") }
}

fn parse_port(file: &str, text: &str) -> Result<Port, OciError> {
    let expected = "give PORT, PORT/tcp, PORT/udp or FIRST-LAST/tcp, with ports from 1 to 65535";
    let error = || wrong(file, "config.ExposedPorts".to_owned(), text, expected);
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let number = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| plain && *number > 0).ok_or_else(error)
    };
    let (first, last) = (number(first)?, number(last)?);
    let count = last.checked_sub(first).and_then(|more| more.checked_add(1)).ok_or_else(error)?;
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(error());
    }
    let name = format!("{numbers}-{protocol}");
    Ok(Port { name, protocol, port: first, count, socket_activated: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(json: &str) -> Result<Run, OciError> {
        Run::new("config", "app", &serde_json::from_str(json).unwrap())
    }

    #[test]
    fn arguments_replace_those_of_the_image() {
        for (json, arguments, want) in [
            (r#"{"Cmd": ["sh", "-l"]}"#, &[][..], Some("sh -l")),
            (r#"{"Cmd": ["sh", "-l"]}"#, &["ls"], Some("ls")),
            (r#"{"Entrypoint": ["/e", "x"], "Cmd": ["a"]}"#, &[], Some("/e x a")),
            (r#"{"Entrypoint": ["/e", "x"], "Cmd": ["a"]}"#, &["b", "c"], Some("/e x b c")),
            (r#"{"Entrypoint": ["/e"]}"#, &[], Some("/e")),
            ("{}", &["b"], Some("b")),
            ("{}", &[], None),
        ] {
            let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
            let command = run(json).unwrap().command(&arguments).ok();
            let want = want.map(|want| want.split(' ').map(OsString::from).collect::<Vec<_>>());
            assert_eq!(command, want, "{json} {arguments:?}");
        }
        let error = run("{}").unwrap().command(&[]).unwrap_err().to_string();
        assert_eq!(error, "the image has neither Entrypoint nor Cmd: give a command");
    }

    #[test]
    fn users_variables_and_directories() {
        for (user, want) in [
            ("", ("", None)),
            ("1000", ("1000", None)),
            ("www:ftp", ("www", Some("ftp"))),
            ("0:", ("0", None)),
        ] {
            let app = run(&format!(r#"{{"User": "{user}"}}"#)).unwrap().app;
            assert_eq!((app.user.as_str(), app.group.as_deref()), want, "{user}");
        }
        let app = run(r#"{"Env": ["B=1", "A=x=y", "C="], "WorkingDir": "srv/"}"#).unwrap().app;
        let want = [("B", "1"), ("A", "x=y"), ("C", "")];
        assert_eq!(app.environment, want.map(|(name, value)| (name.to_owned(), value.into())));
        assert_eq!(app.working_directory.to_string(), "/srv");
        assert_eq!(run("{}").unwrap().app.working_directory.to_string(), "/");
        let error = run(r#"{"Env": ["A=1", "B"]}"#).unwrap_err().to_string();
        assert_eq!(error, "config: config.Env[1]: \"B\": give NAME=VALUE");
        let error = run(r#"{"WorkingDir": "/a\u0000"}"#).unwrap_err().to_string();
        assert!(error.starts_with("config: config.WorkingDir: path \"/a\\0\""), "{error}");
    }

    #[test]
    fn volumes_are_named_after_their_paths() {
        let app =
            run(r#"{"Volumes": {"/var/lib/DB": {}, "/var/lib-db/": {}, "/": {}}}"#).unwrap().app;
        let points: Vec<_> =
            app.mount_points.iter().map(|at| format!("{} {}", at.name, at.path)).collect();
        assert_eq!(points, ["volume /", "var-lib-db /var/lib-db", "var-lib-db-2 /var/lib/DB"]);
    }

    #[test]
    fn ports() {
        for (text, want) in [
            ("80", Some(("80-tcp", "tcp", 80, 1))),
            ("53/UDP", Some(("53-udp", "udp", 53, 1))),
            ("8000-8010/tcp", Some(("8000-8010-tcp", "tcp", 8000, 11))),
            ("1-65535", Some(("1-65535-tcp", "tcp", 1, 65535))),
            ("0", None),
            ("70000/tcp", None),
            ("9-8", None),
            ("+9", None),
            ("80/http", None),
            ("/tcp", None),
            ("", None),
        ] {
            let port = parse_port("config", text).ok();
            let port =
                port.as_ref().map(|p| (p.name.as_str(), p.protocol.as_str(), p.port, p.count));
            assert_eq!(port, want, "{text}");
        }
    }
}
