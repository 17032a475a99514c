//! What the filters answer, call by call and ABI by ABI, by an interpreter of theirs.

use std::collections::BTreeSet;

use sandbox_seccomp::{
    Abi, BUILD, BUILD_AND_TERMINAL, Denial, Instruction, Machine, Mistake, Rules, TERMINAL, Test,
    X32_BIT, compile,
};

const ALLOW: u32 = 0x7fff_0000;
const ERROR: u32 = 0x0005_0000;
const ENOSYS: u32 = 38;
/// More than any number of any ABI's.
const NUMBERS: u32 = 1000;

/// The kernel's answer to a call.
fn answer(program: &[Instruction], abi: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let (mut at, mut word) = (0, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        match code {
            0x20 => {
                word = match k {
                    0 => number,
                    4 => abi,
                    offset => {
                        assert!(offset >= 16 && offset % 8 == 0, "offset {offset}");
                        (arguments[(offset as usize - 16) / 8] & 0xffff_ffff) as u32
                    }
                };
            }
            0x54 => word &= k,
            0x05 => at += k as usize,
            0x15 => at += usize::from(if word == k { jt } else { jf }),
            0x35 => at += usize::from(if word >= k { jt } else { jf }),
            0x06 => return k,
            other => unreachable!("code {other}"),
        }
    }
}

fn denials(rules: &Rules) -> impl Iterator<Item = &Denial> {
    rules.groups.iter().flat_map(|group| &group.denials)
}

/// Arguments for which a denial holds, and others for which it does not.
fn arguments(denial: &Denial) -> (Vec<[u64; 6]>, Vec<[u64; 6]>) {
    let Some(when) = &denial.when else { return (vec![[0; 6], [u64::MAX; 6]], Vec::new()) };
    let with = |value: u64| {
        let mut all = [0x33; 6];
        all[usize::from(when.argument)] = value;
        all
    };
    // The high half is not looked at by the kernel either: these arguments are ints.
    let named = when.values.iter().flat_map(|value| {
        [with(u64::from(*value)), with(u64::from(*value) | 0xdead_0000_0000_0000)]
    });
    let named = named.collect();
    let others = (0..64).map(|value| value * 0x1_0001).chain([u64::MAX]);
    let others = others.filter(|value| !when.values.contains(&((value & 0xffff_ffff) as u32)));
    let others = others.map(with).collect();
    match when.test {
        Test::In => (named, others),
        Test::NotIn => (others, named),
    }
}

#[test]
fn each_call_is_refused_through_each_abi_and_no_other_is() {
    let build = Rules::build().unwrap();
    for machine in Machine::ALL {
        let program = compile(machine, &[&build]);
        assert!(program.len() <= 4096, "{machine:?}: {} instructions", program.len());
        for abi in machine.abis() {
            let bits = if abi == Abi::X86_64 { vec![0, X32_BIT] } else { vec![0] };
            let mut named = BTreeSet::new();
            for denial in denials(&build) {
                let (held, free) = arguments(denial);
                for number in denial.calls.iter().flat_map(|call| abi.numbers(call)) {
                    named.insert(number);
                    for bit in &bits {
                        let answer = |arguments: &[u64; 6]| {
                            answer(&program, abi.architecture(), number | bit, *arguments)
                        };
                        let error = ERROR | u32::from(denial.errno);
                        assert!(held.iter().all(|a| answer(a) == error), "{abi:?} {denial:?}");
                        assert!(free.iter().all(|a| answer(a) == ALLOW), "{abi:?} {denial:?}");
                    }
                }
            }
            assert!(named.len() > 25, "{abi:?}: {}", named.len());
            for number in (0..NUMBERS).chain([u32::MAX, u32::MAX - 1]) {
                for bit in &bits {
                    let free = !named.contains(&(number & abi.mask()));
                    let got = answer(&program, abi.architecture(), number | bit, [0; 6]);
                    assert!(!free || got == ALLOW, "{abi:?} {number}");
                }
            }
        }
    }
}

#[test]
fn what_comes_by_an_unknown_abi_is_not_there() {
    for program in [BUILD, TERMINAL, BUILD_AND_TERMINAL] {
        assert_eq!(answer(program, 0xC000_0016, 3, [0; 6]), ERROR | ENOSYS);
    }
}

#[test]
fn numbers_are_the_kernels() {
    let numbers = |abi: Abi, call| abi.numbers(call).collect::<Vec<_>>();
    assert_eq!(numbers(Abi::X86_64, "ioctl"), [16, 514]);
    assert_eq!(numbers(Abi::X86_64, "kexec_load"), [246, 528]);
    assert_eq!(numbers(Abi::I386, "ioctl"), [54]);
    assert_eq!(numbers(Abi::I386, "stime"), [25]);
    assert_eq!(numbers(Abi::X86_64, "stime"), [0_u32; 0]);
    assert_eq!(numbers(Abi::Arm, "ioctl"), [54]);
    for abi in [Abi::Aarch64, Abi::Riscv64, Abi::Riscv32] {
        assert_eq!(numbers(abi, "ioctl"), [29]);
    }
    for abi in Abi::ALL {
        assert_eq!(numbers(abi, "io_uring_setup"), [425], "{abi:?}");
    }
}

#[test]
fn both_are_as_one_and_the_other() {
    let Some(machine) = Machine::this() else { return };
    for abi in machine.abis() {
        for number in 0..NUMBERS {
            for argument in [0, 0x5412, 0x541C, 0x5413, 40] {
                let arguments = [argument; 6];
                let answer = |program| answer(program, abi.architecture(), number, arguments);
                // The strictest counts, which for these is the smallest.
                assert_eq!(answer(BUILD).min(answer(TERMINAL)), answer(BUILD_AND_TERMINAL));
            }
        }
    }
}

/// What nested sandboxes, debuggers and sanitizers live on, and the init that is held to the rules too.
#[test]
fn what_builds_need_is_in_no_rule() {
    let build = Rules::build().unwrap();
    let refused: BTreeSet<_> =
        denials(&build).filter(|d| d.when.is_none()).flat_map(|d| &d.calls).collect();
    for needed in "clone clone3 unshare setns mount umount2 pivot_root chroot open_tree move_mount \
                   mount_setattr fsopen fsmount fsconfig ptrace process_vm_readv personality prctl \
                   seccomp landlock_create_ruleset execve execveat vfork fork wait4 waitid kill \
                   pidfd_open pidfd_send_signal pidfd_getfd setgroups setresuid capset ioctl socket \
                   sethostname memfd_create name_to_handle_at mbind set_mempolicy modify_ldt \
                   sched_setaffinity adjtimex mknod setxattr chown copy_file_range splice kcmp"
        .split_ascii_whitespace()
    {
        assert!(!refused.contains(&needed.to_owned()), "{needed}");
    }
}

#[test]
fn every_group_has_a_name_of_its_own_and_a_reason() {
    let build = Rules::build().unwrap();
    let names: BTreeSet<_> = build.groups.iter().map(|group| &group.name).collect();
    assert_eq!(names.len(), build.groups.len());
    for group in &build.groups {
        assert!(group.why.ends_with('.') && !group.denials.is_empty(), "{}", group.name);
    }
    let mut calls: Vec<_> = denials(&build).flat_map(|denial| &denial.calls).collect();
    let all = calls.len();
    calls.sort();
    calls.dedup();
    assert_eq!(calls.len(), all);
}

#[test]
fn a_kept_capability_keeps_its_calls() {
    let rules = Rules::build().unwrap().for_capabilities(["CAP_SYS_TIME", "CAP_CHOWN"]);
    let calls: Vec<_> = denials(&rules).flat_map(|denial| &denial.calls).collect();
    assert!(!calls.iter().any(|call| *call == "stime"));
    assert!(calls.iter().any(|call| *call == "reboot"));
}

#[test]
fn one_can_build_upon_them() {
    let text = "include build without clock perf\ngroup mine\n why Mine.\n EACCES stime # all\n";
    let rules = Rules::parse(text).unwrap();
    assert_eq!(rules.groups.len(), Rules::build().unwrap().groups.len() - 1);
    let mine = rules.groups.last().unwrap();
    assert_eq!((mine.why.as_str(), mine.denials[0].errno), ("Mine.", 13));
    assert_eq!(Rules::parse("\n# nothing\n").unwrap(), Rules::default());
}

#[test]
fn many_rules_make_long_jumps() {
    let values: Vec<_> = (0..200).map(|value| value.to_string()).collect();
    let line = |call: &str| format!("EPERM {call} if 1 in {}\n", values.join(" "));
    let calls = ["read", "write", "close", "stat", "poll", "lseek", "mmap", "brk"];
    let text = format!("group g\n{}", calls.map(line).concat());
    let program = compile(Machine::X86_64, &[&Rules::parse(&text).unwrap()]);
    let abi = Abi::X86_64;
    for number in calls.iter().flat_map(|call| abi.numbers(call)) {
        let answer = |value| answer(&program, abi.architecture(), number, [0, value, 0, 0, 0, 0]);
        assert_eq!((answer(0), answer(199), answer(200)), (ERROR | 1, ERROR | 1, ALLOW));
    }
    assert_eq!(answer(&program, abi.architecture(), 59, [0; 6]), ALLOW);
}

#[test]
fn a_mistake_names_its_line() {
    let call = Mistake::Call("opne".into());
    for (text, line, mistake) in [
        ("group g\nEPERM opne", 2, call),
        ("EPERM open", 1, Mistake::NoGroup),
        ("why not", 1, Mistake::NoGroup),
        ("deny open", 1, Mistake::Word("deny".into())),
        ("EWHAT open", 1, Mistake::Word("EWHAT".into())),
        ("include build without x", 1, Mistake::Group("x".into())),
        ("group g\n EPERM open if 6 in 1", 2, Mistake::Number("6".into())),
        ("group g\n EPERM open if 0 in 0xfffffffff", 2, Mistake::Number("0xfffffffff".into())),
    ] {
        let error = Rules::parse(text).unwrap_err();
        assert_eq!((error.line, error.mistake), (line, mistake), "{text}");
    }
    for text in [
        "include",
        "include this",
        "include build with",
        "group",
        "group a b",
        "group g\nEPERM",
        "group g\nEPERM open if 0",
        "group g\nEPERM open if 0 not 1",
        "group g\nEPERM open if 0 in",
    ] {
        let error = Rules::parse(text).unwrap_err();
        assert!(matches!(error.mistake, Mistake::Words(_)), "{text}: {error}");
    }
}
