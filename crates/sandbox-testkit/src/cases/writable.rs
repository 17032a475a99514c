//! What can be written.

use sandbox_core::{Feature, Filesystem, Mount, MountFlag};

use crate::case::{Case, Need};
use crate::check::{Check, ensure, same};
use crate::world::{World, said};

const NOTHING: &[Need] = &[Need::Has(Feature::WritableNothing)];
const ONLY: &[Need] = &[Need::Has(Feature::WritableOnly)];

pub(super) const CASES: &[Case] = &[
    Case::new("writable/all", &[Need::Has(Feature::WritableAll)], all),
    Case::new("writable/nothing", NOTHING, nothing).control(all),
    Case::new("writable/only-one", ONLY, only_one).control(all),
    Case::new("writable/only-nested", ONLY, nested).control(all),
    Case::new("writable/parents-stay-read-only", ONLY, parents).control(all),
    Case::new("writable/empty-list-is-nothing", ONLY, empty_list).control(all),
    Case::new("writable/root-is-all", ONLY, root),
    Case::new("writable/root-by-another-name", ONLY, root_by_another_name),
    Case::new("writable/single-file", ONLY, single_file).control(all),
    Case::new("writable/missing", ONLY, missing),
    Case::new("writable/link-stays-inside", ONLY, link),
    Case::new("writable/thousand-paths", ONLY, thousand),
    Case::new(
        "writable/nothing-in-mounts",
        &[
            Need::Has(Feature::WritableNothing),
            Need::Has(Feature::MountTmpfs),
            Need::Has(Feature::MountBind),
        ],
        nothing_in_mounts,
    )
    .control(all_in_mounts),
    Case::new(
        "writable/only-in-mounts",
        &[
            Need::Has(Feature::WritableOnly),
            Need::Has(Feature::MountTmpfs),
            Need::Has(Feature::MountBind),
        ],
        only_in_mounts,
    )
    .control(all_in_mounts),
    Case::new(
        "writable/read-only-bind-under-another-name",
        &[
            Need::Has(Feature::WritableOnly),
            Need::Has(Feature::MountTmpfs),
            Need::Has(Feature::MountBind),
        ],
        two_names,
    )
    .control(all_in_mounts),
    Case::new("writable/cannot-be-undone", NOTHING, cannot_be_undone).control(all),
];

fn all(w: &World<'_>) -> Check {
    let said = w.says(w.probe(
        "write /new , write /etc/new , write /work/new , mkdir /work/dir , chmod /work/new 600 , \
         unlink /new , unlink /etc/new",
    ))?;
    same("attempts", said, ["ok"; 7].join("\n"))?;
    ensure!(w.path("/work/new").is_file(), "what was written is not in the tree");
    std::fs::remove_file(w.path("/work/new"))?;
    std::fs::remove_dir(w.path("/work/dir"))?;
    Ok(())
}

fn nothing(w: &World<'_>) -> Check {
    let config = w.probe(
        "write /new , write /etc/marker , mkdir /work/dir , unlink /etc/marker , \
         chmod /etc/marker 600 , symlink a /work/link , write /tmp/new , read /etc/marker",
    );
    let said = w.says(config.read_only())?;
    same("attempts", said, format!("{}inside", "EROFS\n".repeat(7)))
}

fn only_one(w: &World<'_>) -> Check {
    // `/work2` begins with the same letters, and is something else.
    let config = w.probe(
        "write /work/new , mkdir /work/dir , write /work/sub/new , write /work2/new , write /new , \
         write /etc/new , chmod /work2 700 , unlink /etc/marker",
    );
    let said = w.says(config.writable(["/work"]))?;
    same("attempts", said, "ok\nok\nok\nEROFS\nEROFS\nEROFS\nEROFS\nEROFS")?;
    ensure!(w.path("/work/sub/new").is_file(), "what was written is not in the tree");
    Ok(())
}

fn nested(w: &World<'_>) -> Check {
    let paths = ["/work/sub", "/work", "data/1"];
    let words = "write /work/new , write /work/sub/new , write /data/1/new , write /data/new";
    let said = w.says(w.probe(words).writable(paths))?;
    same("attempts", said, "ok\nok\nok\nEROFS")
}

fn parents(w: &World<'_>) -> Check {
    let words = "write /data/1/new , write /data/new , mkdir /data/2 , write /new , mkdir /dir";
    let said = w.says(w.probe(words).writable(["/data/1"]))?;
    same("attempts", said, "ok\nEROFS\nEROFS\nEROFS\nEROFS")
}

/// A tmpfs that stays writable, and a read-only bind that covers it by another name for the place.
fn two_names(w: &World<'_>) -> Check {
    w.link("/alias", "/data")?;
    let tmpfs = Filesystem::Tmpfs { size: None, mode: None };
    for name in ["/alias", "/work/../data"] {
        let bind = Mount::bind(w.shared(), name)?.with(MountFlag::ReadOnly);
        let config = w.probe("write /data/by-two-names").writable(["/data"]);
        let config = config.mount(Mount::new("/data", tmpfs.clone())?).mount(bind);
        if let Ok(outcome) = w.run(config) {
            same("inside", said(&outcome)?, "EROFS")?;
        }
        ensure!(!w.shared().join("by-two-names").exists(), "by {name}, it wrote on the host");
    }
    Ok(())
}

fn root_by_another_name(w: &World<'_>) -> Check {
    w.link("/alias", "/")?;
    w.refuses_naming(w.probe("exit 0").writable(["/alias"]), &["/alias", "give /"])
}

fn empty_list(w: &World<'_>) -> Check {
    let none: [&str; 0] = [];
    let said = w.says(w.probe("write /new , write /work/new").writable(none))?;
    same("attempts", said, "EROFS\nEROFS")
}

fn root(w: &World<'_>) -> Check {
    let said = w.says(w.probe("write /new , unlink /new , write /work/new").writable(["/"]))?;
    same("attempts", said, "ok\nok\nok")
}

fn single_file(w: &World<'_>) -> Check {
    let said = w.says(w.probe("write /etc/marker , write /etc/new").writable(["/etc/marker"]))?;
    same("attempts", said, "ok\nEROFS")
}

fn missing(w: &World<'_>) -> Check {
    let config = w.probe("exit 0").writable(["/work", "/work/absent"]);
    w.refuses_naming(config, &["/work/absent", "No such file or directory"])
}

/// A link in the tree that leads out on the host does not make anything writable there.
fn link(w: &World<'_>) -> Check {
    w.link("/out", w.outside())?;
    let config = w.probe(&format!("write {}/new", w.outside().display())).writable(["/out"]);
    w.refuses_naming(config, &["/out"])
}

fn thousand(w: &World<'_>) -> Check {
    let mut paths = Vec::new();
    for number in 0..1000 {
        let path = format!("/data/{number}");
        std::fs::create_dir_all(w.path(&path))?;
        paths.push(path);
    }
    let words = "write /data/0/new , write /data/999/new , write /data/new , write /work/new";
    let said = w.says(w.probe(words).writable(&paths))?;
    same("attempts", said, "ok\nok\nEROFS\nEROFS")
}

const IN_MOUNTS: &str = "write /tmp/new , write /data/new , write /work/new";

fn mounts(w: &World<'_>) -> Check<[Mount; 2]> {
    let tmpfs = Filesystem::Tmpfs { size: None, mode: None };
    Ok([Mount::new("/tmp", tmpfs)?, Mount::bind(w.shared(), "/data")?])
}

fn all_in_mounts(w: &World<'_>) -> Check {
    let [tmpfs, bind] = mounts(w)?;
    same("attempts", w.says(w.probe(IN_MOUNTS).mount(tmpfs).mount(bind))?, "ok\nok\nok")
}

fn nothing_in_mounts(w: &World<'_>) -> Check {
    let [tmpfs, bind] = mounts(w)?;
    let said = w.says(w.probe(IN_MOUNTS).mount(tmpfs).mount(bind).read_only())?;
    same("attempts", said, "EROFS\nEROFS\nEROFS")
}

fn only_in_mounts(w: &World<'_>) -> Check {
    let [tmpfs, bind] = mounts(w)?;
    let config = w.probe(IN_MOUNTS).mount(tmpfs).mount(bind).writable(["/tmp", "/data"]);
    same("attempts", w.says(config)?, "ok\nok\nEROFS")?;
    ensure!(w.shared().join("new").is_file(), "what was written is not in the bind's source");
    Ok(())
}

fn cannot_be_undone(w: &World<'_>) -> Check {
    let said = w.says(w.probe("remount-rw / , umount / , write /work/new").read_only())?;
    same("attempts", said, "EPERM\nEPERM\nEROFS")
}
