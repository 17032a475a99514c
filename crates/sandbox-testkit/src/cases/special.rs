//! Sandboxes as other tools have them: a command that is PID 1, descriptors that are passed, gates, locks,
//! filters, capabilities that are kept, and user namespaces that are the last.

use std::fs::File;
use std::io::{Write, pipe};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::{Signal, raise};
use sandbox_core::{
    Capability, Environment, Feature, First, InsidePath, Isolation, KeptCapabilities, Loopback,
    Mount, ProcessSettings, SandboxConfig, SandboxConfigBuilder, SeccompProgram, Session, Status,
    User, UserNamespace,
};

use sandbox_sys::{HeldSignals, RunError, SetUp, SpawnError, WaitError};

use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, names, same};
use crate::world::World;

const SPECIAL: Need = Need::Has(Feature::ProcessSpecial);
const FIRST: &[Need] = &[SPECIAL, Need::Has(Feature::ProcessesIsolated)];

pub(super) const CASES: &[Case] = &[
    Case::new("special/argv0", &[], argv0),
    Case::new("special/first-directory-there-is", &[SPECIAL], first_directory),
    Case::new("special/new-session", &[], new_session),
    Case::new("special/command-is-pid-1", FIRST, pid_1),
    Case::new("special/pid-1-ends-as-it-ends", FIRST, pid_1_ends),
    Case::new("special/pid-1-is-killed", FIRST, pid_1_killed),
    Case::new("special/pid-1-not-found", FIRST, pid_1_not_found),
    Case::new("special/pid-1-of-a-caller-that-ignores-sigchld", FIRST, pid_1_ignored),
    Case::new("special/not-wanted-any-more", FIRST, not_wanted),
    Case::new("special/signal-ends-the-wait", &[SPECIAL], signal_ends_wait),
    Case::new("special/signal-ends-pid-1", FIRST, signal_ends_pid_1),
    Case::new("special/descriptors-are-passed", &[SPECIAL], descriptors),
    Case::new("special/start-is-awaited", &[SPECIAL], gate),
    Case::new("special/locks-are-held", &[SPECIAL], locks),
    Case::new("special/filter", &[Need::Has(Feature::SeccompPrograms)], filter)
        .control(without_filter),
    Case::new("special/filter-of-pid-1", FIRST, filter_of_pid_1),
    Case::new("special/filter-unsound", &[Need::Has(Feature::SeccompPrograms)], unsound),
    Case::new("special/some-capabilities", &[Need::Has(Feature::CapabilitiesSome)], some),
    Case::new("special/some-of-another-user", &[Need::Has(Feature::CapabilitiesSome)], ambient),
    Case::new("special/all-capabilities", &[Need::Has(Feature::CapabilitiesAll)], all),
    Case::new("special/user-namespace", &[Need::Has(Feature::UserNamespaceOwn)], own),
    Case::new("special/last-user-namespace", &[Need::Has(Feature::UserNamespaceLast)], last)
        .control(not_last),
    Case::new("special/uts", &[Need::Has(Feature::UtsIsolated)], uts),
    Case::new("special/cgroup", &[Need::Has(Feature::CgroupIsolated)], cgroup)
        .control(callers_cgroup),
    Case::new("special/loopback-down", &[Need::Has(Feature::NetworkIsolated)], loopback_down),
];

pub(super) const ROLES: &[Role] = &[Role { name: "ignoring-for-pid-1", run: pid_1_ignored_role }];

fn settings(change: impl FnOnce(&mut ProcessSettings)) -> ProcessSettings {
    let mut settings = ProcessSettings::default();
    change(&mut settings);
    settings
}

fn argv0(w: &World<'_>) -> Check {
    let named = settings(|process| process.argv0 = Some("other name".into()));
    same("inside", w.says(w.probe("name").process(named))?, "other name")
}

fn first_directory(w: &World<'_>) -> Check {
    let candidates = |paths: &[&str]| -> Check<ProcessSettings> {
        let paths = paths.iter().map(|path| InsidePath::absolute(path, "cwd"));
        let paths = paths.collect::<Result<Vec<_>, _>>()?;
        Ok(settings(|process| process.cwd_candidates = paths))
    };
    let there = candidates(&["/none", "/work/sub", "/work"])?;
    same("the second", w.says(w.probe("cwd").process(there))?, "/work/sub")?;
    let nowhere = candidates(&["/none"])?;
    same("none", w.says(w.probe("cwd").process(nowhere.clone()))?, "/")?;
    let set = Environment::exactly([("PWD", "/stale")]);
    same("PWD", w.says(w.probe("env").env(set).process(nowhere.clone()))?, "PWD=/")?;
    same("with cwd", w.says(w.probe("cwd").cwd("/data").process(nowhere))?, "/data")
}

fn new_session(w: &World<'_>) -> Check {
    let new = settings(|process| process.session = Session::New);
    same("leads a session", w.says(w.probe("leads-session").process(new))?, "yes")?;
    same("without", w.says(w.probe("leads-session"))?, "no")
}

fn first(w: &World<'_>, words: &str) -> SandboxConfigBuilder {
    let first = settings(|process| process.first = First::Command);
    w.probe(words).processes(Isolation::Isolated).process(first)
}

fn pid_1(w: &World<'_>) -> Check {
    same("inside", w.says(first(w, "pid , signals , fds"))?, "1\ndefault\n0 1 2")
}

fn pid_1_ends(w: &World<'_>) -> Check {
    same("status", w.run(first(w, "exit 42"))?.status, Status::Exited(42))?;
    let outcome = w.run(first(w, "fill /tmp/x 1000 , orphan /tmp/orphan"))?;
    same("with an orphan", outcome.status, Status::Exited(0))
}

fn pid_1_killed(w: &World<'_>) -> Check {
    let child = w.start(first(w, "sleep 60"))?;
    child.kill()?;
    same("killed", child.wait()?.status, Status::Signaled(9))?;
    let child = w.start(first(w, "sleep 60"))?;
    drop(child);
    Ok(())
}

fn pid_1_not_found(w: &World<'_>) -> Check {
    let command = SandboxConfig::builder(["none"]).root(w.tree());
    let first = settings(|process| process.first = First::Command);
    let command = command.processes(Isolation::Isolated).process(first);
    w.refuses_naming(
        command.env(Environment::exactly([("PATH", "/bin:/etc")])),
        &["none", "No such file"],
    )
}

fn pid_1_ignored(w: &World<'_>) -> Check {
    w.play("ignoring-children", "ignoring-for-pid-1")
}

/// Once it has executed, the kernel keeps its status for pidfds alone, and that since 6.15.
fn pid_1_ignored_role(w: &World<'_>) -> Check {
    match w.run(first(w, "exit 42")) {
        Err(RunError::Wait(WaitError::Lost)) => Ok(()),
        outcome => same("status", outcome?.status, Status::Exited(42)),
    }
}

/// A mount point that is made before the wait has to be gone after it.
fn waiting(w: &World<'_>, gate: i32) -> Check<SandboxConfig> {
    let gates = settings(|process| process.gates.start = Some(gate));
    let config = w.probe("exit 0").mount(Mount::bind(w.shared(), "/made/deep")?);
    Ok(config.process(gates).build()?)
}

/// Whoever is told of a sandbox can say that it is not wanted.
fn not_wanted(w: &World<'_>) -> Check {
    let (reader, _writer) = pipe()?;
    let config = waiting(w, reader.as_raw_fd())?;
    let mut created = |_| Err(std::io::ErrorKind::BrokenPipe.into());
    let mut set_up = SetUp::unwatched(&mut created);
    match w.launch(|launcher| launcher.start_observed(&config, &mut set_up)) {
        Err(error) => names(&error, &["tell of the sandbox", "broken pipe"])?,
        Ok(_) => return Err(Failure::wrong("it was started")),
    }
    ensure!(!w.path("/made").exists(), "the mount point stays");
    Ok(())
}

fn signal_ends_wait(w: &World<'_>) -> Check {
    let (reader, _writer) = pipe()?;
    let config = waiting(w, reader.as_raw_fd())?;
    let held = HeldSignals::hold()?;
    // To this thread, and late enough for the mount point to be there.
    let mut created = |_| {
        thread::sleep(Duration::from_millis(50));
        Ok(raise(Signal::SIGUSR1)?)
    };
    let mut set_up = SetUp { created: &mut created, signals: Some(&held) };
    match w.launch(|launcher| launcher.start_observed(&config, &mut set_up)) {
        Err(RunError::Spawn(SpawnError::Interrupted { signal, .. })) => {
            same("signal", signal, Signal::SIGUSR1 as i32)?;
        }
        Err(error) => return Err(error.into()),
        Ok(_) => return Err(Failure::wrong("it was started")),
    }
    ensure!(!w.path("/made").exists(), "the mount point stays");
    Ok(())
}

/// PID 1 has no handler for it, and the kernel would keep it from such a process.
fn signal_ends_pid_1(w: &World<'_>) -> Check {
    let held = HeldSignals::hold()?;
    let child = w.start(first(w, "sleep 60000"))?;
    raise(Signal::SIGUSR1)?;
    let outcome = child.wait_passing_on(&held)?;
    same("status", outcome.status, Status::Signaled(Signal::SIGUSR1 as i32))
}

fn descriptors(w: &World<'_>) -> Check {
    let file = File::open(w.shared().join("marker"))?;
    let number = file.as_raw_fd();
    let passed = settings(|process| process.descriptors = [number].into());
    same("inside", w.says(w.probe("fds").process(passed))?, format!("0 1 2 {number}"))
}

fn gate(w: &World<'_>) -> Check {
    let (reader, mut writer) = pipe()?;
    let gates = settings(|process| process.gates.start = Some(reader.as_raw_fd()));
    let config = w.probe("write /work/started").process(gates);
    let started = w.path("/work/started");
    let opener = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        let early = started.exists();
        writer.write_all(b"x").map(|()| early)
    });
    same("inside", w.says(config)?, "ok")?;
    let early = opener.join().map_err(|_| Failure::wrong("a thread panicked"))??;
    ensure!(!early, "the command did not wait");
    Ok(())
}

fn locks(w: &World<'_>) -> Check {
    let marker = InsidePath::absolute("/etc/marker", "locks")?;
    let locks = settings(|process| process.locks = vec![marker]);
    let file = File::options().read(true).write(true).open(w.path("/etc/marker"))?;
    let child = w.start(w.probe("sleep 60").process(locks))?;
    same("while it lives", is_locked(&file)?, true)?;
    child.kill()?;
    child.wait()?;
    same("afterwards", is_locked(&file)?, false)?;
    let missing = InsidePath::absolute("/etc/none", "locks")?;
    let locks = settings(|process| process.locks = vec![missing]);
    w.refuses_naming(w.probe("exit 0").process(locks), &["lock /etc/none", "No such file"])
}

fn is_locked(file: &File) -> Check<bool> {
    let mut lock = nix::libc::flock {
        l_type: i16::try_from(nix::libc::F_WRLCK).unwrap_or_default(),
        l_whence: 0,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    Ok(i32::from(lock.l_type) != nix::libc::F_UNLCK)
}

/// `struct sock_filter`
fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Vec<u8> {
    [code.to_ne_bytes().as_slice(), &[jt, jf], &k.to_ne_bytes()].concat()
}

/// sysinfo(2) fails with ERANGE: nothing else here makes it.
fn no_sysinfo() -> Check<SeccompProgram> {
    let number = u32::try_from(nix::libc::SYS_sysinfo).unwrap_or_default();
    let refuse = 0x0005_0000 | u32::try_from(nix::libc::ERANGE).unwrap_or_default();
    let program = [
        instruction(0x20, 0, 0, 0),
        instruction(0x15, 0, 1, number),
        instruction(0x06, 0, 0, refuse),
        instruction(0x06, 0, 0, 0x7fff_0000),
    ];
    Ok(SeccompProgram::new(program.concat())?)
}

fn filter(w: &World<'_>) -> Check {
    same("inside", w.says(w.probe("sysinfo").seccomp_program(no_sysinfo()?))?, "ERANGE")?;
    let twice = w.probe("sysinfo").seccomp_program(no_sysinfo()?).seccomp_program(no_sysinfo()?);
    same("twice", w.says(twice)?, "ERANGE")
}

fn without_filter(w: &World<'_>) -> Check {
    same("on the host", w.host_says("sysinfo")?, "ok")
}

fn filter_of_pid_1(w: &World<'_>) -> Check {
    same("inside", w.says(first(w, "sysinfo").seccomp_program(no_sysinfo()?))?, "ERANGE")
}

fn unsound(w: &World<'_>) -> Check {
    // No return at its end.
    let program = SeccompProgram::new(instruction(0x20, 0, 0, 0))?;
    w.refuses_naming(
        w.probe("exit 0").seccomp_program(program),
        &["seccomp filter", "Invalid argument"],
    )
}

fn kept(names: &[&str]) -> Check<KeptCapabilities> {
    let names = names.iter().map(Capability::named).collect::<Result<_, _>>()?;
    Ok(KeptCapabilities::Only(names))
}

const CHOWN_AND_KILL: &str =
    "effective 000000021 permitted 000000021 inheritable 000000021 bounding 21 ambient 21";

fn some(w: &World<'_>) -> Check {
    let config = w.probe("caps").capabilities(kept(&["CAP_CHOWN", "CAP_KILL"])?);
    same("as oneself", w.says(config)?, CHOWN_AND_KILL)?;
    let config = w.probe("caps").capabilities(kept(&["CAP_CHOWN", "CAP_KILL"])?).user(User::Root);
    same("as user 0", w.says(config)?, CHOWN_AND_KILL)
}

fn ambient(w: &World<'_>) -> Check {
    let config = w.probe("caps").capabilities(kept(&["CAP_CHOWN", "CAP_KILL"])?);
    let config = config.user(User::Ids { uid: 4321, gid: 4322 });
    same("inside", w.says(config)?, CHOWN_AND_KILL)
}

fn all(w: &World<'_>) -> Check {
    let said = w.says(w.probe("caps").capabilities(KeptCapabilities::All).user(User::Root))?;
    ensure!(!said.starts_with("effective 000000000"), "none are left: {said}");
    Ok(())
}

/// Which namespace of a kind the first process of a sandbox is in.
fn namespace(w: &World<'_>, config: SandboxConfigBuilder, kind: &str) -> Check<String> {
    let child = w.start(config)?;
    let link = std::fs::read_link(format!("/proc/{}/ns/{kind}", child.pid()));
    child.kill()?;
    child.wait()?;
    Ok(link?.display().to_string())
}

fn callers(kind: &str) -> Check<String> {
    Ok(std::fs::read_link(format!("/proc/self/ns/{kind}"))?.display().to_string())
}

fn own(w: &World<'_>) -> Check {
    let config = w.probe("sleep 60").user_namespace(UserNamespace::Own);
    ensure!(namespace(w, config, "user")? != callers("user")?, "the namespace is the caller's");
    let ids = w.probe("ids").user_namespace(UserNamespace::Own).user(User::Root);
    same("ids", w.says(ids)?, "0 0 0 0")
}

/// Without a cgroup namespace there is one that is the caller's.
fn callers_cgroup(w: &World<'_>) -> Check {
    same("the namespace", namespace(w, w.probe("sleep 60"), "cgroup")?, callers("cgroup")?)
}

fn last(w: &World<'_>) -> Check {
    let config = w.probe("unshare-user").user_namespace(UserNamespace::Last).user(User::Root);
    same("another one", w.says(config)?, "ENOSPC")?;
    // Also where nothing else is asked for, and nothing is mounted.
    let bare = SandboxConfig::builder([w.probe_path().as_os_str(), "unshare-user".as_ref()]);
    let bare = bare.user_namespace(UserNamespace::Last).user(User::Root);
    same("another one, of the host's root", w.says(bare)?, "ENOSPC")
}

fn not_last(w: &World<'_>) -> Check {
    let config = w.probe("unshare-user").user_namespace(UserNamespace::Own);
    same("another one", w.says(config)?, "ok")
}

fn uts(w: &World<'_>) -> Check {
    let config = w.probe("hostname , set-hostname other , hostname").uts(Isolation::Isolated);
    let config = config.user(User::Root).capabilities(kept(&["CAP_SYS_ADMIN"])?);
    let host = w.host_says("hostname")?;
    same("inside", w.says(config)?, format!("{host}\nok\nother"))?;
    same("the host's", w.host_says("hostname")?, host)
}

fn cgroup(w: &World<'_>) -> Check {
    let config = w.probe("sleep 60").cgroup(Isolation::Isolated);
    ensure!(namespace(w, config, "cgroup")? != callers("cgroup")?, "the namespace is the caller's");
    Ok(())
}

fn loopback_down(w: &World<'_>) -> Check {
    let config = w.probe("loopback").network(Isolation::Isolated);
    let down = config.clone().loopback(Loopback::Down);
    same("up", w.says(config)?, "up\nok")?;
    same("down", w.says(down)?, "down\nENETUNREACH")
}
