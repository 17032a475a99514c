//! How long a command may take: `--timeout` and `--kill-after`.

use std::time::Duration;

use clap::Args;
use sandbox_core::TimeOut;

use crate::error::CliError;
use crate::quantity;

/// Both count from when the command has been executed.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct TimeFlags {
    /// Ask it to end after this time: 90, 1.5h, 200ms
    #[arg(long, value_name = "TIME", value_parser = quantity::time)]
    pub(crate) timeout: Option<Duration>,
    /// Kill it so much later [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = quantity::time_or_none)]
    pub(crate) kill_after: Option<Duration>,
}

impl TimeFlags {
    /// What the flags make of what a file or an image says.
    pub(crate) fn over(&self, said: Option<TimeOut>) -> Result<Option<TimeOut>, CliError> {
        let mut time_out = match (self.timeout, said) {
            (Some(after), Some(said)) => TimeOut::new(after).grace(said.grace).signal(said.signal),
            (Some(after), None) => TimeOut::new(after),
            (None, Some(said)) => said,
            (None, None) => {
                return self.kill_after.map_or(Ok(None), |grace| {
                    let value = format!("{}s", grace.as_secs_f64()).into();
                    let problem = "it needs --timeout, or a `time-out` in the file".to_owned();
                    Err(CliError::Flag { flag: "kill-after", value, problem })
                });
            }
        };
        if let Some(grace) = self.kill_after {
            time_out = time_out.grace(grace);
        }
        Ok(Some(time_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn flags_win_each_by_itself() {
        let said = Some(TimeOut::new(SECONDS(5)).grace(SECONDS(6)).signal(2));
        let over = |timeout, kill_after| TimeFlags { timeout, kill_after }.over(said).unwrap();
        assert_eq!(over(None, None), said);
        let expected = TimeOut::new(SECONDS(1)).grace(SECONDS(6)).signal(2);
        assert_eq!(over(Some(SECONDS(1)), None), Some(expected));
        let expected = TimeOut::new(SECONDS(5)).grace(SECONDS(2)).signal(2);
        assert_eq!(over(None, Some(SECONDS(2))), Some(expected));
    }

    #[test]
    fn one_alone_is_a_mistake() {
        let flags = TimeFlags { timeout: None, kill_after: Some(SECONDS(1)) };
        let error = flags.over(None).unwrap_err().to_string();
        assert!(error.contains("--kill-after") && error.contains("needs --timeout"), "{error}");
        assert_eq!(TimeFlags::default().over(None).unwrap(), None);
    }
}
