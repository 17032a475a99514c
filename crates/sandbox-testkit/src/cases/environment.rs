//! The environment and the working directory.

use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use sandbox_core::{Environment, Feature, Inherit};

use crate::case::{Case, Need};
use crate::check::{Check, ensure, same};
use crate::world::{SECRET, SECRET_PARTS, World, text};

pub(super) const CASES: &[Case] = &[
    Case::new("env/exactly-what-is-given", &[], exactly),
    Case::new("env/empty", &[], empty),
    Case::new("env/inherited", &[], inherited),
    Case::new("env/all-but", &[], all_but).control(inherited),
    Case::new("env/only", &[], only).control(inherited),
    Case::new("env/set-over-inherited", &[], set_over_inherited),
    Case::new("env/not-utf-8", &[], not_utf8),
    Case::new("cwd/default-is-the-root", &[], default_cwd),
    Case::new("cwd/given", &[], given_cwd),
    Case::new("cwd/relative-to-the-root", &[], relative_cwd),
    Case::new("cwd/default-on-host-root", &[Need::Has(Feature::RootHost)], host_cwd).without_tree(),
    Case::new("cwd/missing", &[], missing_cwd),
    Case::new("cwd/file", &[], file_cwd),
    Case::new("cwd/link-stays-inside", &[], link_cwd),
    Case::new("cwd/dotdot-stays-inside", &[], dotdot_cwd),
];

fn exactly(w: &World<'_>) -> Check {
    let config = w.probe("env").env(Environment::exactly([("foo", "bar")]));
    same("stdout", w.says(config)?, "foo=bar")
}

fn empty(w: &World<'_>) -> Check {
    let config = w.probe("env").env(Environment::exactly::<&str, &str>([]));
    same("stdout", w.says(config)?, "")
}

fn inherited(w: &World<'_>) -> Check {
    let outcome = w.run(w.probe("env"))?;
    let got: BTreeSet<_> = outcome.stdout.bytes.split(|byte| *byte == b'\n').collect();
    for (name, value) in env::vars_os() {
        let variable = [name.as_bytes(), b"=", value.as_bytes()].concat();
        // A value of several lines comes back as several.
        if !variable.contains(&b'\n') {
            ensure!(got.contains(&*variable), "{} is not inherited", name.display());
        }
    }
    let secret = format!("{SECRET}={}", SECRET_PARTS.concat());
    ensure!(got.contains(secret.as_bytes()), "{SECRET} is not inherited");
    Ok(())
}

fn taking(inherit: Inherit) -> Environment {
    let mut environment = Environment::default();
    environment.inherit = inherit;
    environment
}

fn all_but(w: &World<'_>) -> Check {
    let names = BTreeSet::from([OsString::from(SECRET)]);
    let said = w.says(w.probe("env").env(taking(Inherit::AllBut(names))))?;
    ensure!(!said.contains(SECRET), "{SECRET} is inherited");
    ensure!(said.contains("SANDBOX_TESTKIT_RUN="), "the rest is not inherited: {said}");
    Ok(())
}

fn only(w: &World<'_>) -> Check {
    let names = BTreeSet::from([OsString::from(SECRET), OsString::from("NO_SUCH_VARIABLE")]);
    let said = w.says(w.probe("env").env(taking(Inherit::Only(names))))?;
    same("stdout", said, format!("{SECRET}={}", SECRET_PARTS.concat()))
}

fn set_over_inherited(w: &World<'_>) -> Check {
    let mut environment = Environment::default();
    environment.set.insert(SECRET.into(), "other".into());
    let said = w.says(w.probe("env").env(environment))?;
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with(SECRET)).collect();
    same("variable", lines, vec![format!("{SECRET}=other")])
}

fn not_utf8(w: &World<'_>) -> Check {
    let odd = OsStr::from_bytes(b"\xff=\xfe");
    let config = w.probe("env").env(Environment::exactly([("odd", odd)]));
    same("stdout", w.run(config)?.stdout.bytes, b"odd=\xff=\xfe\n".to_vec())
}

fn default_cwd(w: &World<'_>) -> Check {
    same("cwd", w.says(w.probe("cwd"))?, "/")
}

fn given_cwd(w: &World<'_>) -> Check {
    same("cwd", w.says(w.probe("cwd").cwd("/work/sub"))?, "/work/sub")
}

fn relative_cwd(w: &World<'_>) -> Check {
    same("cwd", w.says(w.probe("cwd").cwd("work/sub"))?, "/work/sub")
}

fn host_cwd(w: &World<'_>) -> Check {
    let words = [w.probe_path().as_os_str(), OsStr::new("cwd")];
    let outcome = w.run(sandbox_core::SandboxConfig::builder(words))?;
    let here = env::current_dir()?;
    same("cwd", text(&outcome.stdout.bytes), here.display().to_string())
}

fn missing_cwd(w: &World<'_>) -> Check {
    w.refuses_naming(w.probe("cwd").cwd("/absent"), &["/absent", "No such file or directory"])
}

fn file_cwd(w: &World<'_>) -> Check {
    w.refuses_naming(w.probe("cwd").cwd("/etc/marker"), &["/etc/marker", "Not a directory"])
}

fn link_cwd(w: &World<'_>) -> Check {
    // On the host this link leads nowhere or elsewhere; inside, to the tree's own /work.
    w.link("/link", "/work")?;
    same("cwd", w.says(w.probe("cwd").cwd("/link"))?, "/work")
}

fn dotdot_cwd(w: &World<'_>) -> Check {
    let said = w.says(w.probe("cwd , exists etc/marker").cwd("/work/../../../.."))?;
    same("cwd", said, "/\nok")
}
