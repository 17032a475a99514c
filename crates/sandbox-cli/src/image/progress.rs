//! How far reading is: a bar for people, lines of JSON for programs.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sandbox_image::load::Reading;

use super::flags::ProgressForm;
use crate::error::CliError;
use crate::event::Event;
use crate::report::Audience;
use crate::status::StatusFd;

/// Programs are told this often, at most.
const BETWEEN_LINES: Duration = Duration::from_millis(100);
const BAR: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
/// Of what comes from a pipe nobody knows how much it is.
const NO_TOTAL: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";

/// Shows how much of an image has been read.
pub(super) enum Progress {
    /// A bar, and what it is of.
    Bar(ProgressBar, String),
    /// Lines for a program, and when the last was written.
    Json { to: Option<StatusFd>, last: Option<Instant> },
}

impl Progress {
    /// In the form that was asked for; else a bar where standard error is a terminal. `None`: it is not
    /// shown.
    pub(super) fn new(
        form: Option<ProgressForm>,
        audience: &Audience,
    ) -> Result<Option<Self>, CliError> {
        let form = match (form, audience) {
            (Some(form), _) => form,
            (None, Audience::People) if io::stderr().is_terminal() => ProgressForm::Bar,
            (None, _) => ProgressForm::None,
        };
        Ok(match form {
            ProgressForm::Bar => {
                let target = ProgressDrawTarget::stderr();
                Some(Self::Bar(ProgressBar::with_draw_target(None, target), String::new()))
            }
            ProgressForm::Json => Some(Self::Json { to: audience.copy()?, last: None }),
            ProgressForm::None => None,
        })
    }

    /// So far it is.
    pub(super) fn at(&mut self, reading: Reading<'_>) {
        let done = reading.total == Some(reading.bytes);
        match self {
            Self::Bar(bar, name) => {
                if name != reading.name {
                    reading.name.clone_into(name);
                    begin(bar, reading);
                }
                bar.set_position(reading.bytes);
            }
            Self::Json { to, last } => {
                if done || last.is_none_or(|last| last.elapsed() >= BETWEEN_LINES) {
                    *last = Some(Instant::now());
                    tell(to.as_ref(), reading);
                }
            }
        }
    }
}

impl Drop for Progress {
    /// The line is free for what comes now.
    fn drop(&mut self) {
        if let Self::Bar(bar, _) = self {
            bar.finish_and_clear();
        }
    }
}

/// Another file: from the start again.
fn begin(bar: &ProgressBar, reading: Reading<'_>) {
    let template = if reading.total.is_some() { BAR } else { NO_TOTAL };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.reset();
    match reading.total {
        Some(total) => bar.set_length(total),
        None => bar.unset_length(),
    }
    bar.set_message(reading.name.to_owned());
}

fn tell(to: Option<&StatusFd>, reading: Reading<'_>) {
    let Reading { name, bytes, total } = reading;
    let event = Event::Unpacking { image: name.to_owned(), bytes, total };
    match to {
        Some(status) => status.tell(&event),
        None => {
            if let Ok(line) = event.line() {
                // Where it is closed there is nobody to tell.
                let _ = io::stderr().write_all(&line);
            }
        }
    }
}
