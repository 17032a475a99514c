//! IPC objects and the host name.

use sandbox_core::{Feature, Filesystem, Isolation, Mount, SandboxConfig};

use crate::case::{Case, Need};
use crate::check::{Check, Failure, ensure, same};
use crate::world::World;

const IPC: &[Need] = &[Need::Has(Feature::IpcIsolated)];
const NAMED: &[Need] = &[Need::Has(Feature::HostnameNamed)];

pub(super) const CASES: &[Case] = &[
    Case::new(
        "ipc/hosts-shm-is-hidden",
        &[Need::Has(Feature::IpcIsolated), Need::Has(Feature::RootHost)],
        hosts_shm,
    ),
    Case::new("ipc/shared-memory-not-seen", IPC, shm).control(shm_undefined),
    Case::new("ipc/message-queue-not-seen", IPC, mq).control(mq_undefined),
    Case::new("ipc/own-objects-work", IPC, own),
    Case::new(
        "ipc/mqueue-file-system",
        &[Need::Has(Feature::IpcIsolated), Need::Has(Feature::MountMqueue)],
        mqueue,
    ),
    Case::new("hostname/named", NAMED, named).control(undefined),
    Case::new("hostname/undefined", &[Need::Has(Feature::HostnameUndefined)], undefined),
    Case::new("hostname/domain-is-cleared", NAMED, domain),
    Case::new("hostname/cannot-be-changed", NAMED, cannot_change),
];

/// A key that belongs to this process alone.
fn key() -> u32 {
    0x5a00_0000 | std::process::id()
}

/// Makes an object outside, asks for it inside, removes it.
fn seen(w: &World<'_>, kind: &str, name: &str, ipc: Isolation) -> Check<String> {
    let made = w.host_says(&format!("{kind}-make {name}"))?;
    if made == "ENOSYS" {
        return Err(Failure::cannot_run(format!("this kernel has no {kind}")));
    }
    same("made outside", made, "ok")?;
    let said = w.says(w.probe(&format!("{kind}-find {name}")).ipc(ipc));
    same("removed outside", w.host_says(&format!("{kind}-remove {name}"))?, "ok")?;
    said
}

fn shm(w: &World<'_>) -> Check {
    same("inside", seen(w, "shm", &key().to_string(), Isolation::Isolated)?, "ENOENT")
}

fn shm_undefined(w: &World<'_>) -> Check {
    same("inside", seen(w, "shm", &key().to_string(), Isolation::Undefined)?, "ok")
}

fn queue() -> String {
    format!("/sandbox-testkit-{}", std::process::id())
}

fn mq(w: &World<'_>) -> Check {
    same("inside", seen(w, "mq", &queue(), Isolation::Isolated)?, "ENOENT")
}

fn mq_undefined(w: &World<'_>) -> Check {
    same("inside", seen(w, "mq", &queue(), Isolation::Undefined)?, "ok")
}

fn own(w: &World<'_>) -> Check {
    let key = key();
    let words = format!("shm-make {key} , shm-find {key} , mq-make /own , mq-find /own");
    same("inside", w.says(w.probe(&words).ipc(Isolation::Isolated))?, "ok\nok\nok\nok")?;
    same("outside", w.host_says(&format!("shm-find {key}"))?, "ENOENT")
}

/// POSIX shared memory is files, which the host's root has.
fn hosts_shm(w: &World<'_>) -> Check {
    let probe = w.probe_path().display().to_string();
    let name = format!("/dev/shm/sandbox-testkit-{}", std::process::id());
    std::fs::write(&name, "of the host")?;
    let config = SandboxConfig::builder([&*probe, "exists", &name, ",", "write", &name]);
    let said = w.says(config.ipc(Isolation::Isolated));
    let content = std::fs::read_to_string(&name)?;
    std::fs::remove_file(&name)?;
    same("inside", said?, "ENOENT\nok")?;
    same("outside", content, "of the host")
}

fn mqueue(w: &World<'_>) -> Check {
    let config = w.probe("mq-make /own , ls /data").ipc(Isolation::Isolated);
    let said = w.says(config.mount(Mount::new("/data", Filesystem::Mqueue)?))?;
    same("inside", said, "ok\nown")
}

fn named(w: &World<'_>) -> Check {
    let before = w.host_says("hostname")?;
    same("inside", w.says(w.probe("hostname").hostname("box-7.example"))?, "box-7.example")?;
    same("outside", w.host_says("hostname")?, before)
}

fn undefined(w: &World<'_>) -> Check {
    let host = w.host_says("hostname")?;
    ensure!(host != "box-7.example", "the host itself is called {host}");
    same("inside", w.says(w.probe("hostname"))?, host)
}

fn domain(w: &World<'_>) -> Check {
    let said = w.says(w.probe("domainname").hostname("box"))?;
    ensure!(said.is_empty() || said == "(none)", "the domain is {said}");
    Ok(())
}

fn cannot_change(w: &World<'_>) -> Check {
    let said = w.says(w.probe("set-hostname other , hostname").hostname("box"))?;
    same("inside", said, "EPERM\nbox")
}
