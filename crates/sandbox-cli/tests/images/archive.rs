//! Images as tests make them: tar archives in memory, good ones and such as nobody should make.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use sandbox_testkit::fixture::{BUSYBOX, skip};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};
use tar::{EntryType, Header};

/// What of the busybox images have.
const APPLETS: [&str; 24] = [
    "cat", "echo", "env", "false", "grep", "head", "hostname", "id", "ip", "kill", "ls", "mkdir",
    "mount", "mv", "ps", "pwd", "readlink", "rm", "sh", "sleep", "stat", "touch", "true", "wc",
];
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:Web:/srv/web:/bin/false\n";
const GROUP: &str = "root:x:0:\nwww:x:34:\n";

/// An archive that is being made.
pub(crate) struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// A manifest, and a tree that has a shell.
    pub(crate) fn aci(manifest: &Value) -> Self {
        Self::new().file("manifest", manifest.to_string()).dir("rootfs").tree("rootfs/")
    }

    /// A manifest, and no file at all.
    pub(crate) fn bare(manifest: &Value) -> Self {
        Self::new().file("manifest", manifest.to_string()).dir("rootfs")
    }

    /// A tree that has a shell and two accounts, below a prefix.
    pub(crate) fn tree(mut self, prefix: &str) -> Self {
        for name in ["bin", "etc", "tmp", "data"] {
            self = self.dir(&format!("{prefix}{name}"));
        }
        self = self.entry(
            &format!("{prefix}bin/busybox"),
            EntryType::Regular,
            0o755,
            &fs::read(BUSYBOX).unwrap(),
        );
        for name in APPLETS {
            self = self.link(&format!("{prefix}bin/{name}"), "busybox");
        }
        self.file(&format!("{prefix}etc/passwd"), PASSWD).file(&format!("{prefix}etc/group"), GROUP)
    }

    pub(crate) fn dir(self, name: &str) -> Self {
        self.entry(name, EntryType::Directory, 0o755, b"")
    }

    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.entry(name, EntryType::Regular, 0o644, content.as_ref())
    }

    pub(crate) fn link(self, name: &str, to: &str) -> Self {
        self.to(name, EntryType::Symlink, to)
    }

    pub(crate) fn hard(self, name: &str, to: &str) -> Self {
        self.to(name, EntryType::Link, to)
    }

    /// Somebody else's file.
    pub(crate) fn owned(mut self, name: &str, uid: u64, gid: u64) -> Self {
        let mut header = header(name, EntryType::Regular, 0o644);
        header.set_uid(uid);
        header.set_gid(gid);
        header.set_cksum();
        self.0.append(&header, &b""[..]).unwrap();
        self
    }

    fn to(mut self, name: &str, kind: EntryType, to: &str) -> Self {
        let mut header = header(name, kind, 0o777);
        header.as_old_mut().linkname[..to.len()].copy_from_slice(to.as_bytes());
        header.set_cksum();
        self.0.append(&header, &b""[..]).unwrap();
        self
    }

    pub(crate) fn entry(mut self, name: &str, kind: EntryType, mode: u32, content: &[u8]) -> Self {
        let mut header = header(name, kind, mode);
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// Names are as they are given, however wrong.
fn header(name: &str, kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header.set_size(0);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header
}

/// The manifest of an image that runs this app.
pub(crate) fn manifest(app: Value) -> Value {
    json!({
        "acKind": "ImageManifest",
        "acVersion": "0.8.11",
        "name": "example.com/app",
        "app": app,
    })
}

/// The manifest of an image that runs a script of the shell, with more about its app.
pub(crate) fn script(text: &str, more: Value) -> Value {
    let app = json!({"exec": ["/bin/sh", "-c", text], "user": "0", "group": "0"});
    manifest(with(app, more))
}

/// An object with what another one has.
pub(crate) fn with(mut object: Value, more: Value) -> Value {
    if let Value::Object(more) = more {
        object.as_object_mut().unwrap().extend(more);
    }
    object
}

/// What a program makes of bytes. `None`: it is not here, which is said.
pub(crate) fn through(words: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        skip("sandbox-cli", &format!("{} is missing", words[0])).unwrap();
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{words:?}");
    Some(output.stdout)
}

/// The ID of an App Container image.
pub(crate) fn appc_id(bytes: &[u8]) -> String {
    format!("sha512-{}", hex(&Sha512::digest(bytes)))
}

/// A digest of OCI's.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap()
}

/// Unpacks an archive to a directory.
pub(crate) fn unpack(bytes: &[u8], to: &Path) {
    tar::Archive::new(bytes).unpack(to).unwrap();
}
