//! What is made because it was asked for: directories, files, links; descriptors, files in memory, and
//! overlays with changes in memory; and a root that mounts have covered.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;

use sandbox_core::{
    Feature, Filesystem, Isolation, Mount, MountFlag, Recursion, SandboxConfigBuilder,
};

use super::mounts::tmpfs;
use crate::case::{Case, Need};
use crate::check::{Check, ensure, same};
use crate::world::World;

const FILES: Need = Need::Has(Feature::MountFiles);
const EMPTY: &[Need] = &[FILES, Need::Has(Feature::RootEmpty), Need::Has(Feature::MountBind)];

const BARE: &[Need] = &[
    FILES,
    Need::Has(Feature::RootEmpty),
    Need::Has(Feature::MountBind),
    Need::Has(Feature::ProcessesIsolated),
];

pub(super) const CASES: &[Case] = &[
    Case::new("made/directories-files-links", EMPTY, all_kinds).without_tree(),
    Case::new("made/stays-in-the-tree", &[FILES], stays),
    Case::new("made/link-twice", &[FILES], link_twice),
    Case::new("made/never-outside", &[FILES], never_outside).control(outside_on_host),
    Case::new("made/behind-a-link-in-memory", EMPTY, behind_link).without_tree(),
    Case::new("made/mode-is-changed", &[FILES], mode_changed),
    Case::new("made/data", &[FILES, Need::Has(Feature::MountFlags)], data),
    Case::new("made/descriptor", &[Need::Has(Feature::MountDescriptor)], descriptor),
    Case::new("made/descriptor-closed", &[Need::Has(Feature::MountDescriptor)], closed),
    Case::new("made/if-present", &[Need::Has(Feature::MountBind)], if_present),
    Case::new("made/on-existing-only", &[Need::Has(Feature::MountBind)], existing),
    Case::new("made/over-the-root-by-another-name", &[Need::Has(Feature::MountBind)], root_alias),
    Case::new("made/over-the-root", EMPTY, over_root).without_tree(),
    Case::new("made/nothing-below-the-root", BARE, nothing_below).without_tree(),
    Case::new("made/hosts-root-elsewhere", &[Need::Has(Feature::MountBind)], hosts_root),
    Case::new("made/overlay-over-the-root", &[Need::Has(Feature::MountOverlay)], overlay_root),
    Case::new("made/temporary-overlay", &[Need::Has(Feature::MountOverlay)], temporary_overlay),
    Case::new(
        "made/remount-in-place",
        &[Need::Has(Feature::MountFlags), Need::Has(Feature::MountTmpfs)],
        in_place,
    ),
    Case::new(
        "made/remount-without-submounts",
        &[Need::Has(Feature::MountFlags), Need::Has(Feature::MountTmpfs)],
        single,
    ),
];

/// An empty root with the probe in it.
fn empty(w: &World<'_>, words: &str) -> Check<SandboxConfigBuilder> {
    let probe = Mount::bind(w.probe_path(), "/bin/probe")?;
    Ok(World::rootless(words).empty_root().mount(probe))
}

fn directory(mode: Option<u32>) -> Filesystem {
    Filesystem::Directory { mode }
}

fn file(text: &str) -> Filesystem {
    Filesystem::File { content: text.into(), mode: Some(0o604) }
}

fn link(to: &str) -> Filesystem {
    Filesystem::Symlink { to: to.into() }
}

fn all_kinds(w: &World<'_>) -> Check {
    let words = "stat /a , stat /a/b , stat /c/file , read /c/file , readlink /d/link";
    let config = empty(w, words)?
        .mount(Mount::new("/a/b", directory(Some(0o1777)))?)
        .mount(Mount::new("/c/file", file("text\n"))?)
        .mount(Mount::new("/d/link", link("../c/file"))?);
    let said = w.says(config)?;
    let kinds: Vec<_> =
        said.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    same("made", kinds, ["dir 755", "dir 1777", "file 604", "text", "../c/file"])
}

fn stays(w: &World<'_>) -> Check {
    let config = w
        .probe("read /work/made/file")
        .mount(Mount::new("/work/made/deep", directory(None))?)
        .mount(Mount::new("/work/made/file", file("text\n"))?)
        .mount(Mount::new("/work/made/link", link("file"))?);
    same("inside", w.says(config)?, "text")?;
    ensure!(w.path("/work/made/deep").is_dir(), "the directory is gone");
    same("in the tree", fs::read_to_string(w.path("/work/made/link"))?, "text\n")
}

fn link_twice(w: &World<'_>) -> Check {
    symlink("there", w.path("/work/link"))?;
    let with = |to| Mount::new("/work/link", link(to));
    same("the same", w.says(w.probe("readlink /work/link").mount(with("there")?))?, "there")?;
    w.refuses_naming(w.probe("exit 0").mount(with("elsewhere")?), &["/work/link", "File exists"])
}

/// Links in the tree that lead out of it, as paths of what is made.
fn never_outside(w: &World<'_>) -> Check {
    w.link("/out", w.outside())?;
    let config = w
        .probe("exit 0")
        .mount(Mount::new("/out/directory", directory(None))?)
        .mount(Mount::new("/out/file", file("text\n"))?)
        .mount(Mount::new("/work/../../../out/up", file("text\n"))?);
    // Inside, the link leads to a place that there is not.
    w.refuses(config)?;
    ensure!(!w.outside().join("directory").exists(), "a directory was made outside");
    ensure!(!w.outside().join("file").exists(), "a file was made outside");
    ensure!(!w.outside().join("up").exists(), "a file was made outside");
    Ok(())
}

fn outside_on_host(w: &World<'_>) -> Check {
    let to = w.path("/lead/seen");
    w.link("/lead", w.outside())?;
    fs::write(&to, "")?;
    ensure!(w.outside().join("seen").exists(), "the link does not lead outside");
    fs::remove_file(to)?;
    Ok(())
}

/// A link in memory that leads to a directory of the host: what is made there for a mount is removed.
fn behind_link(w: &World<'_>) -> Check {
    let config = empty(w, "read /link/deep/er/marker")?
        .mount(Mount::bind(w.tree(), "/tree")?)
        .mount(Mount::new("/link", link("tree"))?)
        .mount(Mount::bind(w.shared(), "/link/deep/er")?);
    same("inside", w.says(config)?, "shared")?;
    ensure!(!w.path("/deep").exists(), "the mount point stays");
    Ok(())
}

fn mode_changed(w: &World<'_>) -> Check {
    fs::create_dir(w.path("/work/mode"))?;
    let config = w
        .probe("stat /work/mode")
        .mount(Mount::new("/work/mode", Filesystem::Chmod { mode: 0o701 })?);
    ensure!(w.says(config)?.starts_with("dir 701 "), "the mode is another");
    let missing = Mount::new("/work/none", Filesystem::Chmod { mode: 0o701 })?;
    w.refuses_naming(w.probe("exit 0").mount(missing), &["mode", "/work/none"])
}

fn data(w: &World<'_>) -> Check {
    let data = |mode| Filesystem::Data { content: b"secret\n".into(), mode };
    let words = "read /etc/data , stat /etc/data , write /etc/data , write /data/other , ls /etc";
    let config = w
        .probe(words)
        .mount(Mount::new("/etc/data", data(None))?.with(MountFlag::ReadOnly))
        .mount(Mount::new("/data/other", data(Some(0o640)))?);
    let said = w.says(config)?;
    ensure!(said.starts_with("secret\nfile 600 "), "inside: {said}");
    ensure!(said.ends_with("\nEROFS\nok\ndata marker"), "inside: {said}");
    ensure!(!w.path("/etc/data").exists(), "the mount point stays");
    same("large", w.says(large(w)?)?.len(), 3 << 20)
}

fn large(w: &World<'_>) -> Check<SandboxConfigBuilder> {
    let content = vec![b'x'; 3 << 20];
    Ok(w.probe("read /data/large")
        .mount(Mount::new("/data/large", Filesystem::Data { content, mode: None })?))
}

fn descriptor(w: &World<'_>) -> Check {
    let shared = File::open(w.shared())?;
    let bind = Filesystem::BindDescriptor {
        descriptor: shared.as_raw_fd(),
        recursion: Recursion::Recursive,
    };
    let config = w.probe("read /data/new/marker").mount(Mount::new("/data/new", bind)?);
    same("inside", w.says(config)?, "shared")?;
    ensure!(!w.path("/data/new").exists(), "the mount point stays");
    Ok(())
}

fn closed(w: &World<'_>) -> Check {
    let bind =
        Filesystem::BindDescriptor { descriptor: 1_000_000, recursion: Recursion::Recursive };
    let config = w.probe("exit 0").mount(Mount::new("/data", bind)?);
    w.refuses_naming(config, &["descriptor 1000000", "Bad file descriptor"])
}

fn if_present(w: &World<'_>) -> Check {
    let config = w
        .probe("ls /data , read /work/marker")
        .mount(Mount::bind(w.dir().join("absent"), "/data/absent")?.if_present())
        .mount(Mount::bind(w.shared(), "/work")?.if_present());
    same("inside", w.says(config)?, "1\nshared")?;
    let config = w.probe("exit 0").mount(Mount::bind(w.dir().join("absent"), "/data/absent")?);
    w.refuses_naming(config, &["/data/absent", "No such file"])
}

fn existing(w: &World<'_>) -> Check {
    let config = w.probe("read /data/marker");
    let on = |target| Mount::bind(w.shared(), target).map(Mount::on_existing);
    same("there", w.says(config.mount(on("/data")?))?, "shared")?;
    w.refuses_naming(w.probe("exit 0").mount(on("/data/new")?), &["/data/new", "No such file"])
}

fn root_alias(w: &World<'_>) -> Check {
    w.link("/alias", "/data/..")?;
    for name in ["/alias", "/data/.."] {
        let config = w.probe("exit 0").mount(Mount::bind(w.shared(), name)?);
        // The root is what was bound, and the probe is not in it.
        w.refuses_naming(config, &["/bin/probe", "No such file"])?;
    }
    Ok(())
}

fn over_root(w: &World<'_>) -> Check {
    let config = World::rootless("ls / , read /etc/marker , flags / , read /data/marker")
        .empty_root()
        .mount(Mount::new("/covered", directory(None))?)
        .mount(Mount::bind(w.tree(), "/")?.with(MountFlag::NoSuid))
        .mount(Mount::bind(w.shared(), "/data")?);
    let said = w.says(config)?;
    ensure!(!said.contains("covered"), "what was covered is seen: {said}");
    ensure!(said.contains("\ninside\nrw nosuid"), "inside: {said}");
    ensure!(said.ends_with("\nshared"), "inside: {said}");
    let twice = World::rootless("exit 0")
        .empty_root()
        .mount(Mount::bind(w.tree(), "/")?)
        .mount(Mount::new("/", tmpfs())?);
    w.refuses_naming(twice, &["/bin/probe"])
}

/// Of the roots that were covered, and of the host's, none is left, not even by `..` of the root.
fn nothing_below(w: &World<'_>) -> Check {
    let data = Filesystem::Data { content: b"data".into(), mode: None };
    let config = World::rootless("ls /.. , read /proc/self/mountinfo")
        .empty_root()
        .processes(Isolation::Isolated)
        .mount(Mount::new("/covered", directory(None))?)
        .mount(Mount::bind(w.shared(), "/")?)
        .mount(Mount::bind(w.tree(), "/")?)
        .mount(Mount::new("/data/file", data)?)
        .mount(Mount::new("/proc", Filesystem::Proc)?);
    let said = w.says(config)?;
    let (top, table) = said.split_once('\n').unwrap_or_default();
    same("above the root", top, "bin data dev etc proc tmp work work2")?;
    let places = table.lines().filter_map(|line| line.split(' ').nth(4));
    let odd: Vec<_> = places.clone().filter(|place| !place.starts_with("/proc")).collect();
    same("mounts", odd, ["/", "/data/file"])
}

/// The roots of the sandbox are mounted over the host's, and must not come along with it.
fn hosts_root(w: &World<'_>) -> Check {
    let config = w
        .probe("exists /data/usr , exists /data/etc/marker , exists /etc/marker")
        .mount(Mount::bind("/", "/data")?);
    same("inside", w.says(config)?, "ok\nENOENT\nok")
}

fn overlay_root(w: &World<'_>) -> Check {
    let overlay = Filesystem::TemporaryOverlay { lower: vec![w.shared(), w.tree()] };
    let config = w.probe("read /marker , write /etc/marker , read /etc/marker , write /new");
    let config = config.mount(Mount::new("/", overlay)?);
    same("inside", w.says(config)?, "shared\nok\ninside\nxok")?;
    same("in the tree", fs::read_to_string(w.path("/etc/marker"))?, "inside\n")?;
    ensure!(!w.path("/new").exists(), "a change went to the tree");
    Ok(())
}

fn temporary_overlay(w: &World<'_>) -> Check {
    let overlay = Filesystem::TemporaryOverlay { lower: vec![w.shared()] };
    let config = w
        .probe("ls /data , write /data/marker , write /data/new , ls /data")
        .mount(Mount::new("/data", overlay)?);
    same("inside", w.says(config)?, "marker\nok\nok\nmarker new")?;
    same("of the layer", fs::read_to_string(w.shared().join("marker"))?, "shared\n")?;
    ensure!(!w.shared().join("new").exists(), "a change went to the layer");
    Ok(())
}

const IN_PLACE: &str = "write /data/new , write /data/below/new";

fn covered(w: &World<'_>) -> Check<SandboxConfigBuilder> {
    let config = w.probe(IN_PLACE).mount(Mount::new("/data", tmpfs())?);
    Ok(config.mount(Mount::new("/data/below", tmpfs())?))
}

fn in_place(w: &World<'_>) -> Check {
    let remount = Mount::new("/data", Filesystem::RemountInPlace)?;
    same("attempts", w.says(covered(w)?.mount(remount))?, "EROFS\nok")?;
    let no_mount = Mount::new("/etc", Filesystem::RemountInPlace)?;
    w.refuses_naming(w.probe("exit 0").mount(no_mount), &["/etc", "Invalid argument"])
}

fn single(w: &World<'_>) -> Check {
    let remount = Mount::new("/data", Filesystem::RemountSingle)?;
    // The mount below is left out, and with it the directory that was made for it is seen, empty.
    same("attempts", w.says(covered(w)?.mount(remount))?, "EROFS\nEROFS")
}
