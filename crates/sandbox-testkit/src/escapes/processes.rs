//! Out through processes: those outside, and those that would stay.

mod outlive;

use std::fs;

use sandbox_core::{Feature, Isolation, SandboxConfig};

use super::attack::{Victim, hosts_root, in_tree, is_refused, permitted, refused_in, says, trees};
use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, same};
use crate::world::{SECRET_PARTS, World, text};

pub(super) use outlive::{CASES as OUTLIVE, ROLES as OUTLIVE_ROLES};

const ISOLATED: &[Need] = &[Need::Has(Feature::ProcessesIsolated)];
const WITH_PROC: &[Need] = &[Need::Has(Feature::ProcessesIsolated), Need::Has(Feature::MountProc)];
const IPC: &[Need] = &[Need::Has(Feature::IpcIsolated)];

pub(super) const CASES: &[Case] = &[
    Case::new("escape-processes/signal", ISOLATED, |w| isolated(w, "touch-process"))
        .control(|w| on_victim(w, "touch-process")),
    Case::new("escape-processes/limits-and-priority", ISOLATED, |w| isolated(w, "change-limits"))
        .control(|w| on_victim(w, "change-limits")),
    Case::new("escape-processes/ptrace", &[], |w| anywhere(w, "seize"))
        .control(|w| on_victim(w, "seize")),
    Case::new("escape-processes/memory-file", &[], |w| anywhere(w, "memory-file"))
        .control(|w| on_victim(w, "memory-file")),
    Case::new("escape-processes/process-vm-readv", &[], |w| anywhere(w, "memory"))
        .control(|w| on_victim(w, "memory")),
    Case::new("escape-processes/descriptor-by-pidfd", &[], |w| anywhere(w, "steal-descriptor"))
        .control(|w| on_victim(w, "steal-descriptor")),
    Case::new("escape-processes/perf-of-a-process", &[], |w| counted(w, false))
        .control(|w| counted_on_host(w, false)),
    Case::new("escape-processes/perf-of-a-processor", &[], |w| counted(w, true))
        .control(|w| counted_on_host(w, true)),
    Case::new("escape-processes/environment-of-all", &[], environment).control(environment_shown),
    Case::new("escape-processes/arguments-of-all", WITH_PROC, arguments).control(arguments_shown),
    Case::new("escape-processes/memory-of-pid-1", WITH_PROC, pid_1).control(caller_knows),
    Case::new("escape-processes/ptrace-of-the-init", &[], trace_init)
        .control(|w| on_victim(w, "seize")),
    Case::new("escape-processes/sysv-shared-memory", IPC, |w| object(w, "shm", &STRICT))
        .control(|w| object(w, "shm", &LOOSE)),
    Case::new("escape-processes/sysv-shared-memory-by-id", IPC, |w| by_id(w, &STRICT))
        .control(|w| by_id(w, &LOOSE)),
    Case::new("escape-processes/sysv-semaphores", IPC, |w| object(w, "sem", &STRICT))
        .control(|w| object(w, "sem", &LOOSE)),
    Case::new("escape-processes/sysv-messages", IPC, |w| object(w, "msg", &STRICT))
        .control(|w| object(w, "msg", &LOOSE)),
    Case::new("escape-processes/posix-messages", IPC, |w| object(w, "mq", &STRICT))
        .control(|w| object(w, "mq", &LOOSE)),
    Case::new(
        "escape-processes/posix-shared-memory",
        &[Need::Has(Feature::IpcIsolated), Need::Has(Feature::RootHost)],
        |w| shm_file(w, &STRICT),
    )
    .control(|w| shm_file(w, &LOOSE)),
    Case::new("escape-processes/session-keyring", &[], session_keyring)
        .control(session_keyring_on_host),
    Case::new("escape-processes/user-keyring", &[], |w| user_keyring(w, keyring_inside))
        .control(|w| user_keyring(w, |w, key| permitted(w, &format!("user-key {key}"), &["ok"]))),
];

pub(super) const ROLES: &[Role] = &[Role { name: "session-keyring", run: session_keyring_role }];

/// A process that is not there, or not the command's to touch.
const NOT_THERE: &[&str] = &["ESRCH", "ENOENT"];

fn on_victim(w: &World<'_>, attack: &str) -> Check {
    let victim = Victim::new(w, "")?;
    permitted(w, &format!("{attack} {}", victim.pid()), &["ok"])
}

/// An attack that only processes of its own keep from the caller's user.
fn isolated(w: &World<'_>, attack: &str) -> Check {
    let victim = Victim::new(w, "")?;
    let words = format!("{attack} {}", victim.pid());
    let config = in_tree(w, &words, &["/proc"])?.processes(Isolation::Isolated);
    is_refused(&w.says(config)?, NOT_THERE)
}

/// One that is refused even where the processes of the host can be seen.
fn anywhere(w: &World<'_>, attack: &str) -> Check {
    let victim = Victim::new(w, "")?;
    let words = format!("{attack} {}", victim.pid());
    refused_in(w, trees(w, &words, &["/proc"])?, NOT_THERE)?;
    refused_in(w, hosts_root(w, &words)?, NOT_THERE)
}

fn perf_words(victim: &Victim, processor: bool) -> String {
    if processor { "perf -1 0".to_owned() } else { format!("perf {} -1", victim.pid()) }
}

fn counted(w: &World<'_>, processor: bool) -> Check {
    let victim = Victim::new(w, "")?;
    refused_in(w, trees(w, &perf_words(&victim, processor), &[])?, NOT_THERE)
}

fn counted_on_host(w: &World<'_>, processor: bool) -> Check {
    let victim = Victim::new(w, "")?;
    permitted(w, &perf_words(&victim, processor), &["ok"])
}

fn who_knows() -> String {
    format!("who-knows {} {}", SECRET_PARTS[0], SECRET_PARTS[1])
}

/// The caller has the secret in its environment; whoever is made of it must not show it.
fn environment(w: &World<'_>) -> Check {
    for (what, config) in trees(w, &who_knows(), &["/proc"])? {
        same(what, says(w, &config)?, "0")?;
    }
    Ok(())
}

fn environment_shown(w: &World<'_>) -> Check {
    ensure!(w.host_says(&who_knows())? != "0", "nobody shows it on the host either");
    Ok(())
}

/// Of this run alone, as arguments are shown to everybody who shares the processes.
fn argument() -> [String; 2] {
    ["shown-by-".to_owned(), std::process::id().to_string()]
}

fn arguments(w: &World<'_>) -> Check {
    let _victim = Victim::new(w, &argument().concat())?;
    let words = format!("who-knows {}", argument().join(" "));
    let config = in_tree(w, &words, &["/proc"])?.processes(Isolation::Isolated);
    same("processes that show it", w.says(config)?, "0")
}

fn arguments_shown(w: &World<'_>) -> Check {
    let _victim = Victim::new(w, &argument().concat())?;
    same("on the host", w.host_says(&format!("who-knows {}", argument().join(" ")))?, "1")
}

fn reveals(pid: u32) -> String {
    format!("reveals {pid} {} {}", SECRET_PARTS[0], SECRET_PARTS[1])
}

fn pid_1(w: &World<'_>) -> Check {
    let config = in_tree(w, &reveals(1), &["/proc"])?.processes(Isolation::Isolated);
    same("PID 1", w.says(config)?, "nothing")
}

fn caller_knows(w: &World<'_>) -> Check {
    let said = w.host_says(&reveals(std::process::id()))?;
    ensure!(said != "nothing", "the secret cannot be found in the caller either");
    Ok(())
}

/// The parent of the command is never PID 1 of the host here.
fn trace_init(w: &World<'_>) -> Check {
    refused_in(w, trees(w, "trace-parent", &["/proc"])?, NOT_THERE)
}

/// How much of IPC a sandbox has of its own.
struct Ipc {
    isolation: Isolation,
    found: bool,
}

const STRICT: Ipc = Ipc { isolation: Isolation::Isolated, found: false };
const LOOSE: Ipc = Ipc { isolation: Isolation::Undefined, found: true };

fn judge(answer: &str, ipc: &Ipc) -> Check {
    if ipc.found {
        return same("inside", answer, "ok");
    }
    is_refused(answer, &["ENOENT", "EINVAL", "EIDRM"])
}

/// Makes an object outside, and looks for it inside.
fn object(w: &World<'_>, kind: &str, ipc: &Ipc) -> Check {
    let pid = std::process::id();
    let name =
        if kind == "mq" { format!("/escape-{pid}") } else { (0x5e00_0000 | pid).to_string() };
    let made = w.host_says(&format!("{kind}-make {name}"))?;
    if made == "ENOSYS" {
        return Err(Failure::cannot_run(format!("this kernel has no {kind}")));
    }
    same("made outside", made, "ok")?;
    let answer = w.says(w.probe(&format!("{kind}-find {name}")).ipc(ipc.isolation));
    same("removed outside", w.host_says(&format!("{kind}-remove {name}"))?, "ok")?;
    judge(&answer?, ipc)
}

/// By the number that the kernel has given it: no key is needed.
fn by_id(w: &World<'_>, ipc: &Ipc) -> Check {
    let key = 0x5d00_0000 | std::process::id();
    same("made outside", w.host_says(&format!("shm-make {key}"))?, "ok")?;
    let id = w.host_says(&format!("shm-id {key}"))?;
    let answer = w.says(w.probe(&format!("shm-attach {id}")).ipc(ipc.isolation));
    same("removed outside", w.host_says(&format!("shm-remove {key}"))?, "ok")?;
    judge(&answer?, ipc)
}

/// POSIX shared memory is files, which the host's root has.
fn shm_file(w: &World<'_>, ipc: &Ipc) -> Check {
    let probe = w.probe_path().display().to_string();
    let name = format!("/dev/shm/escape-{}", std::process::id());
    fs::write(&name, "of the host")?;
    let config = SandboxConfig::builder([&*probe, "exists", &name]).ipc(ipc.isolation);
    let answer = w.says(config);
    fs::remove_file(&name)?;
    judge(&answer?, ipc)
}

fn with_session_key(w: &World<'_>, command: &str) -> Check<String> {
    let output = w.host(&format!("with-session-key {command}")).output()?;
    Ok(text(&output.stdout))
}

/// A caller with a session keyring of its own, in which there is a key.
fn session_keyring(w: &World<'_>) -> Check {
    w.play("with-session-key", "session-keyring")
}

fn session_keyring_role(w: &World<'_>) -> Check {
    refused_in(w, trees(w, "session-key", &[])?, NO_KEY)
}

fn session_keyring_on_host(w: &World<'_>) -> Check {
    let answer = with_session_key(w, &format!("{} session-key", w.probe_path().display()))?;
    if answer == "ok" { Ok(()) } else { Err(Failure::cannot_run(format!("keyctl: {answer}"))) }
}

const NO_KEY: &[&str] = &["ENOKEY"];

fn user_keyring(w: &World<'_>, check: fn(&World<'_>, &str) -> Check) -> Check {
    let key = format!("sandbox-testkit-{}", std::process::id());
    let made = w.host_says(&format!("user-key-make {key}"))?;
    if made != "ok" {
        return Err(Failure::cannot_run(format!("the caller's keyring takes no key: {made}")));
    }
    let checked = check(w, &key);
    same("removed", w.host_says(&format!("user-key-remove {key}"))?, "ok")?;
    checked
}

fn keyring_inside(w: &World<'_>, key: &str) -> Check {
    refused_in(w, trees(w, &format!("user-key {key}"), &[])?, NO_KEY)
}
