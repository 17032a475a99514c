//! Watches over the command, and ends whatever it leaves behind.

use crate::protocol::{Message, Record, Usage};
use crate::sys::{self, EAGAIN, ECHILD, EINTR, ENOBUFS, ENOMEM, SIGKILL};

/// How long to wait for a child to end before killing again.
const ROUND_MS: i64 = 20;
/// After so many rounds in which no process ended, those left cannot be killed.
const FRUITLESS_ROUNDS: u32 = 5_000 / ROUND_MS as u32;

/// After so many rounds it is something that forks faster than it is killed.
const QUICK_ROUNDS: u32 = 8;
/// How many rounds it is starved before what was killed is reaped all the same.
const STARVING_ROUNDS: u32 = 2_000;

pub(crate) struct Supervisor {
    /// The PID of the command.
    command: i32,
    /// Its status, once it has been reaped.
    status: Option<i32>,
    /// Init is PID 1, and the kernel kills the others when it exits.
    own_pid_namespace: bool,
    /// The command's process group, while there may be processes in it that are not init's.
    group: Option<i32>,
    socket: i32,
    caller_pidfd: i32,
    /// The file that lists init's children, or -1.
    children: i32,
    /// Becomes readable when a child has ended.
    sigchld: i32,
}

/// Whether reaping found children that had ended, and whether none at all are left.
struct Reaped {
    some: bool,
    all: bool,
}

impl Supervisor {
    /// Takes over init's file descriptors and closes all others: a pipe that the command closes
    /// must not be kept open by init.
    pub(crate) fn new(
        command: i32,
        own_pid_namespace: bool,
        own_group: bool,
        fds: [i32; 4],
    ) -> Self {
        close_others(fds);
        let [socket, caller_pidfd, children, sigchld] = fds;
        let group = own_group.then_some(command);
        Self {
            command,
            status: None,
            own_pid_namespace,
            group,
            socket,
            caller_pidfd,
            children,
            sigchld,
        }
    }

    /// Tells the caller of the command, and watches over it.
    pub(crate) fn begin(mut self) -> ! {
        // One that cannot be told would take the command for one that was never started.
        match send(self.socket, Record::Started { pid: self.command }) {
            Ok(()) => self.run(),
            Err(_) => self.abandon(),
        }
    }

    /// Until the command has ended, or is not wanted any more.
    fn run(mut self) -> ! {
        while self.status.is_none() {
            let fds = [self.sigchld, self.socket, self.caller_pidfd];
            let [sigchld, socket, caller_gone] = sys::poll(fds, None);
            if caller_gone {
                self.abandon();
            }
            if socket {
                self.receive();
            }
            if sigchld && self.reap().all && self.status.is_none() {
                // Somebody has taken its status: nobody will ever know.
                self.abandon();
            }
        }
        if !self.own_pid_namespace {
            self.kill_all();
        }
        self.finish()
    }

    fn receive(&mut self) {
        match sys::receive(self.socket).map(|byte| byte.map(Message::from_byte)) {
            Ok(Some(Some(Message::Signal(signal)))) => {
                _ = sys::kill(self.command, signal.into());
            }
            Ok(Some(Some(Message::Kill))) => {
                self.kill_all();
                self.finish();
            }
            Ok(Some(None)) | Err(EAGAIN | EINTR) => {}
            Ok(None) | Err(_) => self.abandon(),
        }
    }

    /// Tells how the command ended. If it did not, even when killed, then the caller sees the
    /// connection end without a record.
    fn finish(&self) -> ! {
        if let Some(status) = self.status {
            let usage = sys::usage_of_children();
            let microseconds = |[seconds, rest]: [u64; 2]| seconds * 1_000_000 + rest;
            // If it fails then the caller is gone.
            _ = send(self.socket, Record::Ended {
                status,
                usage: Usage {
                    user_us: microseconds(usage.user),
                    system_us: microseconds(usage.system),
                    max_rss_kib: usage.max_rss_kib,
                },
            });
        }
        sys::exit(0)
    }

    /// The caller has gone: nobody wants to know.
    fn abandon(&mut self) -> ! {
        if !self.own_pid_namespace {
            self.kill_all();
        }
        sys::exit(1)
    }

    /// Reaps all children that have ended.
    fn reap(&mut self) -> Reaped {
        // Clears the readiness. One read is enough: a standard signal is pending only once.
        _ = sys::read(self.sigchld, &mut [0; 128]);
        let mut some = false;
        loop {
            match sys::reap() {
                Ok(Some((pid, status))) => {
                    some = true;
                    if pid == self.command {
                        self.status = Some(status);
                    }
                }
                Ok(None) => return Reaped { some, all: false },
                Err(errno) => return Reaped { some, all: errno == ECHILD },
            }
        }
    }

    /// Kills all descendants and reaps them.
    fn kill_all(&mut self) {
        let mut fruitless = 0;
        let mut rounds: u32 = 0;
        while fruitless < FRUITLESS_ROUNDS {
            self.kill_round();
            rounds = rounds.saturating_add(1);
            if rounds > QUICK_ROUNDS && !self.own_pid_namespace {
                self.starve();
            }
            let reaped = self.reap();
            if reaped.all {
                return;
            }
            if reaped.some {
                fruitless = 0;
            } else {
                fruitless += 1;
                sys::poll([self.sigchld], Some(ROUND_MS));
            }
        }
    }

    /// Kills all those that can be found. The children of a process that ends become init's, so
    /// that the next round finds them.
    fn kill_round(&mut self) {
        if self.own_pid_namespace {
            _ = sys::kill(-1, SIGKILL);
            return;
        }
        // Only PIDs of children that have not been reaped: another process may have any other.
        if self.status.is_none() {
            _ = sys::kill(self.command, SIGKILL);
        }
        if let Some(group) = self.group
            && sys::kill(-group, SIGKILL).is_err()
        {
            self.group = None;
        }
        _ = self.kill_children();
    }

    /// Kills without reaping: whoever has ended counts as a process until then, so that under a limit
    /// (`RLIMIT_NPROC`, a cgroup) those that still live can start no others in their places. Until nothing changes
    /// any more.
    fn starve(&self) {
        let mut last = 0;
        for _ in 0..STARVING_ROUNDS {
            let count = self.kill_children();
            // Clears the readiness.
            _ = sys::read(self.sigchld, &mut [0; 128]);
            let [news] = sys::poll([self.sigchld], Some(ROUND_MS));
            if !news && count == last {
                return;
            }
            last = count;
        }
    }

    /// Gives back how many there are, with those that have ended.
    fn kill_children(&self) -> u32 {
        let mut count: u32 = 0;
        let mut buffer = [0; 512];
        let mut pid = 0;
        sys::rewind(self.children);
        while let Ok(bytes @ [_, ..]) = sys::read(self.children, &mut buffer) {
            for byte in bytes {
                // Each PID is followed by a space, perhaps in the next read.
                if byte.is_ascii_digit() {
                    pid = pid * 10 + i32::from(byte - b'0');
                    continue;
                }
                // 0 is a process that this PID namespace cannot name; kill(2) takes it for init's
                // own process group, which is the caller's too.
                if pid > 0 {
                    count = count.saturating_add(1);
                    _ = sys::kill(pid, SIGKILL);
                }
                pid = 0;
            }
        }
        count
    }
}

/// Tells the caller something. The socket may have no room, or the kernel no memory, for a moment.
pub(crate) fn send(socket: i32, record: Record) -> sys::Result<()> {
    let mut tries = FRUITLESS_ROUNDS;
    loop {
        match sys::send(socket, &record.to_bytes()) {
            Err(EAGAIN | EINTR | ENOBUFS | ENOMEM) if tries > 0 => tries -= 1,
            done => return done.map(drop),
        }
        sys::poll([], Some(ROUND_MS));
    }
}

/// Closes all descriptors but some. That needs no memory, and so does not fail (close_range(2)).
fn close_others(mut kept: [i32; 4]) {
    kept.sort_unstable();
    let mut first = 0;
    for fd in kept.into_iter().filter(|fd| *fd >= 0) {
        if first < fd {
            _ = sys::close_range(first, fd - 1);
        }
        first = fd + 1;
    }
    _ = sys::close_range(first, i32::MAX);
}
