//! Out through mounts that are passed on between namespaces, and the read-only cover over very many. The
//! callers have mounts of their own, so that the host's stay as they are.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use sandbox_core::{Feature, Filesystem, Input, Isolation, Mount, SandboxConfigBuilder};

use crate::case::{Case, Need, Role};
use crate::check::{Check, Failure, ensure, same};
use crate::world::{World, said};

const OWN: &[Need] = &[
    Need::Has(Feature::MountsIsolated),
    Need::Has(Feature::MountBind),
    Need::Has(Feature::MountTmpfs),
];
const COVER: &[Need] = &[Need::Has(Feature::WritableNothing), Need::Has(Feature::MountBind)];

/// Mounts below a tree.
const MANY: usize = 10_000;

pub(super) const CASES: &[Case] = &[
    Case::new("escape-root/mounts-pass-out", OWN, out).control(passed_out),
    Case::new("escape-root/mounts-pass-in", OWN, into).control(passed_in),
    Case::new("escape-read-only/mounted-after-set-up", COVER, after).control(passed_in),
    Case::new("escape-read-only/ten-thousand-mounts", COVER, many).control(many_writable),
];

pub(super) const ROLES: &[Role] = &[
    Role { name: "mounts-out", run: out_role },
    Role { name: "mounts-out-control", run: out_control },
    Role { name: "mounts-in", run: in_role },
    Role { name: "mounts-in-control", run: in_control },
    Role { name: "mounts-after", run: after_role },
    Role { name: "mounts-many", run: many_role },
    Role { name: "mounts-many-control", run: many_control },
];

/// As a caller in whose mounts `shared` passes on what is mounted there.
fn sharing(w: &World<'_>, role: &str) -> Check {
    fs::create_dir_all(w.shared().join("sub"))?;
    let wrapper = format!("shared-mounts {}", w.shared().display());
    own_mounts(w, &wrapper)?;
    w.play(&wrapper, role)
}

fn own_mounts(w: &World<'_>, wrapper: &str) -> Check {
    let mut command = w.host(wrapper);
    if command.arg("/bin/true").output()?.status.success() {
        return Ok(());
    }
    Err(Failure::cannot_run("the caller cannot have mounts of its own"))
}

fn mounted_on_sub(w: &World<'_>) -> Check<bool> {
    let sub = w.shared().join("sub").display().to_string();
    Ok(fs::read_to_string("/proc/self/mountinfo")?.contains(&format!(" {sub} ")))
}

fn out(w: &World<'_>) -> Check {
    sharing(w, "mounts-out")
}

fn passed_out(w: &World<'_>) -> Check {
    sharing(w, "mounts-out-control")
}

fn tmpfs() -> Filesystem {
    Filesystem::Tmpfs { size: Some(65536), mode: None }
}

fn out_role(w: &World<'_>) -> Check {
    let config = bound(w, "cat")?.mount(Mount::new("/data/sub", tmpfs())?);
    let child = w.start(config)?;
    ensure!(!mounted_on_sub(w)?, "what was mounted for the sandbox is mounted outside");
    child.wait()?;
    let config = bound(w, "mount /data/sub , flags /data/sub")?;
    w.says(config.stdin(Input::Null))?;
    ensure!(!mounted_on_sub(w)?, "what was mounted inside is mounted outside");
    Ok(())
}

fn bound(w: &World<'_>, words: &str) -> Check<SandboxConfigBuilder> {
    let config = w.probe(words).mounts(Isolation::Isolated).stdin(Input::Piped);
    Ok(config.mount(Mount::bind(w.shared(), "/data")?))
}

fn out_control(w: &World<'_>) -> Check {
    let (probe, sub) = (w.probe_path().display().to_string(), w.shared().join("sub"));
    w.host_says(&format!("joined-mounts {probe} mount {}", sub.display()))?;
    ensure!(mounted_on_sub(w)?, "it does not pass out without the isolation either");
    Ok(())
}

fn into(w: &World<'_>) -> Check {
    sharing(w, "mounts-in")
}

fn passed_in(w: &World<'_>) -> Check {
    sharing(w, "mounts-in-control")
}

fn after(w: &World<'_>) -> Check {
    sharing(w, "mounts-after")
}

fn mount_sub(w: &World<'_>) -> Check {
    let sub = w.shared().join("sub");
    same("mount", w.host_says(&format!("mount {}", sub.display()))?, "ok")
}

/// What the command says that writes below a mount which was made after its sandbox.
fn writes_after(w: &World<'_>, config: SandboxConfigBuilder) -> Check<String> {
    let mut child = w.start(config)?;
    mount_sub(w)?;
    child.stdin.take().ok_or_else(|| Failure::wrong("no standard input"))?.write_all(b"\n")?;
    let said = said(&child.wait()?)?;
    ensure!(!w.shared().join("sub/new").exists(), "it wrote to what was mounted afterwards");
    Ok(said)
}

fn in_role(w: &World<'_>) -> Check {
    same("inside", writes_after(w, bound(w, "when-told /data/sub/new")?)?, "ready\nok")
}

fn after_role(w: &World<'_>) -> Check {
    let config = bound(w, "when-told /data/sub/new")?.read_only();
    same("inside", writes_after(w, config)?, "ready\nEROFS")
}

fn in_control(w: &World<'_>) -> Check {
    let probe = w.probe_path().display().to_string();
    let new = w.shared().join("sub/new");
    let mut command = w.host(&format!("joined-mounts {probe} when-told {}", new.display()));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let out = child.stdout.take().ok_or_else(|| Failure::wrong("no output"))?;
    BufReader::new(out).read_line(&mut line)?;
    mount_sub(w)?;
    child.stdin.take().ok_or_else(|| Failure::wrong("no standard input"))?.write_all(b"\n")?;
    child.wait()?;
    ensure!(new.exists(), "it does not pass in without the isolation either");
    Ok(())
}

fn below(w: &World<'_>, role: &str) -> Check {
    let data = w.path("/data").display().to_string();
    own_mounts(w, &format!("mounts-below {data} 0"))?;
    w.play(&format!("mounts-below {data} {MANY}"), role)
}

fn many(w: &World<'_>) -> Check {
    below(w, "mounts-many")
}

fn many_writable(w: &World<'_>) -> Check {
    below(w, "mounts-many-control")
}

fn many_role(w: &World<'_>) -> Check {
    same("inside", w.says(w.probe(&format!("writable-of /data {MANY}")).read_only())?, "0")
}

fn many_control(w: &World<'_>) -> Check {
    let said = w.says(w.probe(&format!("writable-of /data {MANY}")))?;
    same("inside", said, MANY.to_string())
}
