//! `cargo xtask`: the workspace's own tasks. One command, one file; never shipped.

mod bench;
mod check_targets;
mod ci;
mod clients;
mod command;
mod demo;
mod deny;
mod dist;
mod faults;
mod fire;
mod fuzz;
mod image;
mod matrix;
mod miri;
mod product;
mod python;
mod sanitize;
mod sources;
mod stage;
mod test;
mod tidy;
mod user;
mod workspace;

use std::env;
use std::error::Error;
use std::process::ExitCode;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "\
usage: cargo xtask COMMAND [OPTIONS]

  demo                   build a small C project in a sandbox and show what was isolated
  demo debian            build an upstream source package in a Debian tree, as root and as a user
                           [--package hello|zlib] [--fresh] [--mirror URL]
  demo images            images of that tree, made by this project, umoci, tar and buildah, run as
                           root and as a user [--mirror URL]
  demo profile           builds and their tools, held to the build profile [--required]
  image TREE OUT.aci     an App Container image of a tree [--compress none|gzip]
                           --manifest FILE | --name NAME --exec 'PROGRAM [ARG]...'
  test                   everything that can be tested on this machine
  python                 the Python package: its tests as root and as a user, and its types
  matrix                 the conformance suite for each backend, privilege and kind of kernel
  clients                programs that people use, unchanged, on our executables, as root and
                           as a user [python-original|ybd|buildstream|sccache] [--required]
  bench                  speed and memory beside bubblewrap, a bare floor, tar and umoci
  faults                 each system call of each set-up fails in turn, or its process is killed or
                           delayed there [--each|--all] [root|plain] [SCENARIO]... [--only TEXT]...
  fire                   sandboxes by the thousand, killed, stopped and timed out at random: nothing
                           is left [--runs N] [--seconds N] [--seed N] [BACKEND]
  fuzz                   libFuzzer on what reads untrusted bytes [TARGET]... [--seconds N]
  sanitize               the conformance suites with AddressSanitizer [--package NAME] [--root]
  miri                   what Miri can run of the tests of sandbox-core and sandbox-sys
  tidy                   the workspace's own rules, all findings listed
  deny                   licences and duplicate versions of the dependencies
  check-targets          type-check for the platforms that are not this one [--required]
  dist                   the binary, manual page and completions of run-sandbox [DIRECTORY];
                           or the programs by other names: --drop-ins DIRECTORY
  ci                     everything that .ci/run runs
  help                   this text
";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result {
    let Some((name, rest)) = args.split_first() else {
        print!("{HELP}");
        return Err("which command?".into());
    };
    match name.as_str() {
        "demo" => demo::run(rest),
        "demo-probe" => demo::probe::run(rest),
        "image" => image::run(rest),
        "test" => test::run(rest),
        "python" => python::run(rest),
        "clients" => clients::run(rest),
        "clients-farm" => clients::farm::run(rest),
        "matrix" => matrix::run(rest),
        "bench" => bench::run(rest),
        "faults" => faults::run(rest),
        "faults-start" => faults::start::run(rest),
        "faults-worker" => faults::worker::run(rest),
        "fire" => fire::run(rest),
        "fuzz" => fuzz::run(rest),
        "sanitize" => sanitize::run(rest),
        "miri" => miri::run(rest),
        "tidy" => tidy::run(rest),
        "deny" => deny::run(rest),
        "dist" => dist::run(rest),
        "check-targets" => check_targets::run(rest),
        "ci" => ci::run(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("no command '{other}'; `cargo xtask help` lists them").into()),
    }
}
