//! The table of what was isolated: what the probe found outside, inside, and what that says.

use std::fmt;

use crate::Result;
use crate::demo::probe::HOSTNAME;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Isolated,
    /// What has to work inside as it does outside.
    Works,
    /// It looks isolated, but it looks the same outside, so nothing is shown.
    NoControl,
    NotIsolated,
    Broken,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Isolated => "isolated",
            Self::Works => "works",
            Self::NoControl => "no control: the same outside",
            Self::NotIsolated => "NOT ISOLATED",
            Self::Broken => "BROKEN",
        })
    }
}

/// Prints the table; anything that isn't as it should be is an error.
pub(super) fn print(outside: &str, inside: &str) -> Result {
    println!("what that build could see and do, and the same tried outside:");
    println!("  {:34} {:26} {:26} verdict", "", "outside", "inside");
    let mut wrong = Vec::new();
    for (outside, inside) in outside.lines().zip(inside.lines()) {
        let (what, outside) = outside.split_once('\t').unwrap_or((outside, ""));
        let (_, inside) = inside.split_once('\t').unwrap_or((inside, ""));
        let verdict = judge(what, outside, inside);
        println!("  {what:34} {:26} {:26} {verdict}", short(outside), short(inside));
        if matches!(verdict, Verdict::NotIsolated | Verdict::Broken) {
            wrong.push(what);
        }
    }
    match (inside.lines().count(), outside.lines().count()) {
        (found, asked) if found != asked || found == 0 => {
            Err(format!("the probe inside answered {found} of {asked} questions").into())
        }
        _ if wrong.is_empty() => Ok(()),
        _ => Err(format!("not as it should be: {}", wrong.join(", ")).into()),
    }
}

/// A machine with containers can have dozens of interfaces.
fn short(text: &str) -> String {
    if text.chars().count() <= 26 {
        return text.to_owned();
    }
    text.chars().take(23).chain("...".chars()).collect()
}

fn judge(what: &str, outside: &str, inside: &str) -> Verdict {
    let number = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
    let held = match what {
        "write to the build folder" => {
            let works = inside == "written" && outside == "written";
            return if works { Verdict::Works } else { Verdict::Broken };
        }
        // Not only denied, which a plain user is anyway.
        "write to /usr" => inside.starts_with("read-only"),
        "network interfaces" => inside == "lo",
        "connect to a port of this machine" => inside == "connection refused",
        // The probe, and the init of its sandbox.
        "processes to be seen" => number(inside) <= 2,
        "a file of the caller" | "/etc/passwd" => inside == "no such file or directory",
        "a variable of the caller" => inside == "not set",
        "hostname" => inside == HOSTNAME,
        _ => false,
    };
    match (held, inside == outside) {
        (true, false) => Verdict::Isolated,
        (true, true) => Verdict::NoControl,
        (false, _) => Verdict::NotIsolated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTSIDE: &str = "network interfaces\tlo eth0\nwrite to the build folder\twritten\n";

    #[test]
    fn what_is_isolated_passes() {
        assert_eq!(judge("network interfaces", "lo eth0", "lo"), Verdict::Isolated);
        assert_eq!(judge("write to /usr", "not tried", "read-only filesystem"), Verdict::Isolated);
        assert_eq!(judge("processes to be seen", "80", "2"), Verdict::Isolated);
        print(OUTSIDE, "network interfaces\tlo\nwrite to the build folder\twritten\n").unwrap();
    }

    #[test]
    fn without_a_control_nothing_is_claimed() {
        assert_eq!(judge("network interfaces", "lo", "lo"), Verdict::NoControl);
    }

    #[test]
    fn every_hole_is_named() {
        assert_eq!(judge("write to /usr", "not tried", "permission denied"), Verdict::NotIsolated);
        let holes = "network interfaces\tlo eth0\nwrite to the build folder\tpermission denied\n";
        let error = print(OUTSIDE, holes).unwrap_err().to_string();
        assert!(error.contains("network interfaces, write to the build folder"), "{error}");
    }

    #[test]
    fn a_silent_probe_is_a_failure() {
        assert!(print(OUTSIDE, "").is_err());
    }
}
