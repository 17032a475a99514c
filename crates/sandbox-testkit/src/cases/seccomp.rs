//! The system calls that are refused: the build profile, and what is asked for in its place.

use sandbox_core::{Capability, Feature, KeptCapabilities, Seccomp, SeccompProgram};
use sandbox_seccomp::{Abi, Machine, Rules, bytes, compile};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, same};
use crate::world::World;

const BUILD: &[Need] = &[Need::Has(Feature::SeccompBuild)];

pub(super) const CASES: &[Case] = &[
    Case::new("seccomp/profile-by-default", BUILD, by_default).control(not_on_the_host),
    Case::new("seccomp/none", BUILD, none).control(by_default),
    Case::new("seccomp/every-call", BUILD, every_call),
    Case::new("seccomp/every-call-of-x32", BUILD, every_call_of_x32),
    Case::new("seccomp/every-call-of-i386", BUILD, every_call_of_i386),
    Case::new("seccomp/the-profile-and-the-terminal", BUILD, with_terminal),
    Case::new(
        "seccomp/a-kept-capability-keeps-its-calls",
        &[Need::Has(Feature::SeccompBuild), Need::Has(Feature::CapabilitiesSome)],
        kept,
    )
    .control(not_kept),
    Case::new("seccomp/own-rules-replace-the-profile", BUILD, own_rules),
];

/// An errno that none of the calls gives.
const MARK: u16 = 34;
const ENOSYS: u16 = 38;

fn machine() -> Check<Machine> {
    Machine::this().ok_or_else(|| Failure::cannot_run("there are no rules for this machine"))
}

fn build() -> Check<Rules> {
    Rules::build().map_err(|error| Failure::wrong(error.to_string()))
}

/// io_uring_setup, keyctl, userfaultfd and perf_event_open.
const PROBED: [&str; 4] = ["io_uring_setup", "keyctl", "userfaultfd", "perf_event_open"];

fn numbers(abi: Abi, names: &[&str]) -> String {
    let numbers = names.iter().filter_map(|name| abi.numbers(name).next());
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

fn probed() -> Check<String> {
    Ok(format!("calls native {}", numbers(machine()?.abis()[0], &PROBED)))
}

fn by_default(w: &World<'_>) -> Check {
    same("inside", w.says(w.probe(&probed()?))?.trim(), "38 38 38 38")
}

/// The kernel has these calls, and says other things of such arguments.
fn not_on_the_host(w: &World<'_>) -> Check {
    let said = w.host_says(&probed()?)?;
    if said.contains("38") {
        return Err(Failure::cannot_run(format!("the kernel lacks one of {PROBED:?}: {said}")));
    }
    Ok(())
}

fn none(w: &World<'_>) -> Check {
    not_on_the_host(w)?;
    let said = w.says(w.probe(&probed()?).seccomp(Seccomp::None))?;
    ensure!(!said.contains("38"), "refused: {said}");
    Ok(())
}

/// Each call that the rules name, by one of the ways into the kernel: once with the errnos of the rules, and once
/// with one that the kernel itself would not give, so that it is the filter that answers.
fn each(w: &World<'_>, way: &str, abi: Abi) -> Check {
    let (build, mut marked) = (build()?, build()?);
    for denial in marked.groups.iter_mut().flat_map(|group| &mut group.denials) {
        denial.errno = MARK;
    }
    let program = SeccompProgram::new(bytes(&compile(machine()?, &[&marked])))?;
    for (rules, seccomp) in [(build, Seccomp::Build), (marked, Seccomp::Programs(vec![program]))] {
        let (mut calls, mut expected) = (Vec::new(), Vec::new());
        for denial in rules.groups.iter().flat_map(|group| &group.denials) {
            for number in denial.calls.iter().flat_map(|call| abi.numbers(call)) {
                calls.push(number.to_string());
                expected.push(denial.errno.to_string());
            }
        }
        ensure!(calls.len() > 25, "{way}: {} calls", calls.len());
        let probe = w.probe(&format!("calls {way} {}", calls.join(",")));
        same(way, w.says(probe.seccomp(seccomp))?.trim(), expected.join(" "))?;
    }
    Ok(())
}

fn every_call(w: &World<'_>) -> Check {
    each(w, "native", machine()?.abis()[0])
}

fn every_call_of_x32(w: &World<'_>) -> Check {
    match machine()? {
        Machine::X86_64 => each(w, "x32", Abi::X86_64),
        _ => Err(Failure::cannot_run("this machine has no x32")),
    }
}

fn every_call_of_i386(w: &World<'_>) -> Check {
    let Machine::X86_64 = machine()? else {
        return Err(Failure::cannot_run("this machine has no i386"));
    };
    // Where there is no such way it ends with a signal.
    match w.host_says(&format!("calls i386 {}", numbers(Abi::I386, &["getppid"]))) {
        Ok(done) if done.trim() == "0" => each(w, "i386", Abi::I386),
        _ => Err(Failure::cannot_run("the kernel runs no 32-bit code (IA32_EMULATION)")),
    }
}

/// Both are one filter then, and both hold.
fn with_terminal(w: &World<'_>) -> Check {
    let inside = w.says(w.probe("tiocsti"))?;
    ensure!(!inside.contains("ok"), "TIOCSTI: {inside}");
    by_default(w)
}

const CLOCK: &str = "clock_settime";

fn clock() -> Check<String> {
    Ok(format!("calls native {}", numbers(machine()?.abis()[0], &[CLOCK])))
}

/// Clock 40 is none that there is, which the kernel says to those whom it lets ask.
fn kept(w: &World<'_>) -> Check {
    let some = KeptCapabilities::Only([Capability::named("CAP_SYS_TIME")?].into());
    same("kept", w.says(w.probe(&clock()?).capabilities(some))?.trim(), "22")
}

fn not_kept(w: &World<'_>) -> Check {
    same("not kept", w.says(w.probe(&clock()?))?.trim(), "1")
}

fn own_rules(w: &World<'_>) -> Check {
    let text = "group mine\n EAGAIN io_uring_setup\n";
    let rules = Rules::parse(text).map_err(|error| Failure::wrong(error.to_string()))?;
    let program = SeccompProgram::new(bytes(&compile(machine()?, &[&rules])))?;
    let said = w.says(w.probe(&probed()?).seccomp_program(program))?;
    let (first, rest) = said.split_once(' ').unwrap_or_default();
    same("its own", first, "11")?;
    ensure!(!rest.contains(&ENOSYS.to_string()), "others are refused: {rest}");
    Ok(())
}
