//! The first command of a pod: it serves metadata, and runs the apps.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sandbox_core::{Policy, Preference, SandboxConfig};
use sandbox_image::pod::metadata::{MetadataService, PodFacts};
use sandbox_sys::{HeldSignals, SandboxChild, SandboxHandle};
use serde::{Deserialize, Serialize};

use super::lifecycle::{self, Stages};
use crate::error::CliError;
use crate::exit;
use crate::report::Audience;
use crate::resolve::Request;
use crate::run::{LINUX, Verbosity, fail};

/// The word by which the program is told to be this.
pub(super) const WORD: &str = "pod-inside";

/// What it needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) facts: PodFacts,
    pub(super) apps: Vec<PodStages>,
}

/// The processes of an app.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PodStages {
    pub(super) name: String,
    pub(super) pre_start: Option<SandboxConfig>,
    pub(super) main: SandboxConfig,
    pub(super) post_stop: Option<SandboxConfig>,
}

/// Runs a pod, whose file this is.
pub(super) fn run(file: &Path) -> ExitCode {
    match pod(file) {
        Ok(code) => code.into(),
        Err(error) => fail(&Audience::People, &error),
    }
}

fn pod(file: &Path) -> Result<u8, CliError> {
    hide();
    // Before there is another thread: one that does not hold them would be ended by them, and all with it.
    let held = HeldSignals::hold().map_err(CliError::Signals)?;
    let at = |source| CliError::PodFile { path: file.to_owned(), source };
    let text = fs::read(file).map_err(at)?;
    let document: Document = serde_json::from_slice(&text).map_err(io::Error::from).map_err(at)?;
    let service = MetadataService::bind(([127, 0, 0, 1], 0).into(), document.facts);
    let service = service.map_err(CliError::Metadata)?;
    let running: Vec<_> = document.apps.iter().map(|_| Running::default()).collect();
    let (done, all_done) = UnixStream::pair().map_err(CliError::Signals)?;
    let url = service.url();
    let codes = thread::scope(|scope| {
        let apps: Vec<_> = document
            .apps
            .into_iter()
            .zip(&running)
            .map(|(app, running)| {
                let (url, done) = (&url, done.try_clone());
                scope.spawn(move || {
                    let code = running.app(app, url);
                    // Its end tells that this one has ended.
                    drop(done);
                    code
                })
            })
            .collect();
        drop(done);
        pass_on(&running, &held, &all_done);
        apps.into_iter().map(|app| app.join().unwrap_or(exit::NOT_MADE)).collect::<Vec<_>>()
    });
    drop(service);
    Ok(codes.into_iter().find(|code| *code != 0).unwrap_or(0))
}

/// What the apps see of this process is that it is there: nothing of its memory, where the pod's key is.
fn hide() {
    #[cfg(target_os = "linux")]
    // An argument that is a constant: it does not fail.
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// What of an app can be sent signals.
#[derive(Default)]
struct Running(Mutex<Process>);

#[derive(Default)]
struct Process {
    /// There is none before the first, between two, and after the last.
    handle: Option<SandboxHandle>,
    /// What came while there was none: it is for the next.
    waiting: Vec<i32>,
}

impl Process {
    fn signal(&mut self, signal: i32) {
        match &self.handle {
            // One that has just ended needs none.
            Some(handle) => drop(handle.signal(signal)),
            None => self.waiting.push(signal),
        }
    }
}

impl Running {
    fn process(&self) -> MutexGuard<'_, Process> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an app to its end, and gives its status.
    fn app(&self, app: PodStages, url: &str) -> u8 {
        let with_url = |mut config: SandboxConfig| {
            config.env.set.insert("AC_METADATA_URL".into(), url.into());
            let preference = Preference::Named(LINUX.to_owned());
            Request { config, policy: Policy::Require, preference }
        };
        let stages = Stages {
            pre_start: app.pre_start.map(with_url),
            main: with_url(app.main),
            post_stop: app.post_stop.map(with_url),
        };
        let wait = |child: SandboxChild| {
            {
                let mut process = self.process();
                process.handle = Some(child.handle());
                for signal in std::mem::take(&mut process.waiting) {
                    process.signal(signal);
                }
            }
            let ended = child.wait();
            self.process().handle = None;
            ended
        };
        match lifecycle::run(&stages, &Verbosity::Quiet, &Audience::People, &wait) {
            Ok(outcome) => exit::of_outcome(&outcome),
            Err(error) => {
                let code = exit::of_error(&error);
                Audience::People
                    .failed(&CliError::PodApp { name: app.name, source: Box::new(error) });
                code
            }
        }
    }
}

/// Gives what processes send on to the apps, until all have ended.
fn pass_on(running: &[Running], held: &HeldSignals, all_done: &UnixStream) {
    loop {
        let mut fds = [
            PollFd::new(held.as_fd(), PollFlags::POLLIN),
            PollFd::new(all_done.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            // The apps are waited for in any case.
            Err(_) => return,
            Ok(_) => {}
        }
        if fds[1].any() == Some(true) {
            return;
        }
        for signal in held.sent() {
            for app in running {
                app.process().signal(signal);
            }
        }
    }
}
