//! Starts the suite once more, as on another host: with less in the kernel, or inside of a sandbox.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use nix::unistd::geteuid;
use sandbox_core::{
    Backend, Feature, Input, Isolation, KeptCapabilities, Output, Policy, Preference, SandboxConfig,
};
use sandbox_sys::{Launcher, probe};

use crate::options::{Options, Outer};
use crate::world::RUN;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The exit status of this suite on the host that the options speak of; none where they speak of this one.
pub(crate) fn again(
    backend: &dyn Backend,
    options: &Options,
    run: &Path,
    program: &Path,
) -> Result<Option<u8>> {
    let without: Vec<_> = options.without.iter().map(String::as_str).collect();
    let (namespaces, calls): (Vec<_>, Vec<_>) =
        without.into_iter().partition(|name| *name == "namespaces");
    if options.inside.is_none() && namespaces.is_empty() && calls.is_empty() {
        return Ok(None);
    }
    let mut words: Vec<OsString> = Vec::new();
    if options.inside == Some(Outer::Bwrap) {
        let mounts = ["--dev-bind", "/", "/", "--proc", "/proc", "--unshare-pid"];
        words.push("bwrap".into());
        words.extend(mounts.into_iter().chain(["--die-with-parent", "--"]).map(OsString::from));
    }
    if !namespaces.is_empty() {
        words.extend([program.into(), "without-namespaces".into()]);
    }
    if !calls.is_empty() {
        words.extend([program.into(), "without".into(), calls.join(",").into()]);
    }
    let mut variable = OsString::from(format!("{RUN}="));
    variable.push(run);
    words.extend(["env".into(), variable, env::current_exe()?.into()]);
    words.extend(options.words.iter().map(OsString::from));
    if options.exact {
        words.push("--exact".into());
    }
    for name in &options.except {
        words.extend(["--except".into(), name.into()]);
    }
    let code = if options.inside == Some(Outer::Ours) {
        in_ours(backend, words)?
    } else {
        let (program, words) = words.split_first().ok_or("no program")?;
        let status = Command::new(program).args(words).status();
        status.map_err(|error| format!("{}: {error}", program.display()))?.code()
    };
    Ok(Some(u8::try_from(code.unwrap_or(1))?))
}

/// In a sandbox with the host's files, and as much isolation as the backend has.
fn in_ours(backend: &dyn Backend, words: Vec<OsString>) -> Result<Option<i32>> {
    // User 0 without capabilities can make no user namespace with a user 0 (user_namespaces(7)).
    let capabilities = backend.capabilities(probe()?);
    let all = geteuid().is_root() && capabilities.support(Feature::CapabilitiesAll).is_yes();
    let kept = if all { KeptCapabilities::All } else { KeptCapabilities::default() };
    let config = SandboxConfig::builder(words)
        .capabilities(kept)
        .mounts(Isolation::Isolated)
        .processes(Isolation::Isolated)
        .ipc(Isolation::Isolated)
        .network(Isolation::Isolated)
        .stdin(Input::Inherit)
        .stdout(Output::Inherit)
        .stderr(Output::Inherit)
        .cwd(env::current_dir()?)
        .build()?;
    let backends = [backend];
    let launcher = Launcher::new(&backends).preference(Preference::Any);
    let outcome = launcher.policy(Policy::best_effort()).run(&config)?;
    Ok(Some(outcome.status.shell_code().into()))
}
