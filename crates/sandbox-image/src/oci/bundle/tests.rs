//! What bundles mean.

use sandbox_core::{Capability, Filesystem, Isolation, KeptCapabilities, MountFlag, User};
use sandbox_core::{UserNamespace, Writable};

use super::*;

const HOSTS: Hosts = Hosts { uid: 1000, gid: 1001 };

/// What runc(8) `spec` writes.
const RUNC: &str = include_str!("testdata/runc-spec.json");
/// And with `--rootless`, by user 1000.
const ROOTLESS: &str = include_str!("testdata/runc-spec-rootless.json");

fn parse(text: &str) -> Result<Bundle, OciError> {
    Bundle::parse(Path::new("/bundle"), text.as_bytes(), HOSTS)
}

/// A bundle with these members beside the least that there must be.
fn with(more: &str) -> Result<Bundle, OciError> {
    with_process("", more)
}

fn with_process(process: &str, more: &str) -> Result<Bundle, OciError> {
    parse(&format!(
        r#"{{"ociVersion": "1.2.0", "root": {{"path": "rootfs"}},
            "process": {{"args": ["/bin/true"], "cwd": "/" {process}}} {more}}}"#
    ))
}

fn fields(list: &[BundleField]) -> Vec<String> {
    list.iter().map(|field| format!("{} {}", field.field, field.value)).collect()
}

#[test]
fn the_default_of_runc() {
    let bundle = parse(RUNC).unwrap();
    let config = &bundle.config;
    assert_eq!(config.command.words(), ["sh"]);
    assert_eq!(config.root, Root::Directory("/bundle/rootfs".into()));
    assert_eq!(config.user, User::Root);
    assert_eq!(config.hostname.as_ref().map(Hostname::as_str), Some("runc"));
    assert_eq!(config.env.set.len(), 2);
    let kept = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
    let kept = kept.map(|name| Capability::named(name).unwrap());
    assert_eq!(config.capabilities, KeptCapabilities::Only(kept.into()));
    let isolated = [config.processes, config.network, config.ipc, config.uts, config.mounts];
    assert_eq!(isolated, [Isolation::Isolated; 5]);
    assert_eq!(config.cgroup, Isolation::Undefined);
    assert_eq!(config.writable, Writable::All);
    let mounts: Vec<_> = config.extra_mounts.iter().map(ToString::to_string).collect();
    assert_eq!(
        mounts,
        [
            "proc on /proc",
            "a minimal /dev on /dev",
            "tmpfs on /dev/shm",
            "mqueue on /dev/mqueue",
            "sysfs on /sys",
            "remount in place on /",
        ]
    );
    let shm = Filesystem::Tmpfs { size: Some(65536 << 10), mode: Some(0o1777) };
    assert_eq!(config.extra_mounts[2].filesystem, shm);
    assert!(config.extra_mounts[2].flags.contains(&MountFlag::NoExec));
    assert_eq!(bundle.terminal, Terminal::Wanted);
    let unsupported = fields(&bundle.unsupported);
    let names: Vec<_> = unsupported.iter().map(|text| text.split(' ').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "process.terminal",
            "process.rlimits[0]",
            "mounts[1].options[3]",
            "mounts[2].options[5]",
            "mounts[6]",
            "linux.maskedPaths[1]",
            "linux.maskedPaths[8]",
            "linux.resources.devices[0]",
        ]
    );
    assert_eq!(fields(&bundle.without_effect), [r#"mounts[1].options[1] "strictatime""#]);
}

#[test]
fn the_default_of_runc_without_root() {
    let bundle = parse(ROOTLESS).unwrap();
    assert_eq!(bundle.config.user_namespace, UserNamespace::Own);
    let named = fields(&bundle.unsupported).join("\n");
    assert!(!named.contains("Mappings"), "{named}");
    let sys = bundle.config.extra_mounts.iter().find(|mount| mount.target.as_os_str() == "/sys");
    assert!(
        matches!(&sys.unwrap().filesystem, Filesystem::Bind { source, .. } if source == "/sys")
    );

    let others = ROOTLESS.replace("\"hostID\": 1000", "\"hostID\": 7");
    let named = fields(&parse(&others).unwrap().unsupported).join("\n");
    assert!(named.contains("linux.uidMappings[0]"), "{named}");
    assert!(!named.contains("linux.gidMappings"), "{named}");
}

#[test]
fn what_is_not_honoured_is_named() {
    for (process, more, want) in [
        (
            "",
            r#","hooks": {"prestart": [{"path": "/a"}], "poststop": []}"#,
            &["hooks.prestart[0]"][..],
        ),
        (
            "",
            r#","linux": {"resources": {"blockIO": {"weight": 1}, "pids": {}}}"#,
            &["linux.resources.blockIO"],
        ),
        (
            "",
            r#","linux": {"namespaces": [{"type": "pid", "path": "/p"}, {"type": "time"}]}"#,
            &["linux.namespaces[0].path", "linux.namespaces[1].type"],
        ),
        (
            "",
            r#","linux": {"sysctl": {"a": "1"}, "cgroupsPath": "/c", "devices": [{"path": "/d"}]}"#,
            &["linux.cgroupsPath", "linux.devices[0]", "linux.sysctl"],
        ),
        (
            "",
            r#","linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "flags": ["F"]}}"#,
            &["linux.seccomp.flags"],
        ),
        ("", r#","linux": {"rootfsPropagation": "shared"}"#, &["linux.rootfsPropagation"]),
        (
            "",
            r#","windows": {"a": 1}, "nonsense": "x", "domainname": null"#,
            &["nonsense", "windows"],
        ),
        ("", r#","annotations": {"a": "b"}"#, &[]),
        (
            r#","user": {"uid": 1, "umask": 18, "additionalGids": [5, 6]}"#,
            "",
            &["process.user.umask"],
        ),
        (
            r#","apparmorProfile": "a", "selinuxLabel": "b", "oomScoreAdj": 0"#,
            "",
            &["process.apparmorProfile", "process.oomScoreAdj", "process.selinuxLabel"],
        ),
        (r#","noNewPrivileges": false"#, "", &["process.noNewPrivileges"]),
        (
            r#","capabilities": {"permitted": ["CAP_KILL"], "bounding": ["CAP_KILL"]}"#,
            "",
            &["process.capabilities.permitted"],
        ),
    ] {
        let bundle = with_process(process, more).unwrap();
        let names: Vec<_> = bundle.unsupported.iter().map(|at| at.field.as_str()).collect();
        assert_eq!(names, want, "{process} {more}");
    }
}

#[test]
fn limits_and_groups() {
    let limits = |resources: &str| {
        let bundle = with(&format!(r#","linux": {{"resources": {{{resources}}}}}"#)).unwrap();
        let names: Vec<_> = bundle.unsupported.iter().map(|at| at.field.clone()).collect();
        let limits = bundle.config.limits;
        (limits.memory, limits.cpu, limits.processes, names.join(" "))
    };
    for (resources, want) in [
        ("", (None, None, None, "")),
        (
            r#""memory": {"limit": 1048576}, "pids": {"limit": 9}, "cpu": {"quota": 50000}"#,
            (Some(1 << 20), Some(500), Some(9), ""),
        ),
        (
            r#""memory": {"limit": -1, "swap": 5}, "pids": {"limit": 0}, "cpu": {"shares": 2}"#,
            (None, None, None, "linux.resources.memory.swap linux.resources.cpu.shares"),
        ),
        (r#""cpu": {"quota": 1, "period": 1000000}"#, (None, Some(1), None, "")),
        (r#""cpu": {"quota": 9000, "period": 1000}"#, (None, Some(9000), None, "")),
    ] {
        let (memory, cpu, processes, names) = limits(resources);
        assert_eq!((memory, cpu, processes, names.as_str()), want, "{resources}");
    }
    let groups = r#","user": {"uid": 1, "gid": 2, "additionalGids": [5, 6]}"#;
    let bundle = with_process(groups, "").unwrap();
    assert_eq!(bundle.config.groups, [5, 6]);
    let own = r#","linux": {"namespaces": [{"type": "user"}]}"#;
    let bundle = with_process(groups, own).unwrap();
    assert_eq!(bundle.config.groups, [0; 0]);
    assert_eq!(fields(&bundle.unsupported), ["process.user.additionalGids [5,6]"]);
}

#[test]
fn mounts_and_their_options() {
    for (mount, made, told) in [
        (r#"{"destination": "/a", "type": "bind", "source": "b"}"#, "/bundle/b on /a", ""),
        (r#"{"destination": "/a", "source": "/b", "options": ["rbind", "ro"]}"#, "/b on /a", ""),
        (
            r#"{"destination": "/a", "source": "/b", "options": ["bind", "rshared", "rro"]}"#,
            "/b on /a",
            "mounts[0].options[1] mounts[0].options[2]",
        ),
        (
            r#"{"destination": "t", "type": "tmpfs", "options": ["relatime", "uid=5"]}"#,
            "tmpfs on /t",
            "mounts[0].options[1]",
        ),
        (r#"{"destination": "/a", "type": "devpts"}"#, "", "mounts[0]"),
        (r#"{"destination": "/a", "type": "cgroup2"}"#, "", "mounts[0]"),
        (
            r#"{"destination": "/a", "type": "proc", "uidMappings": [{}], "options": ["hidepid=2"]}"#,
            "proc on /a",
            "mounts[0].options[0] mounts[0].uidMappings[0]",
        ),
        (
            r#"{"destination": "/sys", "type": "sysfs", "options": ["rw"]}"#,
            "sysfs on /sys",
            "mounts[0].options[0]",
        ),
    ] {
        let bundle = with(&format!(r#","mounts": [{mount}]"#)).unwrap();
        let mounts: Vec<_> = bundle.config.extra_mounts.iter().map(ToString::to_string).collect();
        assert_eq!(mounts.join(" "), made, "{mount}");
        let names: Vec<_> = bundle.unsupported.iter().map(|at| at.field.as_str()).collect();
        assert_eq!(names.join(" "), told, "{mount}");
    }
}

#[test]
fn what_is_wrong_is_an_error_that_names_it() {
    for (bundle, want) in [
        (parse("{}"), "config.json: ociVersion is missing: the version of the specification, 1.x"),
        (
            parse(r#"{"ociVersion": "2.0.0"}"#),
            "config.json: ociVersion: \"2.0.0\": only bundles of version 1.x",
        ),
        (parse(r#"{"ociVersion": "1.0.0"}"#), "config.json: process.args is missing"),
        (with_process(r#", "env": ["A=1", "B"]"#, ""), "config.json: process.env[1]: \"B\": give"),
        (
            with_process(r#", "user": {"uid": -1}"#, ""),
            "config.json: process.user.uid: invalid value",
        ),
        (with_process(r#", "user": {"uid": 4294967295}"#, ""), "config.json: .: user.uid"),
        (
            with_process(r#", "capabilities": {"effective": ["CAP_X"]}"#, ""),
            "config.json: process.capabilities.effective[0]: capabilities \"CAP_X\"",
        ),
        (
            with(r#", "mounts": [{"type": "proc"}]"#),
            "config.json: mounts[0].destination is missing",
        ),
        (with(r#", "mounts": [{"destination": "/"}, 7]"#), "config.json: mounts[1]: invalid type"),
        (
            with(r#", "mounts": [{"destination": "/a", "type": "tmpfs", "options": ["size=x"]}]"#),
            "config.json: mounts[0]: mount size \"x\" is not valid: give bytes",
        ),
        (with(r#", "hostname": "a/b""#), "config.json: hostname: hostname \"a/b\" is not valid"),
        (
            with(r#", "linux": {"seccomp": {"defaultAction": "A", "syscalls": [{"names": 1}]}}"#),
            "config.json: linux.seccomp.syscalls[0].names: invalid type: integer `1`",
        ),
    ] {
        let error = bundle.unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}\n{want}");
    }
}

#[test]
fn the_root_has_to_be_a_directory() {
    let at = tempfile::TempDir::new().unwrap();
    let error = Bundle::read(at.path()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("config.json: No such"), "{error}");
    std::fs::write(at.path().join("config.json"), RUNC).unwrap();
    assert!(Bundle::read(at.path()).unwrap_err().to_string().contains("rootfs: No such"));
    std::fs::write(at.path().join("rootfs"), "").unwrap();
    let error = Bundle::read(at.path()).unwrap_err().to_string();
    assert!(error.starts_with("config.json: root.path: "), "{error}");
    std::fs::remove_file(at.path().join("rootfs")).unwrap();
    std::fs::create_dir(at.path().join("rootfs")).unwrap();
    Bundle::read(at.path()).unwrap();
}
