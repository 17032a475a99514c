//! When a sandbox is asked to end, and when it is killed: its time-out, and interrupts of who waits for it.

use std::time::{Duration, Instant};

use sandbox_core::{Ending, TimeOut};

use crate::signals::Sender;

/// Interrupts within this time are one: what starts `run-sandbox` may pass on what the terminal has sent to
/// both already.
const ONE: Duration = Duration::from_millis(200);
/// An interrupt within this time of the one before insists on an end.
const INSISTING: Duration = Duration::from_secs(2);
/// How long to wait before an interrupt that insists is acted upon: the command may end by then, or go back
/// to its prompt, where it is seen to be interactive.
const LOOK: Duration = Duration::from_millis(100);

/// Whether two interrupts in a row kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insistence {
    Kills,
    IsNothing,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send the command this signal, and continue it.
    Ask(i32),
    /// Kill everything, for this reason.
    Kill(Ending),
    /// Kill everything, unless the command has the terminal as editors of lines have it.
    KillUnlessInteractive,
}

/// Keeps the times of one sandbox.
#[derive(Debug)]
pub(crate) struct Stop {
    time_out: Option<TimeOut>,
    /// When the time-out does something next.
    next: Option<Instant>,
    insistence: Insistence,
    /// The last interrupt that was one of its own.
    interrupted: Option<Instant>,
    /// When the last one is acted upon, and who has sent it.
    insisted: Option<(Instant, Sender)>,
    ending: Ending,
}

impl Stop {
    /// For a command that runs since `start`.
    pub(crate) fn new(time_out: Option<TimeOut>, start: Instant, insistence: Insistence) -> Self {
        let next = time_out.and_then(|time_out| start.checked_add(time_out.after));
        let ending = Ending::ByItself;
        Self { time_out, next, insistence, interrupted: None, insisted: None, ending }
    }

    /// How the sandbox is being ended, if it is.
    pub(crate) fn ending(&self) -> Ending {
        self.ending
    }

    /// How long nothing has to be done, unless something comes.
    pub(crate) fn rest(&self, now: Instant) -> Option<Duration> {
        let insisted = self.insisted.map(|(at, _)| at);
        let next = self.next.into_iter().chain(insisted).min()?;
        Some(next.saturating_duration_since(now))
    }

    /// An interrupt has come.
    pub(crate) fn interrupt(&mut self, now: Instant, sender: Sender) {
        let since = self.interrupted.map(|last| now.saturating_duration_since(last));
        if self.insistence == Insistence::IsNothing || since.is_some_and(|since| since < ONE) {
            return;
        }
        if since.is_some_and(|since| since <= INSISTING) {
            self.insisted = now.checked_add(LOOK).map(|at| (at, sender));
        }
        self.interrupted = Some(now);
    }

    /// What has to be done by now. Who kills it says so, so that nothing is due any more.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        if let Some((at, sender)) = self.insisted
            && at <= now
        {
            self.insisted = None;
            return Some(match sender {
                Sender::Terminal => Due::KillUnlessInteractive,
                Sender::Process => Due::Kill(Ending::InterruptedAndKilled),
            });
        }
        let time_out = self.time_out.filter(|_| self.next.is_some_and(|at| at <= now))?;
        if self.ending == Ending::ByItself && !time_out.grace.is_zero() {
            self.ending = Ending::TimedOut;
            self.next = now.checked_add(time_out.grace);
            return Some(Due::Ask(time_out.signal));
        }
        Some(Due::Kill(Ending::TimedOutAndKilled))
    }

    /// Everything is killed, for this reason.
    pub(crate) fn killed(&mut self, why: Ending) {
        (self.ending, self.next, self.insisted) = (why, None, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_time_out_asks_and_then_kills() {
        let start = Instant::now();
        let time_out = TimeOut::new(MS(1000)).grace(MS(300)).signal(2);
        let mut stop = Stop::new(Some(time_out), start, Insistence::IsNothing);
        assert_eq!((stop.rest(start), stop.due(start + MS(999))), (Some(MS(1000)), None));
        assert_eq!(stop.ending(), Ending::ByItself);
        assert_eq!(stop.due(start + MS(1000)), Some(Due::Ask(2)));
        assert_eq!((stop.ending(), stop.due(start + MS(1299))), (Ending::TimedOut, None));
        let kill = Due::Kill(Ending::TimedOutAndKilled);
        assert_eq!(stop.due(start + MS(1300)), Some(kill));
        stop.killed(Ending::TimedOutAndKilled);
        assert_eq!(stop.ending(), Ending::TimedOutAndKilled);
        assert_eq!((stop.due(start + MS(9999)), stop.rest(start)), (None, None));
    }

    #[test]
    fn without_a_grace_period_it_kills_at_once() {
        let start = Instant::now();
        let time_out = TimeOut::new(MS(10)).grace(Duration::ZERO);
        let mut stop = Stop::new(Some(time_out), start, Insistence::Kills);
        assert_eq!(stop.due(start + MS(10)), Some(Due::Kill(Ending::TimedOutAndKilled)));
        let never = Stop::new(Some(TimeOut::new(Duration::MAX)), start, Insistence::Kills);
        assert_eq!(never.rest(start), None);
    }

    /// When what is due after interrupts at these times, in milliseconds.
    fn interrupts(at: &[u64], sender: Sender) -> Vec<(u64, Due)> {
        let start = Instant::now();
        let mut stop = Stop::new(None, start, Insistence::Kills);
        let mut all = Vec::new();
        for ms in (0..10_000).step_by(10) {
            if at.contains(&ms) {
                stop.interrupt(start + MS(ms), sender);
            }
            all.extend(stop.due(start + MS(ms)).map(|due| (ms, due)));
        }
        all
    }

    #[test]
    fn two_interrupts_kill() {
        let kill = |ms| vec![(ms, Due::KillUnlessInteractive)];
        assert_eq!(interrupts(&[0], Sender::Terminal), []);
        assert_eq!(interrupts(&[0, 500], Sender::Terminal), kill(600));
        let by_process = interrupts(&[0, 500], Sender::Process);
        assert_eq!(by_process, [(600, Due::Kill(Ending::InterruptedAndKilled))]);
        // Passed on by who was interrupted too, or a key that is held down.
        assert_eq!(interrupts(&[0, 0, 30, 190], Sender::Process), []);
        assert_eq!(interrupts(&[0, 100, 210], Sender::Terminal), kill(310));
        // Far apart they are not meant so; the last one counts.
        assert_eq!(interrupts(&[0, 2010, 4020], Sender::Terminal), []);
        assert_eq!(interrupts(&[0, 3000, 4000], Sender::Terminal), kill(4100));
    }

    #[test]
    fn not_for_every_caller() {
        let start = Instant::now();
        let mut stop = Stop::new(None, start, Insistence::IsNothing);
        stop.interrupt(start, Sender::Process);
        stop.interrupt(start + MS(500), Sender::Process);
        assert_eq!(stop.due(start + MS(900)), None);
    }
}
