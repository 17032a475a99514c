//! A failure of ours, for programs: of what kind it is, and what it is about.

use sandbox_core::{ConfigError, Field, SelectError, Step, Unmet, Unsupported};
use sandbox_sys::{RunError, SpawnError, WaitError};
use serde::Serialize;

use crate::error::CliError;
use crate::event::Why;
use crate::render;

/// Why there is no status of a command.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Failure {
    kind: Kind,
    /// For people.
    message: String,
    /// The setting, as the configuration file names it, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    setting: Option<String>,
    /// The step of the plan that failed, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<String>,
    /// What the kernel said, where it was the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    /// What cannot be given here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unmet: Vec<Lacking>,
}

/// The kinds of failure. All but `Killed` mean that the command was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// The command line of `run-sandbox` is wrong.
    Usage,
    /// The configuration is.
    Config,
    /// The image is damaged, or asks for what is not there.
    Image,
    /// No backend can give what is asked for here.
    Unsupported,
    /// The sandbox could not be made.
    Setup,
    /// The sandbox was made, and the command cannot be executed in it.
    Exec,
    /// Somebody killed the sandbox: how the command would have ended is not known.
    Killed,
    /// Something else of the host failed.
    Host,
}

/// A setting that a backend cannot give.
#[derive(Debug, Serialize)]
struct Lacking {
    backend: &'static str,
    setting: String,
    requested: String,
    supported: Vec<String>,
    #[serde(flatten)]
    why: Why,
}

impl Failure {
    /// A mistake in the command line.
    pub(crate) fn usage(message: String) -> Self {
        Self::new(Kind::Usage, message)
    }

    fn new(kind: Kind, message: String) -> Self {
        Self { kind, message, setting: None, step: None, errno: None, unmet: Vec::new() }
    }

    fn config(error: &ConfigError) -> Self {
        let setting = match error {
            ConfigError::Empty { field, .. }
            | ConfigError::Nul { field, .. }
            | ConfigError::Relative { field, .. }
            | ConfigError::TargetIsRoot { field }
            | ConfigError::Invalid { field, .. } => Some(written(field)),
            _ => None,
        };
        Self { setting, ..Self::new(Kind::Config, error.to_string()) }
    }

    fn run(error: &RunError) -> Self {
        match error {
            RunError::Config(error) => Self::config(error),
            RunError::Select(SelectError::NoneMeets { rejected }) => Self::unmet(rejected),
            RunError::Select(error @ SelectError::Unknown { .. }) => Self {
                setting: Some("backend".to_owned()),
                ..Self::new(Kind::Config, error.to_string())
            },
            RunError::Spawn(error) => Self::spawn(error),
            RunError::Wait(error) => Self::wait(error),
            other => Self::new(Kind::Setup, other.to_string()),
        }
    }

    fn unmet(rejected: &[Unsupported]) -> Self {
        let message: Vec<_> = rejected.iter().flat_map(render::obstacles).collect();
        let lacking = |backend: &'static str, one: &Unmet| Lacking {
            backend,
            setting: one.setting.to_string(),
            requested: one.requested.clone(),
            supported: one.supported.clone(),
            why: (&one.why).into(),
        };
        let of = |one: &Unsupported| {
            let backend = one.backend.as_str();
            one.unmet.iter().map(|unmet| lacking(backend, unmet)).collect::<Vec<_>>()
        };
        let unmet: Vec<_> = rejected.iter().flat_map(of).collect();
        let setting = unmet.first().map(|one| one.setting.clone());
        Self { setting, unmet, ..Self::new(Kind::Unsupported, message.join("; ")) }
    }

    fn spawn(error: &SpawnError) -> Self {
        let kind = match error {
            SpawnError::Exec { .. } => Kind::Exec,
            _ => Kind::Setup,
        };
        let step = match error {
            SpawnError::Step { step, .. } | SpawnError::NotHere { step, .. } => Some(&**step),
            _ => None,
        };
        Self {
            setting: step.and_then(setting).map(str::to_owned),
            step: step.map(ToString::to_string),
            errno: error.os_error().and_then(std::io::Error::raw_os_error),
            ..Self::new(kind, error.to_string())
        }
    }

    fn wait(error: &WaitError) -> Self {
        let kind = if let WaitError::Killed = error { Kind::Killed } else { Kind::Host };
        Self::new(kind, error.to_string())
    }
}

impl From<&CliError> for Failure {
    fn from(error: &CliError) -> Self {
        let about = |setting: &str| Self {
            setting: Some(setting.to_owned()),
            ..Self::new(Kind::Config, error.to_string())
        };
        match error {
            CliError::Config(error) => Self::config(error),
            CliError::Run(error) => Self::run(error),
            CliError::Wait(error) => Self::wait(error),
            CliError::NoRoot => about("root"),
            CliError::Load(error) => {
                Self { errno: error.os_error(), ..Self::new(Kind::Image, error.to_string()) }
            }
            CliError::PodApp { source, .. } => (&**source).into(),
            CliError::App(_)
            | CliError::Bundle(_)
            | CliError::PreStart(_)
            | CliError::PreStartStopped(_)
            | CliError::Pod(_)
            | CliError::PodFile { .. }
            | CliError::PodManifest { .. }
            | CliError::PodPort { .. }
            | CliError::PodImage(_) => Self::new(Kind::Image, error.to_string()),
            CliError::Place(_)
            | CliError::Interrupted(_)
            | CliError::Port { .. }
            | CliError::Subordinate(_)
            | CliError::Myself(_)
            | CliError::Metadata(_) => Self::new(Kind::Host, error.to_string()),
            CliError::NoCommand => about("command"),
            CliError::Stream { name, .. } => about(name),
            CliError::OwnDescriptor { field, .. } => about(field),
            CliError::NoDescriptor { field, source, .. } => {
                Self { errno: source.raw_os_error(), ..about(field) }
            }
            // Its place in the text is nothing to a program that has made the text.
            CliError::ParseJson { field: Some(field), message, .. } => {
                Self { message: message.clone(), ..about(field) }
            }
            CliError::ReadConfig { source, .. } => {
                Self { errno: source.raw_os_error(), ..Self::new(Kind::Config, error.to_string()) }
            }
            CliError::ParseJson { .. }
            | CliError::ParseConfig { .. }
            | CliError::LargeConfig { .. } => Self::new(Kind::Config, error.to_string()),
            CliError::Flag { .. } | CliError::StatusFd { .. } => Self::usage(error.to_string()),
            CliError::Signals(source) | CliError::Lifeline(source) | CliError::Write(source) => {
                Self { errno: source.raw_os_error(), ..Self::new(Kind::Host, error.to_string()) }
            }
        }
    }
}

/// A field as a configuration file has it.
fn written(field: &Field) -> String {
    field.as_str().replace('_', "-")
}

/// The setting that a step carries out, where it is one in particular.
fn setting(step: &Step) -> Option<&'static str> {
    Some(match step {
        Step::RootTree(_)
        | Step::RootDirectory(_)
        | Step::RootEmpty
        | Step::PivotRoot
        | Step::Chroot => "root",
        Step::PrivateMounts => "mounts",
        Step::MakeDirectory(_)
        | Step::MakeFile(_)
        | Step::MakeTarget { .. }
        | Step::MakeTargetFor { .. }
        | Step::CreateDirectory { .. }
        | Step::CreateFile { .. }
        | Step::Symlink { .. }
        | Step::ChangeMode { .. }
        | Step::Bind { .. }
        | Step::BindData { .. }
        | Step::BindDescriptor { .. }
        | Step::BindConsole(_)
        | Step::Mount { .. } => "extra-mounts",
        Step::HoldWritable(_)
        | Step::Find(_)
        | Step::ReadOnly
        | Step::ReleaseWritable(_)
        | Step::Reopen(_) => "writable",
        Step::LoopbackUp => "network",
        Step::SetHostname(_) => "hostname",
        Step::ChangeDirectory(_) | Step::KeepDirectory | Step::FirstDirectory(_) => "cwd",
        Step::DropCapabilities | Step::KeepCapabilities(_) => "capabilities",
        Step::SetIds { groups, .. } if !groups.is_empty() => "groups",
        Step::MapIds { .. } | Step::SetIds { .. } => "user",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox_core::{Hostname, Mount};

    fn json(failure: &Failure) -> String {
        serde_json::to_string(failure).unwrap()
    }

    #[test]
    fn a_mistake_names_the_setting_as_it_is_written() {
        let failure = Failure::from(&CliError::from(Hostname::new("a b").unwrap_err()));
        assert!(json(&failure).starts_with("{\"kind\":\"config\",\"message\":\"hostname \\\"a b"));
        assert_eq!(failure.setting.as_deref(), Some("hostname"));
        assert_eq!(Failure::from(&CliError::NoRoot).setting.as_deref(), Some("root"));
        let source = Mount::bind("", "/a").unwrap_err();
        assert_eq!(Failure::from(&CliError::from(source)).setting.as_deref(), Some("mount.source"));
        assert_eq!(written(&Field::new("extra_mounts[0].target")), "extra-mounts[0].target");
    }

    #[test]
    fn who_was_killed_has_no_status() {
        let failure = Failure::from(&CliError::from(WaitError::Killed));
        assert_eq!(
            json(&failure),
            "{\"kind\":\"killed\",\"message\":\"the sandbox was killed from outside\"}"
        );
    }
}
