//! What each system call may fail with: `errnos.txt`.

use std::collections::HashMap;

use super::explained::errno_named;
use super::site::{Fault, Kind, Means, Seen};
use crate::Result;

const TEXT: &str = include_str!("errnos.txt");

/// How much is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thoroughness {
    /// One in so many of what `Each` has.
    Some,
    /// At each call one error, in turn the first, the second, … of its kind; and a SIGKILL or a delay.
    Each,
    /// All errors, SIGKILLs and delays.
    All,
}

/// By the name of a call.
pub(super) struct Errnos(HashMap<&'static str, Vec<i32>>);

impl Errnos {
    pub(super) fn read() -> Result<Self> {
        let mut all = HashMap::new();
        for line in TEXT.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let Some(call) = words.next() else { continue };
            let numbers: Result<Vec<_>> =
                words.filter(|word| *word != "-").map(errno_named).collect();
            let numbers = numbers.map_err(|error| format!("errnos.txt: {call}: {error}"))?;
            if all.insert(call, numbers).is_some() {
                return Err(format!("errnos.txt: {call} is there twice").into());
            }
        }
        Ok(Self(all))
    }

    /// The errors of a call that was seen, without the one that it met anyway.
    fn of(&self, seen: &Seen) -> Result<impl Iterator<Item = i32>> {
        let (call, name) = (seen.site.call(), seen.site.name());
        let known = self.0.get(name.as_str()).or_else(|| self.0.get(call));
        let known = known.ok_or_else(|| format!("errnos.txt has no {call}"))?;
        let met = seen.result.and_then(|result| i32::try_from(-result).ok());
        Ok(known.iter().copied().filter(move |errno| Some(*errno) != met))
    }
}

/// Odd, as errors and the rest take turns.
const SAMPLE: usize = 9;
/// For others to be at work while a call waits.
const DELAY: std::time::Duration = std::time::Duration::from_millis(30);

/// The faults for the calls of a clean run.
pub(super) fn faults(calls: &[Seen], thoroughness: Thoroughness) -> Result<Vec<Fault>> {
    let errnos = Errnos::read()?;
    let mut faults = Vec::new();
    for (index, seen) in calls.iter().enumerate() {
        let all: Vec<_> = errnos.of(seen)?.map(Means::Errno).collect();
        let by_caller = matches!(seen.site.role.kind, Kind::Caller | Kind::Thread);
        let mut others = vec![Means::Kill, Means::Delay(DELAY)];
        if !by_caller {
            others.push(Means::KillCaller);
        }
        let chosen = match thoroughness {
            Thoroughness::All => [all, others].concat(),
            Thoroughness::Some | Thoroughness::Each => {
                let nth = usize::try_from(seen.site.nth).unwrap_or_default() - 1;
                let errno = all.get(nth % all.len().max(1)).copied();
                // Delays are the dearest.
                let other = match index % 8 {
                    0 => Means::Delay(DELAY),
                    odd if odd % 2 == 1 && !by_caller => Means::KillCaller,
                    _ => Means::Kill,
                };
                errno.into_iter().chain([other]).collect()
            }
        };
        let site = |means| Fault { site: seen.site.clone(), means };
        faults.extend(chosen.into_iter().map(site));
    }
    if thoroughness == Thoroughness::Some {
        faults = faults.into_iter().step_by(SAMPLE).collect();
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let errnos = Errnos::read().unwrap();
        assert_eq!(errnos.0["dup"], [nix::errno::Errno::EMFILE as i32]);
        assert!(errnos.0["exit_group"].is_empty());
    }

    #[test]
    fn every_call_of_the_table_exists() {
        for name in Errnos::read().unwrap().0.keys() {
            let call = name.split(':').next().unwrap();
            assert!(call.parse::<syscalls::Sysno>().is_ok(), "{call}");
        }
    }
}
