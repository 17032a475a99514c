//! The `linux` part of a bundle.

use sandbox_core::{Isolation, SandboxConfig, User, UserNamespace};
use serde::Deserialize;
use serde_json::Value;

use super::super::error::OciError;
use super::object::{self, Object};
use super::resources;
use super::seccomp::SeccompProfile;
use super::{Hosts, Told};

/// What every sandbox hides from a command that is the host's user 0; for any other the kernel's
/// permissions do (`sandbox_core::protect_host`).
const MASKED: [&str; 8] = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
];
/// And what it keeps from being written, the same way.
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mapping {
    #[serde(rename = "containerID")]
    inside: u32,
    #[serde(rename = "hostID")]
    host: u32,
    size: u32,
}

pub(super) fn linux(
    mut linux: Object,
    config: &mut SandboxConfig,
    hosts: Hosts,
    told: &mut Told,
) -> Result<Option<SeccompProfile>, OciError> {
    let namespaces = linux.take::<Vec<Value>>("namespaces")?.unwrap_or_default();
    for (index, namespace) in namespaces.into_iter().enumerate() {
        let namespace = Object::new(format!("linux.namespaces[{index}]"), namespace)?;
        self::namespace(namespace, config, told)?;
    }
    let (uid, gid) = match config.user {
        User::Ids { uid, gid } => (uid, gid),
        _ => (0, 0),
    };
    let own = config.user_namespace == UserNamespace::Own;
    for (name, inside, host) in [("uidMappings", uid, hosts.uid), ("gidMappings", gid, hosts.gid)] {
        mappings(&mut linux, name, own.then_some((inside, host)), told)?;
    }
    for (name, always) in [("maskedPaths", &MASKED[..]), ("readonlyPaths", &READ_ONLY)] {
        let paths = linux.take::<Vec<String>>(name)?.unwrap_or_default();
        for (index, path) in paths.into_iter().enumerate() {
            if !always.contains(&path.trim_end_matches('/')) {
                told.unsupported(format!("linux.{name}[{index}]"), path);
            }
        }
    }
    // What is mounted inside stays inside, and comes in from nowhere.
    if let Some(kind) = linux.take::<String>("rootfsPropagation")?.filter(|kind| !kind.is_empty()) {
        match kind.as_str() {
            "private" | "rprivate" => told.without_effect("linux.rootfsPropagation", kind),
            _ => told.unsupported("linux.rootfsPropagation", kind),
        }
    }
    let seccomp = seccomp(linux.object("seccomp")?, told)?;
    config.limits = resources::limits(linux.object("resources")?, told)?;
    linux.finish(told);
    Ok(seccomp)
}

fn namespace(
    mut namespace: Object,
    config: &mut SandboxConfig,
    told: &mut Told,
) -> Result<(), OciError> {
    let kind: String = namespace.need("type", "the kind of the namespace, such as pid")?;
    let path = namespace.take::<String>("path")?.filter(|path| !path.is_empty());
    if let Some(path) = path {
        // An existing one is to be joined: one of the sandbox's own would be another.
        told.unsupported(namespace.field("path"), path);
        namespace.finish(told);
        return Ok(());
    }
    match kind.as_str() {
        "pid" => config.processes = Isolation::Isolated,
        "network" => config.network = Isolation::Isolated,
        "ipc" => config.ipc = Isolation::Isolated,
        "uts" => config.uts = Isolation::Isolated,
        "mount" => config.mounts = Isolation::Isolated,
        "cgroup" => config.cgroup = Isolation::Isolated,
        "user" => config.user_namespace = UserNamespace::Own,
        _ => told.unsupported(namespace.field("type"), kind),
    }
    namespace.finish(told);
    Ok(())
}

/// A sandbox maps the command's own id to its caller's; that is the one mapping which is honoured.
fn mappings(
    linux: &mut Object,
    name: &str,
    ours: Option<(u32, u32)>,
    told: &mut Told,
) -> Result<(), OciError> {
    let field = linux.field(name);
    let list = linux.take::<Vec<Value>>(name)?.unwrap_or_default();
    let only = list.len() == 1;
    for (index, value) in list.into_iter().enumerate() {
        let field = format!("{field}[{index}]");
        let mapping: Mapping = object::read(&field, value.clone())?;
        if !only || mapping.size != 1 || ours != Some((mapping.inside, mapping.host)) {
            told.unsupported(field, value);
        }
    }
    Ok(())
}

fn seccomp(mut seccomp: Object, told: &mut Told) -> Result<Option<SeccompProfile>, OciError> {
    let Some(default_action) = seccomp.take("defaultAction")? else {
        seccomp.finish(told);
        return Ok(None);
    };
    let profile = SeccompProfile {
        default_action,
        default_errno_ret: seccomp.take("defaultErrnoRet")?,
        architectures: seccomp.take("architectures")?.unwrap_or_default(),
        syscalls: seccomp.take("syscalls")?.unwrap_or_default(),
    };
    seccomp.finish(told);
    Ok(Some(profile))
}
