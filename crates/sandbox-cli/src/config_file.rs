//! The file of `--config`, in TOML or JSON: the settings of `SandboxConfig` and what the flags have
//! beside them.

use sandbox_core::{
    CommandLine, Environment, Hostname, Input, InsidePath, Isolation, KeptCapabilities, Limits,
    Loopback, Mount, Output, ProcessSettings, Root, TimeOut, User, UserNamespace, Writable,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_path_to_error::Segment;

use crate::config_source::Source;
use crate::error::CliError;
use crate::seccomp::Choice;

/// What a file says; everything may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    pub(crate) root: Option<Root>,
    pub(crate) command: Option<CommandLine>,
    pub(crate) cwd: Option<InsidePath>,
    pub(crate) env: Option<Environment>,
    pub(crate) writable: Option<Writable>,
    pub(crate) mounts: Option<Isolation>,
    pub(crate) extra_mounts: Vec<Mount>,
    pub(crate) network: Option<Isolation>,
    pub(crate) processes: Option<Isolation>,
    pub(crate) ipc: Option<Isolation>,
    pub(crate) hostname: Option<Hostname>,
    pub(crate) uts: Option<Isolation>,
    pub(crate) cgroup: Option<Isolation>,
    pub(crate) loopback: Option<Loopback>,
    pub(crate) user: Option<User>,
    pub(crate) groups: Vec<u32>,
    pub(crate) user_namespace: Option<UserNamespace>,
    pub(crate) capabilities: Option<KeptCapabilities>,
    pub(crate) seccomp: Option<Choice>,
    pub(crate) limits: Limits,
    pub(crate) time_out: Option<TimeOut>,
    pub(crate) process: Option<ProcessSettings>,
    pub(crate) stdin: Option<Input>,
    pub(crate) stdout: Option<Output>,
    pub(crate) stderr: Option<Output>,
    pub(crate) build: bool,
    pub(crate) backend: Option<String>,
    pub(crate) best_effort: bool,
    pub(crate) require: Vec<String>,
}

impl ConfigFile {
    /// Reads a file. Relative paths in it are taken from the working directory, as those of flags.
    ///
    /// Standard input is at its end when it has been read, so a command gets none then, unless the
    /// file gives it one.
    pub(crate) fn read(from: &Source) -> Result<Self, CliError> {
        let mut file = Self::parse(from, &from.read()?)?;
        if *from == Source::Stdin {
            file.stdin.get_or_insert(Input::Null);
        }
        Ok(file)
    }

    /// JSON where the first character that is no blank is a `{`, which no TOML begins with. A byte order
    /// mark, which some editors write, is not looked at.
    pub(crate) fn parse(from: &Source, bytes: &[u8]) -> Result<Self, CliError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.trim_ascii_start().first() == Some(&b'{') {
            return Self::parse_json(from, bytes);
        }
        let text = str::from_utf8(bytes).map_err(|error| {
            let before = &bytes[..error.valid_up_to()];
            let line = before.split(|byte| *byte == b'\n').count();
            let message = "this is not UTF-8: write such a text as a list of bytes".to_owned();
            let text = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            let text = shown(&String::from_utf8_lossy(text));
            CliError::ParseConfig { from: from.clone(), line, message, text }
        })?;
        toml::from_str(text).map_err(|error| {
            if serde_json::from_str::<IgnoredAny>(text).is_ok() {
                let message = "this is JSON, and no object: give an object, or a table in TOML";
                let (from, text) = (from.clone(), shown(text));
                return CliError::ParseConfig { from, line: 1, message: message.to_owned(), text };
            }
            let before = error.span().and_then(|at| text.get(..at.start)).unwrap_or_default();
            let line = before.matches('\n').count();
            CliError::ParseConfig {
                from: from.clone(),
                line: line + 1,
                message: error.message().to_owned(),
                text: shown(text.lines().nth(line).unwrap_or_default()),
            }
        })
    }

    fn parse_json(from: &Source, bytes: &[u8]) -> Result<Self, CliError> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let fail = |field: Option<String>, error: &serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            let message = error.to_string();
            let place = format!(" at line {line} column {column}");
            let message = message.strip_suffix(&place).unwrap_or(&message).to_owned();
            CliError::ParseJson { from: from.clone(), line, column, field, message }
        };
        let file = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            // The end of a truncated file is in no field in particular.
            let known = error.path().iter().all(|part| !matches!(part, Segment::Unknown));
            let inner = error.inner();
            let named = known && !inner.is_eof() && error.path().iter().len() > 0;
            fail(named.then(|| error.path().to_string()), inner)
        })?;
        json.end().map_err(|error| fail(None, &error))?;
        Ok(file)
    }
}

/// A line, as far as it fits a message.
fn shown(line: &str) -> String {
    line.trim().chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        error_in("box.toml", text.as_bytes())
    }

    fn error_in(name: &str, bytes: &[u8]) -> String {
        ConfigFile::parse(&Source::File(name.into()), bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_mistake_names_the_line_and_shows_it() {
        let unknown = error("network = 'isolated'\n  netwrok = 'isolated'\n");
        assert!(unknown.starts_with("box.toml:2: unknown field `netwrok`"), "{unknown}");
        let value = error("ipc = 'isolatd'");
        assert!(value.starts_with("box.toml:1: unknown variant `isolatd`"), "{value}");
        assert!(value.ends_with("`ipc = 'isolatd'`"), "{value}");
        let target = error("extra-mounts = [\n  'proc proc proc',\n]");
        assert!(target.contains("mount target \"proc\" is relative"), "{target}");
        assert_eq!(target.lines().count(), 1);
        let bytes = error_in("box.toml", b"cwd = '/'\nroot = '/t\xff'\n");
        assert!(bytes.starts_with("box.toml:2: this is not UTF-8"), "{bytes}");
    }

    #[test]
    fn json_has_the_same_names_and_values() {
        let json = br#"
            {"root": "/srv/tree", "command": ["make", [255, 120]], "env": {"inherit": "nothing",
             "set": [["A", "1"], [[254], "2"]]}, "writable": ["w"], "extra-mounts":
             ["proc /proc proc", {"target": "/t", "filesystem": {"tmpfs": {"size": 4096}}}],
             "user": {"ids": {"uid": 5, "gid": 6}}, "stdin": {"file": "in"}, "best-effort": true}"#;
        let toml = br#"
            root = "/srv/tree"
            command = ["make", [255, 120]]
            env = { inherit = "nothing", set = [["A", "1"], [[254], "2"]] }
            writable = ["w"]
            extra-mounts = ["proc /proc proc", { target = "/t", filesystem = { tmpfs = { size = 4096 } } }]
            user = { ids = { uid = 5, gid = 6 } }
            stdin = { file = "in" }
            best-effort = true"#;
        let parse = |text: &[u8]| ConfigFile::parse(&Source::Stdin, text).unwrap();
        assert_eq!(format!("{:?}", parse(json)), format!("{:?}", parse(toml)));
        assert_eq!(parse(json).extra_mounts.len(), 2);
        for text in [&json[..], toml] {
            let marked = [b"\xef\xbb\xbf", text].concat();
            assert_eq!(format!("{:?}", parse(&marked)), format!("{:?}", parse(json)));
        }
    }

    #[test]
    fn a_mistake_in_json_names_the_field_and_the_place() {
        for (text, message) in [
            (&b"{\"ipc\":\n  \"isolatd\"}"[..], "j:2:11: ipc: unknown variant `isolatd`"),
            (b"{\"netwrok\": 1}", "j:1:10: netwrok: unknown field `netwrok`, expected one of"),
            (b"{\"writable\": [\"/a\", 5]}", "j:1:21: writable[1]: invalid type: integer `5`"),
            (b"{\"command\": [\"a\\u0000\"]}", "j:1:24: command: command \"a\\0\" contains a NUL"),
            (b"{\"command\": [\"a\x00\"]}", "j:1:16: command[0]: control character"),
            (b"{\"root\": \"/t\xff\"}", "j:1:13: root: invalid unicode code point"),
            (b"{\"extra-mounts\": [{\"target\": \"/t\"}]}", "j:1:34: extra-mounts[0]: missing"),
            (b"{\"extra-mounts\": [\"a b proc\"]}", "j:1:28: extra-mounts[0]: mount target \"b\""),
            (b"{\"cwd\": \"/\"", "j:1:11: EOF while parsing an object"),
            (b"{\"cwd\": \"/", "j:1:10: EOF while parsing a string"),
            (b"{", "j:1:1: EOF while parsing an object"),
            (b"{} {}", "j:1:4: trailing characters"),
            (b"{\"cwd\": \"/\", \"cwd\": \"/\"}", "j:1:18: duplicate field `cwd`"),
        ] {
            let error = error_in("j", text);
            assert!(error.starts_with(message), "{error}");
        }
        for text in ["[]", "null", "\u{feff}null\n", " 5", "\"/\"", "[{\"root\": \"/\"}]"] {
            let error = error(text);
            let said =
                "box.toml:1: this is JSON, and no object: give an object, or a table in TOML: `";
            assert!(error.starts_with(said), "{error}");
        }
        let deep = [&b"{\"root\": "[..], &vec![b'['; 100_000]].concat();
        assert!(error_in("j", &deep).starts_with("j:1:"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = Source::File("/no/such.toml".into());
        let error = ConfigFile::read(&missing).unwrap_err().to_string();
        assert!(error.starts_with("--config \"/no/such.toml\": No such file"), "{error}");
    }
}
