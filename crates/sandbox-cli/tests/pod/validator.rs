//! The 25 checks that the specification's validator makes from inside.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use sandbox_testkit::validator;

use crate::fixture::{Fixture, Ran, for_everyone};

/// The metadata service has to answer within 100 ms, which a loaded machine does not give to anybody.
const TRIES: usize = 3;

fn images(f: &Fixture) -> [String; 2] {
    let dir = f.host("images");
    fs::create_dir(&dir).unwrap();
    let (main, sidekick) = validator::images(&dir).unwrap();
    for path in [&dir, &main, &sidekick] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    [main, sidekick].map(|path| path.to_str().unwrap().to_owned())
}

#[test]
fn all_checks_pass_in_a_pod() {
    for_everyone(|f| {
        let images = images(f);
        let mut ran = None;
        for _ in 0..TRIES {
            let mut command = f.command();
            command.args(["pod", "--volume", "database=empty"]).args(&images);
            let now = Ran::of(command.env("TMPDIR", "/tmp"));
            let late = now.err.contains("timed out") || now.err.contains("100 ms");
            ran = Some(now);
            if !late {
                break;
            }
        }
        let ran = ran.unwrap();
        let mut lines: Vec<_> = ran.out.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["main OK", "poststop OK", "prestart OK", "sidekick OK"], "{ran:?}");
        assert_eq!(ran.code, Some(0), "{ran:?}");
        fs::remove_dir_all(f.host("images")).unwrap();
    });
}

/// The validator sees what is missing where there is no pod.
#[test]
fn a_sandbox_alone_has_no_metadata_service() {
    for_everyone(|f| {
        let [main, _] = images(f);
        let ran = f.run_in(&main, &["--volume", "database=empty"], &[]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.out.contains("prestart OK") && ran.out.contains("main FAIL"), "{ran:?}");
        assert!(ran.err.contains("==> ") && ran.err.contains("AC_METADATA_URL"), "{ran:?}");
        fs::remove_dir_all(f.host("images")).unwrap();
    });
}
