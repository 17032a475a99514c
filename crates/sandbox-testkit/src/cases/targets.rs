//! Mount targets: made where missing, removed again, and never outside of the tree.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use sandbox_core::{Feature, Filesystem, Mount, SandboxConfigBuilder, Status};

use super::mounts::tmpfs;
use crate::case::{Case, Need};
use crate::check::{Check, ensure, names, same};
use crate::world::{World, said};

const BIND: &[Need] = &[Need::Has(Feature::MountBind)];
const TMPFS: &[Need] = &[Need::Has(Feature::MountTmpfs)];
const BOTH: &[Need] = &[Need::Has(Feature::MountBind), Need::Has(Feature::MountTmpfs)];

pub(super) const CASES: &[Case] = &[
    Case::new("targets/missing-directory-is-made", BIND, missing_directory),
    Case::new("targets/missing-file-is-made", BIND, missing_file),
    Case::new("targets/existing-is-kept", BIND, existing),
    Case::new("targets/several-share-a-missing-parent", BOTH, shared_parent),
    Case::new("targets/removed-after-a-failure", BOTH, removed_after_failure),
    Case::new("targets/what-was-written-there-is-kept", TMPFS, written_beside),
    Case::new("targets/link-out", BOTH, link_out).control(link_leads_out),
    Case::new("targets/link-out-in-parent", BOTH, parent_out).control(link_leads_out),
    Case::new("targets/relative-link-out", BOTH, relative_link).control(relative_leads_out),
    Case::new("targets/dotdot", BOTH, dotdot).control(dotdot_leads_out),
    Case::new("targets/link-into-a-mount", BOTH, link_into_a_mount),
    Case::new("targets/shared-by-two-sandboxes", TMPFS, shared),
    Case::new("targets/dangling-link", BOTH, dangling),
    Case::new("targets/link-loop", BOTH, link_loop),
    Case::new("targets/file-as-parent", TMPFS, file_as_parent),
    Case::new("targets/parent-closed-to-writing", TMPFS, closed_parent),
    Case::new(
        "targets/missing-in-read-only-tree",
        &[Need::Has(Feature::MountBind), Need::Has(Feature::WritableNothing)],
        missing_in_read_only,
    ),
];

fn missing_directory(w: &World<'_>) -> Check {
    let config = w.probe("read /new/deep/dir/marker , ls /new");
    let config = config.mount(Mount::bind(w.shared(), "/new/deep/dir")?);
    same("inside", w.says(config)?, "shared\ndeep")?;
    ensure!(!w.path("/new").exists(), "the target is left in the tree");
    Ok(())
}

fn missing_file(w: &World<'_>) -> Check {
    let config = w.probe("read /new/deep/file");
    let config = config.mount(Mount::bind(w.shared().join("marker"), "/new/deep/file")?);
    same("inside", w.says(config)?, "shared")?;
    ensure!(!w.path("/new").exists(), "the target is left in the tree");
    Ok(())
}

fn existing(w: &World<'_>) -> Check {
    w.directory("/mine")?;
    let config = w.probe("exists /mine/marker").mount(Mount::bind(w.shared(), "/mine")?);
    same("inside", w.says(config)?, "ok")?;
    ensure!(w.path("/mine").is_dir(), "a directory of the tree was removed");
    Ok(())
}

fn shared_parent(w: &World<'_>) -> Check {
    let config = w.probe("ls /new , ls /new/b , exists /new/a/marker");
    let config = config.mount(Mount::bind(w.shared(), "/new/a")?);
    same("inside", w.says(config.mount(Mount::new("/new/b", tmpfs())?))?, "a b\n\nok")
}

/// The leak detectors see to the tree; here, that there is something to see to.
fn removed_after_failure(w: &World<'_>) -> Check {
    let config = w.probe("exit 0").mount(Mount::new("/new/first", tmpfs())?);
    let config = config.mount(Mount::bind(w.shared().join("absent"), "/new/second")?);
    w.refuses_naming(config, &["shared/absent"])?;
    let config = w.probe("exit 0").mount(Mount::new("/new/first", tmpfs())?).cwd("/absent");
    w.refuses_naming(config, &["/absent"])?;
    let config = sandbox_core::SandboxConfig::builder(["/bin/absent"]).root(w.tree());
    w.refuses_naming(config.mount(Mount::new("/new/first", tmpfs())?), &["/bin/absent"])?;
    ensure!(!w.path("/new").exists(), "a target is left in the tree");
    Ok(())
}

/// A directory that was made, and holds something by now, is not ours to remove.
fn written_beside(w: &World<'_>) -> Check {
    let config =
        w.probe("write /work/made/beside").mount(Mount::new("/work/made/target", tmpfs())?);
    same("inside", w.says(config)?, "ok")?;
    ensure!(w.path("/work/made/beside").is_file(), "the command's file was removed");
    Ok(())
}

/// Mounts of both kinds on a target that on the host leads to `outside`, or nowhere. The target is
/// refused, or taken inside of the tree; nothing may happen outside, which the leak detectors see to.
fn stays_inside(w: &World<'_>, target: &str) -> Check {
    let bind = Filesystem::Bind { source: w.shared(), recursion: sandbox_core::Recursion::Single };
    for filesystem in [tmpfs(), bind] {
        // Looks at the target by the same name, which inside can only mean the inside.
        let words = format!("write {target}/new , ls {target}");
        let config: SandboxConfigBuilder = w.probe(&words).mount(Mount::new(target, filesystem)?);
        match w.run(config) {
            Ok(outcome) => {
                let said = said(&outcome)?;
                ensure!(said.starts_with("ok\n"), "mounted, but not at {target}: {said}");
            }
            Err(error) => names(&error, &[target])?,
        }
        ensure!(!w.outside().join("new").exists(), "it wrote outside");
        ensure!(!w.outside().join("sub/new").exists(), "it wrote outside");
    }
    Ok(())
}

fn link_out(w: &World<'_>) -> Check {
    w.link("/out", w.outside())?;
    stays_inside(w, "/out")
}

fn parent_out(w: &World<'_>) -> Check {
    w.link("/out", w.outside())?;
    stays_inside(w, "/out/sub")?;
    stays_inside(w, "/out/missing")
}

fn link_leads_out(w: &World<'_>) -> Check {
    w.link("/control", w.outside())?;
    same("on the host", w.path("/control").canonicalize()?, w.outside().canonicalize()?)
}

fn relative_link(w: &World<'_>) -> Check {
    w.link("/work/out", "../../outside")?;
    stays_inside(w, "/work/out")?;
    stays_inside(w, "/work/out/sub")
}

fn relative_leads_out(w: &World<'_>) -> Check {
    w.link("/work/control", "../../outside")?;
    same("on the host", w.path("/work/control").canonicalize()?, w.outside().canonicalize()?)
}

fn dotdot(w: &World<'_>) -> Check {
    stays_inside(w, "/../outside")?;
    stays_inside(w, "/work/../../outside/sub")
}

/// What is made below a mount of the plan, whose target is reached through a link, is on the host too.
fn link_into_a_mount(w: &World<'_>) -> Check {
    let bound = w.directory("/bound")?;
    w.link("/work/via", "/mounted")?;
    let config = w.probe("write /mounted/new/file").mount(Mount::bind(bound, "/mounted")?);
    for target in ["/work/via/new", "/mounted/../work/via/new"] {
        same("inside", w.says(config.clone().mount(Mount::new(target, tmpfs())?))?, "ok")?;
        ensure!(!w.path("/bound/new").exists(), "{target} is left in what was bound");
    }
    Ok(())
}

/// The first of them has made the target; its end must not take the other one's mount away.
fn shared(w: &World<'_>) -> Check {
    let mount = |words: &str| -> Check<SandboxConfigBuilder> {
        Ok(w.probe(words).mount(Mount::new("/new/deep", tmpfs())?))
    };
    let first = w.start(mount("sleep 200")?)?;
    let second = w.start(mount("write /new/deep/mine , sleep 600 , exists /new/deep/mine")?)?;
    same("the first", first.wait()?.status, Status::Exited(0))?;
    ensure!(w.path("/new/deep").exists(), "the first has removed what the second uses");
    same("the second", said(&second.wait()?)?, "ok\nok")?;
    ensure!(!w.path("/new").exists(), "the target is left in the tree");
    Ok(())
}

fn dotdot_leads_out(w: &World<'_>) -> Check {
    same("on the host", w.path("/../outside").canonicalize()?, w.outside().canonicalize()?)
}

fn dangling(w: &World<'_>) -> Check {
    w.link("/dangling", w.outside().join("absent"))?;
    stays_inside(w, "/dangling")?;
    ensure!(!w.outside().join("absent").exists(), "the link's target was made on the host");
    Ok(())
}

fn link_loop(w: &World<'_>) -> Check {
    w.link("/loop", "/loop")?;
    let error = w.refuses(w.probe("exit 0").mount(Mount::new("/loop/dir", tmpfs())?))?;
    names(&error, &["/loop/dir"])
}

fn file_as_parent(w: &World<'_>) -> Check {
    let config = w.probe("exit 0").mount(Mount::new("/etc/marker/dir", tmpfs())?);
    w.refuses_naming(config, &["/etc/marker/dir", "Not a directory"])
}

/// The caller's own permissions forbid to make the target; whoever makes it all the same, as root or as
/// root of a user namespace, must be able to remove it too.
fn closed_parent(w: &World<'_>) -> Check {
    let dir = w.directory("/closed")?;
    fs::set_permissions(&dir, Permissions::from_mode(0o555))?;
    let config = w.probe("exists /closed/new").mount(Mount::new("/closed/new", tmpfs())?);
    let result = match w.run(config) {
        Ok(outcome) => same("inside", said(&outcome)?, "ok"),
        Err(error) => names(&error, &["/closed/new", "Permission denied"]),
    };
    let left = dir.join("new").exists();
    fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
    ensure!(!left, "the target is left in the tree");
    result
}

/// Read-only is what the command gets, not what the mounts are made in.
fn missing_in_read_only(w: &World<'_>) -> Check {
    let config = w.probe("read /new/marker , write /new/new").read_only();
    same("inside", w.says(config.mount(Mount::bind(w.shared(), "/new")?))?, "shared\nEROFS")
}
