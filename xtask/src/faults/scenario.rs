//! The sandboxes whose set-up is made to fail: between them every kind of step, in each way to start one.

use super::stage::Stage;
use crate::user::User;

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    RunSandbox,
    Bwrap,
    LinuxUserChroot,
}

/// What a run has to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// A command in a sandbox as asked for, or an error.
    Sandbox,
    /// A report of the host, whatever it says.
    Report,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) program: Program,
    pub(super) aim: Aim,
    /// Whose caller has to be privileged.
    root_only: bool,
    /// Words; `TREE`, `SOURCE` and `BIN` are folders of the stage.
    words: &'static str,
}

/// In a tree with everything isolated, on mount points that are made in it.
const TREE: &str = "--backend linux-user-chroot --build --hostname box --uid 0 --ro-bind SOURCE:/made/ro \
    --bind SOURCE:/made/rw --tmpfs /scratch:size=1m,mode=755 --writable /made/rw --writable /data --clear-env \
    --env A=b --env HOST_NAMESPACES TREE -- /bin/facts ns w:/ w:/made/ro w:/made/rw w:/data w:/tmp w:/scratch l:/ l:/made l:/dev d";
const HOST: &str = "--backend linux-user-chroot --build --ro-bind BIN:/mnt --clear-env --env HOST_NAMESPACES --cwd / / -- \
    /mnt/facts w:/ w:/etc w:/mnt w:/tmp l:/tmp l:/dev ns d";
/// No processes of its own: the init has to find what the command leaves behind.
const SHARED: &str = "--backend linux-user-chroot --network isolated --ipc isolated --read-only --clear-env --env HOST_NAMESPACES TREE -- \
    /bin/facts w:/ w:/data d";
const IDS: &str = "--backend linux-user-chroot --uid 1000 --gid 1000 --group 27 --processes isolated \
    --read-only --proc /proc --clear-env --env HOST_NAMESPACES TREE -- /bin/facts ns w:/ d";
const LIMITS: &str = "--backend linux-user-chroot --memory 64Mi --cpu 1 --processes-max 20 --network isolated \
    --mounts isolated --ro-bind BIN:/mnt --clear-env --env HOST_NAMESPACES --cwd / / -- /mnt/facts d";
const CHROOT: &str = "--backend chroot --ro-bind SOURCE:/made/ro --bind SOURCE:/made/rw --tmpfs /scratch \
    --proc /proc --dev /dev --clear-env --env HOST_NAMESPACES TREE -- /bin/facts w:/made/ro w:/made/rw l:/ l:/dev d";
const CHROOT_BARE: &str =
    "--backend chroot --uid 1000 --clear-env --env HOST_NAMESPACES TREE -- /bin/facts w:/ l:/ d";
/// The first plan is refused, so that the host is probed, and a lesser one carried out.
const LESS: &str = "--backend chroot --best-effort --network isolated --tmpfs /scratch --clear-env --env HOST_NAMESPACES TREE -- \
    /bin/facts w:/scratch l:/ d";
const BWRAP: &str = "--unshare-all --hostname box --ro-bind TREE / --proc /proc --dev /dev --tmpfs /tmp \
    --overlay-src SOURCE --tmp-overlay /data --ro-bind-data 0 /tmp/data --dir /tmp/dir --symlink dir /tmp/link \
    --chmod 0700 /tmp/dir --bind SOURCE /mnt --remount-ro /tmp --lock-file /bin/facts --new-session \
    --die-with-parent --clearenv --setenv A b --chdir /tmp /bin/facts ns w:/ w:/mnt w:/tmp w:/data l:/tmp l:/data d";
const BWRAP_FIRST: &str = "--unshare-user --unshare-pid --as-pid-1 --disable-userns --ro-bind TREE / --proc /proc \
    --clearenv /bin/facts ns w:/ l:/";
const LUC: &str = "--mount-bind SOURCE /data --mount-readonly /etc --mount-proc /proc --mount-devapi /dev \
    --unshare-ipc --unshare-pid --unshare-net --chdir /data --seccomp-profile-version 0 TREE \
    /bin/facts ns w:/data w:/etc l:/ l:/dev";

pub(super) const ALL: [Scenario; 12] = [
    Scenario::new("tree", Program::RunSandbox, TREE),
    Scenario::new("host", Program::RunSandbox, HOST),
    Scenario::new("shared", Program::RunSandbox, SHARED),
    Scenario::new("ids", Program::RunSandbox, IDS).as_root(),
    Scenario::new("limits", Program::RunSandbox, LIMITS).as_root(),
    Scenario::new("chroot", Program::RunSandbox, CHROOT).as_root(),
    Scenario::new("chroot-bare", Program::RunSandbox, CHROOT_BARE).as_root(),
    Scenario::new("less", Program::RunSandbox, LESS).as_root(),
    Scenario::new("bwrap", Program::Bwrap, BWRAP),
    Scenario::new("bwrap-first", Program::Bwrap, BWRAP_FIRST),
    Scenario::new("luc", Program::LinuxUserChroot, LUC),
    Scenario { aim: Aim::Report, ..Scenario::new("doctor", Program::RunSandbox, "--doctor") },
];

impl Scenario {
    const fn new(name: &'static str, program: Program, words: &'static str) -> Self {
        Self { name, program, aim: Aim::Sandbox, root_only: false, words }
    }

    const fn as_root(self) -> Self {
        Self { root_only: true, ..self }
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|scenario| scenario.name == name)
    }

    pub(super) fn runs_as(&self, user: User) -> bool {
        user == User::Root || !self.root_only
    }

    /// Whether it reports to a descriptor in JSON.
    pub(super) fn reports(&self) -> bool {
        self.program == Program::RunSandbox && self.aim == Aim::Sandbox
    }

    pub(super) fn has_limits(&self) -> bool {
        self.words.contains("--memory")
    }

    /// The arguments of its program.
    pub(super) fn args(&self, stage: &Stage) -> Vec<String> {
        let report = if self.reports() { &["--status-fd", "3"][..] } else { &[] };
        let words = self.words.split_whitespace().map(|word| {
            word.replace("TREE", &stage.tree().display().to_string())
                .replace("SOURCE", &stage.source().display().to_string())
                .replace("BIN", &stage.bin.display().to_string())
        });
        report.iter().map(|word| (*word).to_owned()).chain(words).collect()
    }

    /// The status of a failure of ours.
    pub(super) fn failure(&self) -> &'static [i32] {
        match self.program {
            Program::RunSandbox => &[125, 126, 127],
            Program::Bwrap | Program::LinuxUserChroot => &[1],
        }
    }
}
