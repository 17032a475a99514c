//! What is compared with what, and the limits: a table and nothing else.

use super::arm::Arm;
use super::images::ImageArm::{self, Cached, OursOci, Tree, Umoci};
use super::images::Packed;

/// A figure that is held to a limit: one arm against another of the same group.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) group: &'static Group,
    pub(crate) ours: Arm,
    /// Without a peer the figure itself is what counts.
    pub(crate) peer: Option<Arm>,
    /// Where one bind is what counts: the arm without any, which is taken off first.
    pub(crate) base: Option<Arm>,
    pub(crate) limit: Limit,
}

/// Arms that are measured together, in turn, round by round.
#[derive(Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) account: Account,
    pub(crate) metric: Metric,
    /// Rounds at the default of `--rounds`; in proportion otherwise.
    pub(crate) rounds: usize,
    /// Runs of each arm in each round; the round's figure is their median.
    pub(crate) runs: usize,
}

/// Who makes the sandboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    Root,
    User,
}

/// What is measured, and so how two of them are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Time of one sandbox; compared as a ratio.
    Wall,
    /// The same, compared as a difference.
    Extra,
    /// Sandboxes per second of two workers; compared as a ratio.
    Throughput,
    /// Peak resident memory; compared as a difference.
    PeakRss,
    /// Resident memory of the sandbox's first process.
    InitRss,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    None,
    AtMost(f64),
    /// Held to the first, hoped for the second.
    AtMostGoal(f64, f64),
    AtLeast(f64),
}

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

const LATENCY: Group = Group {
    name: "whole process, user",
    account: Account::User,
    metric: Metric::Wall,
    rounds: 100,
    runs: 3,
};
const ROOT_LATENCY: Group =
    Group { name: "whole process, root", account: Account::Root, ..LATENCY };
const IN_PROCESS: Group = Group { name: "in process", rounds: 50, runs: 10, ..LATENCY };
const HEAP: Group = Group { name: "size of the caller", rounds: 9, runs: 50, ..LATENCY };
const WHITELIST: Group = Group { name: "writable paths", rounds: 9, runs: 1, ..LATENCY };
const BINDS: Group = Group { name: "cost of a bind", rounds: 21, runs: 11, ..LATENCY };
const THROUGHPUT: Group =
    Group { name: "two workers", metric: Metric::Throughput, rounds: 8, runs: 50, ..LATENCY };
const PEAK: Group =
    Group { name: "peak memory", metric: Metric::PeakRss, rounds: 5, runs: 3, ..LATENCY };
const INIT: Group = Group { name: "init", metric: Metric::InitRss, rounds: 3, runs: 1, ..LATENCY };
/// One run of each in each round: every run unpacks a tree.
const IMAGES: Group = Group { name: "images", rounds: 9, runs: 1, ..ROOT_LATENCY };
const IMAGE_PEAK: Group =
    Group { name: "images, peak memory", metric: Metric::PeakRss, rounds: 3, ..IMAGES };
const CACHE: Group =
    Group { name: "images, cached", metric: Metric::Extra, rounds: 21, runs: 11, ..IMAGES };
/// What unpacking any image may take, in KiB.
const IMAGE_MEMORY: Limit = Limit::AtMost(64.0 * 1024.0);

pub(crate) const CASES: &[Case] = &[
    case("cli_vs_bwrap", &LATENCY, Arm::Cli, Arm::Bwrap, Limit::AtMostGoal(0.70, 0.55)),
    case("cli_vs_floor", &LATENCY, Arm::Cli, Arm::Floor, Limit::None),
    case("unshare_vs_bwrap", &LATENCY, Arm::Unshare, Arm::Bwrap, Limit::None),
    case("floor_vs_bwrap", &LATENCY, Arm::Floor, Arm::Bwrap, Limit::None),
    case("drop_in_vs_bwrap", &LATENCY, Arm::DropIn, Arm::Bwrap, Limit::AtMost(0.90)),
    case("root_cli_vs_bwrap", &ROOT_LATENCY, Arm::Cli, Arm::Bwrap, Limit::AtMostGoal(0.70, 0.55)),
    case("root_drop_in_vs_bwrap", &ROOT_LATENCY, Arm::DropIn, Arm::Bwrap, Limit::AtMost(0.90)),
    case("root_floor_vs_bwrap", &ROOT_LATENCY, Arm::Floor, Arm::Bwrap, Limit::None),
    case("api_vs_bwrap", &IN_PROCESS, Arm::Api, Arm::Bwrap, Limit::AtMostGoal(0.45, 0.35)),
    case("api_vs_floor", &IN_PROCESS, Arm::Api, Arm::FloorLoop, Limit::None),
    case("floor_loop_vs_bwrap", &IN_PROCESS, Arm::FloorLoop, Arm::Bwrap, Limit::None),
    case(
        "heap_4g_vs_10m",
        &HEAP,
        Arm::ApiHeap(4 * GIB),
        Arm::ApiHeap(10 * MIB),
        Limit::AtMost(1.2),
    ),
    case(
        "whitelist_1000_vs_bwrap",
        &WHITELIST,
        Arm::CliWhitelist(1000),
        Arm::BwrapWhitelist(1000),
        Limit::AtMost(0.03),
    ),
    case(
        "whitelist_1000_vs_100",
        &WHITELIST,
        Arm::CliWhitelist(1000),
        Arm::CliWhitelist(100),
        Limit::AtMost(12.0),
    ),
    case(
        "whitelist_1000_floor_vs_bwrap",
        &WHITELIST,
        Arm::FloorWhitelist(1000),
        Arm::BwrapWhitelist(1000),
        Limit::None,
    ),
    case(
        "drop_in_1000_binds_vs_bwrap",
        &WHITELIST,
        Arm::DropInWhitelist(1000),
        Arm::BwrapWhitelist(1000),
        Limit::AtMost(0.03),
    ),
    Case {
        name: "drop_in_bind_of_2000_vs_of_20",
        group: &BINDS,
        ours: Arm::DropInWhitelist(2000),
        peer: Some(Arm::DropInWhitelist(20)),
        base: Some(Arm::DropInWhitelist(0)),
        limit: Limit::AtMost(2.0),
    },
    case("throughput_2_vs_bwrap", &THROUGHPUT, Arm::Cli, Arm::Bwrap, Limit::AtLeast(1.7)),
    case("throughput_2_api_vs_bwrap", &THROUGHPUT, Arm::Api, Arm::Bwrap, Limit::None),
    case("throughput_2_floor_vs_bwrap", &THROUGHPUT, Arm::Floor, Arm::Bwrap, Limit::None),
    case("rss_cli_minus_bwrap_kib", &PEAK, Arm::Cli, Arm::Bwrap, Limit::AtMost(2048.0)),
    alone("init_rss_kib", &INIT, Arm::Cli, Limit::AtMost(300.0)),
    unpacked("unpack_tar_gz_vs_tar", Packed::Gzip),
    unpacked("unpack_tar_zst_vs_tar", Packed::Zstd),
    // Two threads of decompression on both sides, and one.
    unpacked("unpack_tar_xz_vs_tar", Packed::Xz),
    unpacked("unpack_tar_xz_one_thread_vs_tar", Packed::XzLarge),
    case(
        "oci_unpack_vs_umoci",
        &IMAGES,
        Arm::Image(OursOci),
        Arm::Image(Umoci),
        Limit::AtMost(0.8),
    ),
    peak("peak_of_tar_gz_kib", ImageArm::Ours(Packed::Gzip)),
    peak("peak_of_tar_zst_kib", ImageArm::Ours(Packed::Zstd)),
    peak("peak_of_tar_xz_kib", ImageArm::Ours(Packed::Xz)),
    peak("peak_of_tar_xz_one_thread_kib", ImageArm::Ours(Packed::XzLarge)),
    peak("peak_of_oci_kib", OursOci),
    // Milliseconds on top of a tree.
    case("cache_hit_vs_tree", &CACHE, Arm::Image(Cached), Arm::Image(Tree), Limit::AtMost(10.0)),
];

const fn unpacked(name: &'static str, packed: Packed) -> Case {
    let (ours, tar) = (ImageArm::Ours(packed), ImageArm::Tar(packed));
    case(name, &IMAGES, Arm::Image(ours), Arm::Image(tar), Limit::AtMost(1.1))
}

const fn peak(name: &'static str, arm: ImageArm) -> Case {
    alone(name, &IMAGE_PEAK, Arm::Image(arm), IMAGE_MEMORY)
}

const fn alone(name: &'static str, group: &'static Group, ours: Arm, limit: Limit) -> Case {
    Case { name, group, ours, peer: None, base: None, limit }
}

const fn case(
    name: &'static str,
    group: &'static Group,
    ours: Arm,
    peer: Arm,
    limit: Limit,
) -> Case {
    Case { name, group, ours, peer: Some(peer), base: None, limit }
}

impl Metric {
    /// One figure out of ours and the peer's of the same round.
    pub(crate) fn compare(self, ours: f64, peer: f64) -> f64 {
        match self {
            Self::Wall | Self::Throughput => ours / peer,
            Self::Extra | Self::PeakRss | Self::InitRss => ours - peer,
        }
    }

    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Wall | Self::Extra => "ms",
            Self::Throughput => "/s",
            Self::PeakRss | Self::InitRss => "KiB",
        }
    }
}

impl Limit {
    pub(crate) fn is_met(self, figure: f64) -> bool {
        match self {
            Self::None => true,
            Self::AtMost(limit) | Self::AtMostGoal(limit, _) => figure <= limit,
            Self::AtLeast(limit) => figure >= limit,
        }
    }

    pub(crate) fn verdict(self, figure: f64) -> &'static str {
        match self {
            Self::None => "-",
            _ if !self.is_met(figure) => "MISSED",
            Self::AtMostGoal(_, goal) if figure <= goal => "ok, goal met",
            _ => "ok",
        }
    }
}
