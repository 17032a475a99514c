//! What `--status-fd` is told: lines of JSON, one for each thing that happened.

use sandbox_core::{Downgrade, Ending, Note, Obstacle, Outcome, Status, Usage, WhyNot};
use sandbox_sys::SandboxChild;
use serde::Serialize;

use crate::failure::Failure;
use crate::image::Isolator;

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(crate) enum Event {
    /// So much of an image has been read.
    Unpacking {
        image: String,
        bytes: u64,
        /// All that there is, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// An image is unpacked.
    Image {
        kind: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        isolators: Vec<Isolator>,
        warnings: Vec<String>,
    },
    /// A process that an image has beside its main one has ended.
    Handler { name: &'static str, status: u8 },
    /// The command has been executed.
    Started {
        /// The process of the host that holds the sandbox.
        pid: u32,
        backend: &'static str,
        downgrades: Vec<Lowered>,
        notes: Vec<Said>,
        /// The value of `SANDBOXLIB_BACKEND`, where it names no backend.
        #[serde(skip_serializing_if = "Option::is_none")]
        ignored_backend: Option<String>,
    },
    /// The command has exited.
    Exited {
        status: u8,
        usage: Used,
        #[serde(skip_serializing_if = "Option::is_none")]
        ending: Option<&'static str>,
    },
    /// A signal has ended it.
    Signaled {
        signal: i32,
        usage: Used,
        #[serde(skip_serializing_if = "Option::is_none")]
        ending: Option<&'static str>,
    },
    /// A failure of `run-sandbox`: there is no status of a command.
    Error(Failure),
}

/// A setting that was stepped down.
#[derive(Debug, Serialize)]
pub(crate) struct Lowered {
    setting: String,
    from: &'static str,
    to: &'static str,
    backend: &'static str,
    #[serde(flatten)]
    why: Why,
}

/// Why something cannot be done.
#[derive(Debug, Serialize)]
pub(crate) struct Why {
    obstacle: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// What the caller should know of a setting.
#[derive(Debug, Serialize)]
pub(crate) struct Said {
    setting: String,
    text: String,
}

/// What a sandbox used; times in seconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Used {
    wall: f64,
    user: f64,
    system: f64,
    max_rss_kib: u64,
}

impl Event {
    pub(crate) fn started(child: &SandboxChild) -> Self {
        let said =
            |note: &Note| Said { setting: note.setting.to_string(), text: note.text.clone() };
        Self::Started {
            pid: child.pid(),
            backend: child.backend().as_str(),
            downgrades: child.downgrades().iter().map(Lowered::from).collect(),
            notes: child.notes().iter().map(said).collect(),
            ignored_backend: child.ignored_variable().map(str::to_owned),
        }
    }

    pub(crate) fn ended(outcome: &Outcome) -> Self {
        let usage = Used::from(&outcome.usage);
        let ending = match outcome.ending {
            Ending::TimedOut => Some("timed-out"),
            Ending::TimedOutAndKilled => Some("timed-out-and-killed"),
            Ending::InterruptedAndKilled => Some("interrupted-and-killed"),
            Ending::Killed => Some("killed"),
            _ => None,
        };
        match outcome.status {
            Status::Signaled(signal) => Self::Signaled { signal, usage, ending },
            status => Self::Exited { status: status.shell_code(), usage, ending },
        }
    }

    /// The line, with its end.
    pub(crate) fn line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

impl From<&Downgrade> for Lowered {
    fn from(downgrade: &Downgrade) -> Self {
        Self {
            setting: downgrade.setting.to_string(),
            from: downgrade.from.value(),
            to: downgrade.to.value(),
            backend: downgrade.backend.as_str(),
            why: (&downgrade.why).into(),
        }
    }
}

impl From<&WhyNot> for Why {
    fn from(why: &WhyNot) -> Self {
        let obstacle = match why.kind {
            Obstacle::Backend => "backend",
            Obstacle::Platform => "platform",
            Obstacle::Kernel => "kernel",
            Obstacle::Disabled => "disabled",
            Obstacle::Privilege => "privilege",
            _ => "other",
        };
        Self { obstacle, reason: why.reason.clone(), remedy: why.remedy.clone() }
    }
}

impl From<&Usage> for Used {
    fn from(usage: &Usage) -> Self {
        Self {
            wall: usage.wall.as_secs_f64(),
            user: usage.user.as_secs_f64(),
            system: usage.system.as_secs_f64(),
            max_rss_kib: usage.max_rss_kib,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox_core::{BackendName, Feature, Setting};

    fn line(event: &Event) -> String {
        String::from_utf8(event.line().unwrap()).unwrap()
    }

    #[test]
    fn an_end_is_one_line() {
        let ended = |status| line(&Event::ended(&Outcome::new(status, Usage::default())));
        assert_eq!(
            ended(Status::Exited(125)),
            "{\"event\":\"exited\",\"status\":125,\"usage\":{\"wall\":0.0,\"user\":0.0,\
             \"system\":0.0,\"max-rss-kib\":0}}\n"
        );
        let killed = "{\"event\":\"signaled\",\"signal\":9,\"usage\":";
        assert!(ended(Status::Signaled(9)).starts_with(killed));
        let mut outcome = Outcome::new(Status::Signaled(15), Usage::default());
        outcome.ending = Ending::TimedOut;
        let timed_out = line(&Event::ended(&outcome));
        assert!(timed_out.ends_with("},\"ending\":\"timed-out\"}\n"), "{timed_out}");
    }

    #[test]
    fn a_start_says_what_is_less_than_was_asked_for() {
        let why = WhyNot::new(Obstacle::Backend, "shares the host's network");
        let lowered = Lowered {
            setting: Setting::Network.to_string(),
            from: Feature::NetworkIsolated.value(),
            to: Feature::NetworkUndefined.value(),
            backend: BackendName::new("chroot").as_str(),
            why: (&why).into(),
        };
        let event = Event::Started {
            pid: 7,
            backend: "chroot",
            downgrades: vec![lowered],
            notes: vec![Said { setting: "user".to_owned(), text: "a\nb".to_owned() }],
            ignored_backend: Some("x".to_owned()),
        };
        assert_eq!(
            line(&event),
            "{\"event\":\"started\",\"pid\":7,\"backend\":\"chroot\",\"downgrades\":[{\"setting\":\
             \"network\",\"from\":\"isolated\",\"to\":\"undefined\",\"backend\":\"chroot\",\
             \"obstacle\":\"backend\",\"reason\":\"shares the host's network\"}],\"notes\":[\
             {\"setting\":\"user\",\"text\":\"a\\nb\"}],\"ignored-backend\":\"x\"}\n"
        );
    }
}
