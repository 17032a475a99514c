//! Mounts as text, in the form of fstab(5).

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use proptest::prelude::*;
use sandbox_core::{Filesystem, Missing, Mount, MountFlag, MountPoint, OverlayUpper, Recursion};

use crate::strategies::{inside_path, mount, os_string};

fn parse(line: &str) -> Result<Mount, String> {
    line.parse::<Mount>().map_err(|error| error.to_string())
}

fn filesystem(line: &str) -> Filesystem {
    parse(line).unwrap().filesystem
}

fn flags(line: &str) -> Vec<MountFlag> {
    parse(line).unwrap().flags.into_iter().collect()
}

/// A field with every byte escaped that could mean something else.
fn escape(text: &OsStr) -> String {
    text.as_bytes().iter().fold(String::new(), |mut field, byte| {
        if byte.is_ascii_alphanumeric() || *byte == b'/' {
            field.push(char::from(*byte));
        } else {
            write!(field, "\\{byte:03o}").unwrap();
        }
        field
    })
}

/// The fields of a mount, where text can express it: overlays with `:` or `,` in a path cannot be.
fn fields(mount: &Mount) -> Option<(String, &'static str, String)> {
    if mount.missing != Missing::Fails || mount.mount_point != MountPoint::Made {
        return None;
    }
    let none = || "none".to_owned();
    let mut options = Vec::new();
    let (source, kind) = match &mount.filesystem {
        Filesystem::Bind { source, recursion } => {
            let word = if *recursion == Recursion::Single { "bind" } else { "rbind" };
            options.push(word.to_owned());
            (escape(source.as_os_str()), "none")
        }
        Filesystem::Tmpfs { size, mode } => {
            options.extend(size.map(|size| format!("size={size}")));
            options.extend(mode.map(|mode| format!("mode={mode:o}")));
            (none(), "tmpfs")
        }
        Filesystem::Proc => (none(), "proc"),
        Filesystem::Dev => (none(), "dev"),
        Filesystem::Sysfs => (none(), "sysfs"),
        Filesystem::Mqueue => (none(), "mqueue"),
        Filesystem::Remount => {
            options.push("remount".to_owned());
            (none(), "none")
        }
        _ => return None,
    };
    options.extend(mount.flags.iter().map(ToString::to_string));
    Some((source, kind, options.join(",")))
}

proptest! {
    #[test]
    fn a_mount_that_is_written_as_text_reads_the_same(mount in mount()) {
        if let Some((source, kind, options)) = fields(&mount) {
            let target = escape(mount.target.as_os_str());
            let line = format!(" {source}\t{target}  {kind} {options}\n");
            prop_assert_eq!(parse(&line).unwrap(), mount.clone());
            let line = format!("{source} {target} {kind} defaults,{options} 0 0");
            prop_assert_eq!(parse(&line).unwrap(), mount);
        }
    }

    #[test]
    fn fields_need_no_escapes(source in os_string(), target in inside_path()) {
        prop_assume!(!target.is_root());
        let mount =
            Mount::from_fields(&source, target.as_os_str(), "none".as_ref(), "rbind".as_ref());
        prop_assert_eq!(mount.unwrap(), Mount::bind(source, target.as_os_str()).unwrap());
    }

    #[test]
    fn any_text_is_a_mount_or_an_error(line in "[a-z/\\\\0-9 \t=,:\u{a0}é]{0,40}") {
        if let Ok(mount) = parse(&line) {
            prop_assert!(!mount.target.is_root());
        }
    }
}

#[test]
fn each_type_and_its_options() {
    let bind = |recursion| Filesystem::Bind { source: "/a".into(), recursion };
    assert_eq!(filesystem("/a /b none bind"), bind(Recursion::Single));
    assert_eq!(filesystem("/a /b none rbind"), bind(Recursion::Recursive));
    assert_eq!(filesystem("/a /b bind bind,ro"), bind(Recursion::Single));
    assert_eq!(filesystem("none /b none remount,ro"), Filesystem::Remount);
    assert_eq!(filesystem("dev /dev dev"), Filesystem::Dev);
    assert_eq!(
        filesystem("tmpfs /tmp tmpfs size=16m,mode=1777"),
        Filesystem::Tmpfs { size: Some(16 << 20), mode: Some(0o1777) }
    );
    assert_eq!(
        filesystem("overlay /o overlay lowerdir=/a:/b,upperdir=/u,workdir=/w"),
        Filesystem::Overlay {
            lower: vec![PathBuf::from("/a"), "/b".into()],
            upper: Some(OverlayUpper { upper: "/u".into(), work: "/w".into() }),
        }
    );
}

#[test]
fn the_last_of_opposite_flags_wins() {
    assert_eq!(flags("none /p proc ro,nosuid,nodev,noexec").len(), 4);
    assert_eq!(flags("none /p proc ro,rw,rw,ro"), [MountFlag::ReadOnly]);
    assert_eq!(flags("none /p proc ro,nosuid,suid,defaults,,rw"), []);
}

#[test]
fn escapes_stand_for_bytes() {
    let mount = parse(r"/my\040files\134 /in\011side\377 none rbind").unwrap();
    assert_eq!(mount.filesystem.sources()[0].as_os_str(), "/my files\\");
    assert_eq!(mount.target.as_os_str().as_bytes(), b"/in\tside\xff");
    let literal = parse(r"/a\8\ /b\400 none rbind").unwrap();
    assert_eq!(literal.filesystem.sources()[0].as_os_str(), r"/a\8\");
    assert_eq!(literal.target.as_os_str(), r"/b\400");
    let blank = parse("/a\u{a0}b /c none rbind").unwrap();
    assert_eq!(blank.filesystem.sources()[0].as_os_str(), "/a\u{a0}b");
}

#[test]
fn every_error_names_the_field_the_value_and_what_would_work() {
    for (line, message) in [
        ("", r#"mount "" is not valid: give SOURCE TARGET TYPE [OPTIONS], as in fstab(5)"#),
        ("/a /b", r#"mount "/a /b" is not valid: give SOURCE TARGET TYPE [OPTIONS]"#),
        ("a /b c d 0 0 7", r#"mount "a /b c d 0 0 7" is not valid: give SOURCE TARGET TYPE"#),
        ("proc proc proc", r#"mount target "proc" is relative: give an absolute path"#),
        ("proc / proc", "mount.target is `/`: mount on a directory below it, or set `root`"),
        ("proc /. proc", "mount.target is `/`"),
        (r"proc /p\000 proc", r#"mount target "/p\0" contains a NUL byte"#),
        (r"/a\000 /b none bind", r#"mount.source "/a\0" contains a NUL byte"#),
        ("/a /b ext4", r#"mount type "ext4" is not valid: types are proc, tmpfs, dev"#),
        ("/a /b none", r#"mount type "none" is not valid: this type needs the option bind"#),
        ("/a /b none remount", r#"mount.flags "remount" is not valid: the one remount"#),
        ("/a /b none bind=x", r#"mount options "x" is not valid: this option takes no value"#),
        ("p /p proc hidepid=2", r#"mount options "hidepid" is not valid: type `proc` has no"#),
        ("t /t tmpfs size=0", r#"mount size "0" is not valid: give bytes, with k, m or g"#),
        ("t /t tmpfs size=1t", r#"mount size "1t" is not valid"#),
        ("t /t tmpfs size", r#"mount size "" is not valid"#),
        ("t /t tmpfs size=99999999999g", r#"mount size "99999999999g" is not valid"#),
        ("t /t tmpfs mode=999", r#"mount mode "999" is not valid: give permission bits in octal"#),
        ("t /t tmpfs mode=10000", r#"mount mode "10000" is not valid"#),
        ("o /o overlay", "mount.lower is empty: an overlay needs at least one lower directory"),
        ("o /o overlay lowerdir=/a,upperdir=/u", r#"mount options "/u" is not valid: upperdir"#),
    ] {
        let error = parse(line).unwrap_err();
        assert!(error.starts_with(message), "{line:?}: {error}");
    }
    let error = Mount::from_fields("".as_ref(), "/b".as_ref(), "none".as_ref(), "bind".as_ref());
    assert_eq!(error.unwrap_err().to_string(), "mount.source is empty: give a path of the host");
    let error = Mount::new("", Filesystem::Proc).unwrap_err();
    assert_eq!(error.to_string(), "mount target is empty: give a path inside the sandbox");
}

#[test]
fn a_remount_is_read_only_however_it_is_made() {
    let made = Mount::new("/a", Filesystem::Remount).unwrap();
    assert_eq!(made, parse("none /a none remount,ro").unwrap());
}
