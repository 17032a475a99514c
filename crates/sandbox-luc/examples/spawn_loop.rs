//! Starts the same sandbox N times and prints how long each took, in nanoseconds, one a line.
//!
//! `spawn_loop [--heap BYTES] N ROOT COMMAND...`: with `--heap`, so much memory of the caller is
//! touched first, in ordinary pages.

use std::time::Instant;

use sandbox_luc::{Backend, Policy, negotiate, probe};
use sandbox_luc::{
    Filesystem, Input, Isolation, LinuxUserChroot, Mount, Output, SandboxConfig, Status, spawn,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1).peekable();
    let mut heap = 0_usize;
    if words.next_if(|word| word == "--heap").is_some() {
        heap = words.next().ok_or("--heap needs bytes")?.parse()?;
    }
    let count: u32 = words.next().ok_or("how often?")?.parse()?;
    let root = words.next().ok_or("which root?")?;
    // Small boxes: a large allocation could get huge pages.
    let blocks: Vec<Box<[u8; 4096]>> = (0..heap / 4096).map(|_| Box::new([1; 4096])).collect();
    let tmp = Filesystem::Tmpfs { size: None, mode: Some(0o1777) };
    let config = SandboxConfig::builder(words)
        .root(root)
        .mounts(Isolation::Isolated)
        .network(Isolation::Isolated)
        .processes(Isolation::Isolated)
        .ipc(Isolation::Isolated)
        .hostname("sandbox")
        .mount(Mount::new("/proc", Filesystem::Proc)?)
        .mount(Mount::new("/dev", Filesystem::Dev)?)
        .mount(Mount::new("/tmp", tmp)?)
        .writable(["/tmp", "/dev"])
        .stdin(Input::Inherit)
        .stdout(Output::Inherit)
        .stderr(Output::Inherit)
        .build()?;
    let host = probe()?;
    let granted = negotiate(&config, &LinuxUserChroot.capabilities(host), &Policy::Require)?;
    let plan = LinuxUserChroot.plan(&granted, host)?;
    for _ in 0..count {
        let start = Instant::now();
        let outcome = spawn(&plan)?.wait()?;
        let took = start.elapsed().as_nanos();
        match outcome.status {
            Status::Exited(0) => println!("{took}"),
            status => std::process::exit(status.shell_code().into()),
        }
    }
    drop(blocks);
    Ok(())
}
