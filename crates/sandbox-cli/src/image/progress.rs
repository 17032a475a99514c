//! How far unpacking is: a bar for people, lines of JSON for programs.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::flags::ProgressForm;
use crate::event::Event;
use crate::report::Audience;

/// Programs are told this often, at most.
const BETWEEN_LINES: Duration = Duration::from_millis(100);
const BAR: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
/// Of what comes from a pipe nobody knows how much it is.
const NO_TOTAL: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";

/// Shows how much of an image has been read.
pub(super) struct Progress<'a> {
    shown: Shown<'a>,
    name: String,
    total: Option<u64>,
}

enum Shown<'a> {
    Not,
    Bar(ProgressBar),
    Json { to: &'a Audience, last: Option<Instant> },
}

impl<'a> Progress<'a> {
    /// In the form that was asked for; else a bar where standard error is a terminal.
    pub(super) fn new(
        form: Option<ProgressForm>,
        audience: &'a Audience,
        name: &str,
        total: Option<u64>,
    ) -> Self {
        let bar = match (form, audience) {
            (Some(form), _) => form,
            (None, Audience::People) if io::stderr().is_terminal() => ProgressForm::Bar,
            (None, _) => ProgressForm::None,
        };
        let shown = match bar {
            ProgressForm::Bar => Shown::Bar(drawn(name, total)),
            ProgressForm::Json => Shown::Json { to: audience, last: None },
            ProgressForm::None => Shown::Not,
        };
        Self { shown, name: name.to_owned(), total }
    }

    /// This many bytes of the image have been read.
    pub(super) fn at(&mut self, bytes: u64) {
        match &mut self.shown {
            Shown::Not => {}
            Shown::Bar(bar) => bar.set_position(bytes),
            Shown::Json { to, last } => {
                if last.is_none_or(|last| last.elapsed() >= BETWEEN_LINES) {
                    *last = Some(Instant::now());
                    tell(to, &self.name, bytes, self.total);
                }
            }
        }
    }

    /// That was all of it.
    pub(super) fn done(&mut self, bytes: u64) {
        match &mut self.shown {
            Shown::Not => {}
            Shown::Bar(bar) => bar.finish_and_clear(),
            Shown::Json { to, .. } => tell(to, &self.name, bytes, Some(bytes)),
        }
    }
}

impl Drop for Progress<'_> {
    /// After a failure the line is free for the message.
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn tell(to: &Audience, image: &str, bytes: u64, total: Option<u64>) {
    let event = Event::Unpacking { image: image.to_owned(), bytes, total };
    match to {
        Audience::Program(status) => status.tell(&event),
        Audience::People => {
            if let Ok(line) = event.line() {
                // Where it is closed there is nobody to tell.
                let _ = io::stderr().write_all(&line);
            }
        }
    }
}

fn drawn(name: &str, total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
    let template = if total.is_some() { BAR } else { NO_TOTAL };
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.set_message(name.to_owned());
    bar
}
