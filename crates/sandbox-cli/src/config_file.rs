//! The file of `--config`: the settings of `SandboxConfig` and what the flags have beside them.

use std::fs;
use std::path::Path;

use sandbox_core::{
    CommandLine, Environment, Hostname, Input, InsidePath, Isolation, Mount, Output, Root, User,
    Writable,
};
use serde::Deserialize;

use crate::error::CliError;

/// What a file says; everything may be left out.
#[derive(Debug, Default, Deserialize)]
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
    pub(crate) user: Option<User>,
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
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let text = fs::read_to_string(path)
            .map_err(|source| CliError::ReadConfig { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, CliError> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|at| text.get(..at.start)).unwrap_or_default();
            let line = before.matches('\n').count();
            CliError::ParseConfig {
                path: path.to_owned(),
                line: line + 1,
                message: error.message().to_owned(),
                text: text.lines().nth(line).unwrap_or_default().trim().to_owned(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        ConfigFile::parse("box.toml".as_ref(), text).unwrap_err().to_string()
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
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = ConfigFile::read("/no/such.toml".as_ref()).unwrap_err().to_string();
        assert!(error.starts_with("--config \"/no/such.toml\": No such file"), "{error}");
    }
}
