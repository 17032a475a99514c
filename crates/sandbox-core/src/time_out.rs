//! How long a command may take, and how it is ended then.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ConfigError;

/// How long the command may take, by the clock, and what happens then: it is asked to end, and when it has
/// not ended some time later, everything in the sandbox is killed.
///
/// The time begins when the command has been executed: making the sandbox and unpacking an image do not
/// count. It passes also while the command is stopped (`SIGSTOP`, Ctrl-Z). Whoever waits for the sandbox
/// keeps it ([`SandboxChild::wait`]); while nobody does, nothing happens.
///
/// What is asked is the command alone, as kill(1) does it, and continued (`SIGCONT`) if it is stopped: a shell
/// or make(1) tells its own children. What they leave behind is killed when it ends, as always.
///
/// In a file, `time-out = { after = 600, grace = 5, signal = 15 }`: seconds, whole or with decimals, and a
/// number; only `after` has no default.
///
/// [`SandboxChild::wait`]: https://docs.rs/sandbox-sys/latest/sandbox_sys/struct.SandboxChild.html#method.wait
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub struct TimeOut {
    /// How long it may take. More than nothing.
    #[serde(with = "seconds")]
    pub after: Duration,
    /// How long it has to end when it is asked. With none it is not asked, and killed at once. Default: 10 s.
    #[serde(with = "seconds", default = "grace")]
    pub grace: Duration,
    /// The signal that asks, 1 to 64. Default: 15, `SIGTERM`.
    #[serde(default = "signal")]
    pub signal: i32,
}

/// As docker-stop(1) has it; systemd waits for 90 s, Bazel for 15 s, and timeout(1) for ever.
fn grace() -> Duration {
    Duration::from_secs(10)
}

/// `SIGTERM`, whose number is the same everywhere.
fn signal() -> i32 {
    15
}

impl TimeOut {
    /// After so long, with `SIGTERM` and 10 s to end.
    pub fn new(after: Duration) -> Self {
        Self { after, grace: grace(), signal: signal() }
    }

    /// With another time to end when it is asked.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Asked by another signal, 1 to 64.
    #[must_use]
    pub fn signal(self, signal: i32) -> Self {
        Self { signal, ..self }
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |field: &'static str, value: String, expected: &str| {
            let expected = expected.to_owned();
            Err(ConfigError::Invalid { field: field.into(), value: value.into(), expected })
        };
        if self.after.is_zero() {
            return wrong("time_out.after", "0".to_owned(), "give some time, or no time-out");
        }
        if !(1..=64).contains(&self.signal) {
            return wrong("time_out.signal", self.signal.to_string(), "signals go from 1 to 64");
        }
        Ok(())
    }
}

impl fmt::Display for TimeOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after, grace, signal } = self;
        if grace.is_zero() {
            return write!(f, "killed after {} s", after.as_secs_f64());
        }
        write!(f, "signal {signal} after {} s, ", after.as_secs_f64())?;
        write!(f, "killed {} s later", grace.as_secs_f64())
    }
}

/// Times as numbers of seconds.
mod seconds {
    use std::fmt;
    use std::time::Duration;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    /// Whole numbers stay whole: TOML tells one from the other.
    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        if time.subsec_nanos() == 0 {
            to.serialize_u64(time.as_secs())
        } else {
            to.serialize_f64(time.as_secs_f64())
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        from.deserialize_any(Seconds)
    }

    struct Seconds;

    impl Visitor<'_> for Seconds {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of seconds")
        }

        fn visit_u64<E: Error>(self, seconds: u64) -> Result<Duration, E> {
            // So that no sum of times overflows.
            u32::try_from(seconds)
                .map(|seconds| Duration::from_secs(seconds.into()))
                .map_err(|_| E::custom("that is more than 136 years"))
        }

        fn visit_i64<E: Error>(self, seconds: i64) -> Result<Duration, E> {
            let seconds =
                u64::try_from(seconds).map_err(|_| E::custom("a time is not negative"))?;
            self.visit_u64(seconds)
        }

        fn visit_f64<E: Error>(self, seconds: f64) -> Result<Duration, E> {
            let time = Duration::try_from_secs_f64(seconds).map_err(E::custom)?;
            self.visit_u64(time.as_secs()).map(|_| time)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<TimeOut, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_read_in_seconds() {
        let time_out = read(r#"{"after": 90}"#).unwrap();
        assert_eq!(time_out, TimeOut::new(Duration::from_secs(90)));
        assert_eq!((time_out.grace, time_out.signal), (Duration::from_secs(10), 15));
        let time_out = read(r#"{"after": 1.5, "grace": 0, "signal": 2}"#).unwrap();
        let expected = TimeOut::new(Duration::from_millis(1500));
        assert_eq!(time_out, expected.grace(Duration::ZERO).signal(2));
        for wrong in [
            r#"{"after": -1}"#,
            r#"{"after": -0.5}"#,
            r#"{"after": 1e300}"#,
            r#"{"after": 99999999999}"#,
            r#"{"after": "1s"}"#,
            r#"{"grace": 1}"#,
            r#"{"after": 1, "kill": 1}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let second = TimeOut::new(Duration::from_secs(1));
        assert_eq!(second.validate(), Ok(()));
        for wrong in [TimeOut::new(Duration::ZERO), second.signal(0), second.signal(65)] {
            assert!(wrong.validate().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn it_is_explained() {
        let time_out = TimeOut::new(Duration::from_millis(2500));
        assert_eq!(time_out.to_string(), "signal 15 after 2.5 s, killed 10 s later");
        assert_eq!(time_out.grace(Duration::ZERO).to_string(), "killed after 2.5 s");
    }
}
