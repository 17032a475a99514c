//! What the filters answer, by carrying them out as the kernel does.

use super::*;

const X86_64: u32 = 0xC000_003E;
const I386: u32 = 0x4000_0003;
const ALLOW: u32 = 0x7FFF_0000;
const KILL: u32 = 0x8000_0000;
const EPERM: u32 = 0x0005_0001;

/// The kernel's answer to a call (seccomp(2)).
fn answer(program: &SeccompProgram, architecture: u32, number: u32) -> u32 {
    let words: Vec<[u8; 8]> = program.bytes().as_chunks::<8>().0.to_vec();
    let (mut at, mut loaded) = (0_usize, 0);
    loop {
        let [a, b, jump_true, jump_false, k0, k1, k2, k3] = words[at];
        let operand = u32::from_ne_bytes([k0, k1, k2, k3]);
        at += 1;
        let branch = |passed: bool| usize::from(if passed { jump_true } else { jump_false });
        match u16::from_ne_bytes([a, b]) {
            0x20 => loaded = if operand == 0 { number } else { architecture },
            0x05 => at += operand as usize,
            0x15 => at += branch(loaded == operand),
            0x35 => at += branch(loaded >= operand),
            0x06 => return operand,
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn set(names: &[&str], errno: Option<&str>) -> SeccompSet {
    let set = names.iter().map(|&name| name.to_owned()).collect();
    SeccompSet { set, errno: errno.map(str::to_owned) }
}

fn made(kind: Kind, names: &[&str], errno: Option<&str>) -> (Option<SeccompProgram>, String) {
    let (program, report) = filter(kind, &set(names, errno)).unwrap();
    assert_eq!(report.name, kind.isolator());
    (program, format!("{}: {}", report.disposition, report.detail))
}

#[test]
fn a_retain_set_allows_it_and_what_starts_the_command() {
    let (program, told) = made(Kind::Retain, &["read", "write"], Some("EPERM"));
    let program = program.unwrap();
    // read, write, execve, exit_group; then open, mkdir, and others' numbers for read.
    for number in [0, 1, 59, 231] {
        assert_eq!(answer(&program, X86_64, number), ALLOW, "{number}");
    }
    for number in [2, 83, 0x4000_0000, 0x4000_0001, u32::MAX] {
        assert_eq!(answer(&program, X86_64, number), EPERM, "{number}");
    }
    assert_eq!(answer(&program, I386, 3), KILL);
    let expected = "adjusted: 4 system calls allowed, others give EPERM; execve and exit_group \
        allowed, to start the command";
    assert_eq!(told, expected);
    let (_, told) = made(Kind::Retain, &["read", "execve", "exit_group"], None);
    assert_eq!(told, "enforced: 3 system calls allowed, others give SIGSYS");
}

#[test]
fn a_remove_set_refuses_it_in_every_abi() {
    let (program, told) = made(Kind::Remove, &["mkdir", "reboot"], None);
    let program = program.unwrap();
    for (number, expected) in
        [(0, ALLOW), (59, ALLOW), (83, KILL), (169, KILL), (0x4000_0000 + 83, KILL)]
    {
        assert_eq!(answer(&program, X86_64, number), expected, "{number}");
    }
    assert_eq!(answer(&program, I386, 39), KILL);
    assert_eq!(told, "enforced: 2 system calls refused with SIGSYS, and all of other ABIs");
    let (program, told) = made(Kind::Remove, &["execve", "mkdir"], Some("ENOTSUP"));
    let program = program.unwrap();
    assert_eq!(answer(&program, X86_64, 59), ALLOW);
    assert_eq!(answer(&program, X86_64, 83), 0x0005_005F);
    let expected = "adjusted: 1 system call refused with ENOTSUP, and all of other ABIs; execve allowed, to start the \
        command";
    assert_eq!(told, expected);
}

#[test]
fn names_that_are_not_known_are_told() {
    let (_, told) = made(Kind::Remove, &["mkdir", "socketcall", "no_such"], None);
    let expected = "adjusted: 1 system call refused with SIGSYS, and all of other ABIs; not known here: socketcall, \
        no_such";
    assert_eq!(told, expected);
    let (program, told) = made(Kind::Remove, &["no_such"], None);
    assert!(program.is_none() && told.starts_with("adjusted: 0 system calls refused"), "{told}");
}

#[test]
fn wildcards() {
    for (kind, names, expected) in [
        (Kind::Retain, &["@appc.io/all"][..], "enforced: @appc.io/all: no system call is refused"),
        (Kind::Remove, &["mkdir", "@appc.io/empty"], "enforced: @appc.io/empty: no"),
        (Kind::Retain, &["@docker/default-whitelist", "read"], "ignored: not known here: @docker/"),
        (Kind::Remove, &["@rkt/default-blacklist"], "ignored: not known here: @rkt/"),
    ] {
        let (program, told) = made(kind, names, None);
        assert!(program.is_none() && told.starts_with(expected), "{told}");
    }
    let (program, told) = made(Kind::Remove, &["@rkt/default-blacklist", "mkdir"], None);
    assert_eq!(answer(&program.unwrap(), X86_64, 83), KILL);
    assert!(told.starts_with("adjusted: 1 system call"), "{told}");
    for (kind, name) in [(Kind::Retain, "@appc.io/empty"), (Kind::Remove, "@appc.io/all")] {
        let error = filter(kind, &set(&[name], None)).unwrap_err().to_string();
        assert!(error.contains(&format!("{name:?} is not valid: the wildcard of")), "{error}");
    }
}

#[test]
fn errors_by_name() {
    for (name, number) in [
        ("EPERM", 1),
        ("ENOSYS", 38),
        ("EWOULDBLOCK", 11),
        ("ENOTSUP", 95),
        ("EOPNOTSUPP", 95),
        ("EDEADLK", 35),
        ("EDEADLOCK", 35),
        ("EHWPOISON", 133),
        ("EILSEQ", 84),
        ("ECANCELED", 125),
    ] {
        assert_eq!(machine::errno(name), Some(number), "{name}");
    }
    for wrong in ["eperm", "ENOPE", "1"] {
        let error = filter(Kind::Remove, &set(&["mkdir"], Some(wrong))).unwrap_err().to_string();
        assert!(error.ends_with("is not valid: give a name of errno(3), such as EPERM"), "{error}");
    }
    assert!(filter(Kind::Remove, &set(&[], None)).is_err());
    let (_, told) = made(Kind::Remove, &["mkdir"], Some(""));
    assert!(told.contains("with SIGSYS"), "{told}");
}

#[test]
fn a_filter_of_every_call_fits() {
    let every: Vec<&str> = syscalls::Sysno::iter().map(|call| call.name()).collect();
    let (program, _) = made(Kind::Retain, &every, None);
    assert!(program.unwrap().instructions() > every.len());
}
