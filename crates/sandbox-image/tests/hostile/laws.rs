//! Whatever the entries are: nothing outside changes, and nothing panics.

use proptest::prelude::*;
use sandbox_image::unpack::{Budget, Options, Over};

use super::fixture::{Place, Tar, gzip};

fn name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "b",
        "c",
        "..",
        ".",
        "",
        "outside",
        "canary",
        "nest",
        ".wh.a",
        ".wh.b",
        ".wh.canary",
        ".wh..wh..opq",
        "target",
        ".wh...",
    ]);
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        name(),
        Just("../outside".to_owned()),
        Just("../outside/canary".to_owned()),
        Just("/".to_owned()),
        Just("/proc/self/root".to_owned()),
        (0..6_usize).prop_map(|up| "../".repeat(up)),
    ]
}

fn tar() -> impl Strategy<Value = Vec<u8>> {
    let entry = (prop::sample::select(b"0001122555367xgLKSV".to_vec()), name(), target());
    prop::collection::vec(entry, 0..14).prop_map(|entries| {
        let add = |tar: Tar, (kind, name, target): (u8, String, String)| match kind {
            b'1' | b'2' => tar.link(kind, name, target),
            b'x' | b'g' => tar.pax(kind, &[("path", name.as_bytes())]),
            b'L' | b'K' => tar.long(kind, name.as_bytes()),
            b'0' | b'7' => tar.entry(kind, name, target.as_bytes()),
            _ => tar.entry(kind, name, b""),
        };
        entries.into_iter().fold(Tar::default(), add).end()
    })
}

fn options(strict: bool, over: Over) -> Options {
    let mut options = if strict { Options::for_caller() } else { Options::for_layers() };
    options.over = over;
    options.budget = Budget::new(1 << 20);
    options
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_outside_changes(
        first in tar(), second in tar(), strict: bool, over in prop::bool::ANY,
    ) {
        let over = if over { Over::Remove } else { Over::Error };
        let place = Place::new();
        // It may well fail. The place looks after what is outside.
        let _ = place.layers(&[&first, &second], options(strict, over));
    }

    #[test]
    fn nothing_panics(
        mut bytes in tar(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        compressed: bool,
    ) {
        if compressed {
            bytes = gzip(bytes.as_slice());
        }
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = Place::new().unpack_with(&bytes, options(false, Over::Remove));
    }
}
