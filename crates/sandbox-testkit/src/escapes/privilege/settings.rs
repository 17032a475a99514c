//! Files through which the kernel is set up, which belong to user 0 and ask for no capability.

use std::fs;

use sandbox_core::{Feature, Isolation, SandboxConfigBuilder};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, same};
use crate::escapes::attack::{
    Victim, has, hosts_root, in_tree, is_refused, permitted, refused, refused_in, refused_last,
    trees,
};
use crate::world::World;

/// A case of a file that is there in any sandbox with a proc or sysfs, be it of its own or the host's.
macro_rules! setting {
    ($name:literal, $words:literal, $refused:expr) => {
        Case::new($name, PROC, |w| everywhere(w, $words, $refused)).control(|w| on_host(w, $words))
    };
}

const PROC: &[Need] = &[Need::Has(Feature::MountProc)];
const PLACES: &[&str] = &["/proc", "/sys"];
const READ_ONLY: &[&str] = &["EROFS", "ENOENT"];

pub(in crate::escapes) const CASES: &[Case] = &[
    setting!("escape-privilege/core-pattern", "rewrite /proc/sys/kernel/core_pattern", READ_ONLY),
    setting!("escape-privilege/modprobe-path", "rewrite /proc/sys/kernel/modprobe", READ_ONLY),
    setting!("escape-privilege/overcommit", "rewrite /proc/sys/vm/overcommit_memory", READ_ONLY),
    setting!("escape-privilege/proc-sys", "writable-below /proc/sys/kernel", READ_ONLY),
    setting!("escape-privilege/proc-sys-fs", "writable-below /proc/sys/fs", READ_ONLY),
    setting!("escape-privilege/proc-sys-vm", "writable-below /proc/sys/vm", READ_ONLY),
    setting!("escape-privilege/proc-irq", "writable-below /proc/irq", READ_ONLY),
    setting!("escape-privilege/proc-bus", "writable-below /proc/bus", READ_ONLY),
    setting!("escape-privilege/sysrq-trigger", "open-to-write /proc/sysrq-trigger", READ_ONLY),
    setting!("escape-privilege/mtrr", "open-to-write /proc/mtrr", READ_ONLY),
    setting!("escape-privilege/sysfs", "writable-below /sys/kernel", READ_ONLY),
    setting!("escape-privilege/sysfs-modules", "writable-below /sys/module", READ_ONLY),
    setting!(
        "escape-privilege/uevent-helper",
        "open-to-write /sys/kernel/uevent_helper",
        READ_ONLY
    ),
    setting!("escape-privilege/power-state", "open-to-write /sys/power/state", READ_ONLY),
    Case::new("escape-privilege/release-agent", &[], |w| cgroup_file(w, "release_agent"))
        .control(|w| cgroup_file_on_host(w, "release_agent")),
    Case::new("escape-privilege/notify-on-release", &[], |w| cgroup_file(w, "notify_on_release"))
        .control(|w| cgroup_file_on_host(w, "notify_on_release")),
    Case::new("escape-privilege/cgroup-procs", &[], |w| cgroup_file(w, "cgroup.procs"))
        .control(|w| cgroup_file_on_host(w, "cgroup.procs")),
    Case::new("escape-privilege/nested-release-agent", PROC, |w| new_cgroup(w, "release_agent"))
        .control(new_cgroup_on_host),
    Case::new("escape-privilege/running-executable-of-pid-1", ISOLATED, executable)
        .control(executable_on_host),
    Case::new("escape-privilege/running-executable-of-the-caller", PROC, callers_executable)
        .control(executable_on_host),
    Case::new("escape-privilege/executable-as-interpreter", ISOLATED, interpreter)
        .control(executable_on_host),
];

const ISOLATED: &[Need] = &[Need::Has(Feature::ProcessesIsolated), Need::Has(Feature::MountProc)];

fn everywhere(w: &World<'_>, words: &str, also: &[&str]) -> Check {
    refused_in(w, trees(w, words, PLACES)?, also)?;
    refused_in(w, hosts_root(w, words)?, also)
}

fn on_host(w: &World<'_>, words: &str) -> Check {
    let answer = w.host_says(words)?;
    if answer.starts_with("ok") {
        return Ok(());
    }
    Err(Failure::cannot_run(format!("it is not permitted without a sandbox either: {answer}")))
}

/// The file in the root of a hierarchy of version 1, as the host has it.
fn of_hierarchy(name: &str) -> Check<String> {
    let none = || Failure::cannot_run("the host has no cgroups of version 1");
    let mut mounts = fs::read_dir("/sys/fs/cgroup").map_err(|_| none())?.flatten();
    let found = mounts.find_map(|entry| {
        let path = entry.path().join(name);
        (entry.path().join("release_agent").exists() && path.exists()).then_some(path)
    });
    Ok(found.ok_or_else(none)?.display().to_string())
}

fn cgroup_words(name: &str) -> Check<String> {
    // A list of processes cannot be written back.
    let attack = if name == "cgroup.procs" { "open-to-write" } else { "rewrite" };
    Ok(format!("{attack} {}", of_hierarchy(name)?))
}

fn cgroup_file(w: &World<'_>, name: &str) -> Check {
    everywhere(w, &cgroup_words(name)?, READ_ONLY)
}

fn cgroup_file_on_host(w: &World<'_>, name: &str) -> Check {
    permitted(w, &cgroup_words(name)?, &["ok"])
}

/// In namespaces of its own, a command may mount the hierarchies anew (CVE-2022-0492).
fn new_cgroup(w: &World<'_>, name: &str) -> Check {
    let words = format!("nested mount-cgroup memory /work then rewrite /work/{name}");
    refused_last(w, &words, PLACES, &["EROFS", "ENOENT", "EINVAL", "ENOSPC"])
}

fn new_cgroup_on_host(w: &World<'_>) -> Check {
    of_hierarchy("release_agent")?;
    let place = w.path("/work").display().to_string();
    permitted(w, &format!("nested mount-cgroup memory {place}"), &["ok"])
}

/// What PID 1 executes is the library's own: whoever could change it would change every later sandbox.
fn executable(w: &World<'_>) -> Check {
    let config = in_tree(w, "overwrite-running 1", &["/proc"])?.processes(Isolation::Isolated);
    is_refused(&w.says(config)?, &["ETXTBSY", "EROFS"])
}

/// The suite itself.
fn callers_executable(w: &World<'_>) -> Check {
    let victim = Victim::new(w, "")?;
    for pid in [std::process::id(), victim.pid()] {
        refused(
            w,
            &format!("overwrite-running {pid}"),
            &["/proc"],
            &["ENOENT", "ETXTBSY", "EROFS"],
        )?;
    }
    Ok(())
}

/// A copy of the probe that has ended by the time it is opened.
fn executable_on_host(w: &World<'_>) -> Check {
    let copy = w.path("/work/copy");
    fs::copy(w.probe_path(), &copy)?;
    let mut running = std::process::Command::new(&copy).args(["sleep", "200"]).spawn()?;
    let answer = w.host_says(&format!("overwrite-running {}", running.id()));
    running.wait()?;
    let answer = answer?;
    if answer == "ok" { Ok(()) } else { Err(Failure::wrong(format!("it cannot: {answer}"))) }
}

fn script(w: &World<'_>) -> Check<SandboxConfigBuilder> {
    let path = w.path("/work/script");
    fs::write(&path, "#!/proc/self/exe\n")?;
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let config = sandbox_core::SandboxConfig::builder(["/work/script"]).root(w.tree());
    let proc = sandbox_core::Mount::new("/proc", sandbox_core::Filesystem::Proc)?;
    Ok(config.mount(proc).processes(Isolation::Isolated))
}

/// A program that names as its interpreter what executes it, which is the init at that time: it must come
/// to an end, and the next sandbox must be as it was.
fn interpreter(w: &World<'_>) -> Check {
    // How it ends is not promised; that it does is.
    drop(w.run(script(w)?));
    same("the next sandbox", w.says(w.probe("read /etc/marker"))?, "inside")?;
    if has(w, Feature::UserRoot)? {
        drop(w.run(script(w)?.user(sandbox_core::User::Root)));
        same("the next sandbox", w.says(w.probe("read /etc/marker"))?, "inside")?;
    }
    Ok(())
}
