//! Numbers and filters of this machine.

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
pub(crate) use known::*;
#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
)))]
pub(crate) use unknown::*;

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
mod known {
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, sock_filter,
    };
    use syscalls::{Errno, Sysno};

    use super::super::{Action, Compare, Condition, Rules};

    pub(crate) const SUPPORTED: bool = true;
    /// `ERRNO_MAX` of the kernel, `include/linux/err.h`.
    const LAST_ERRNO: i32 = 4095;
    /// Other names for the same number.
    const ALIASES: [(&str, &str); 3] =
        [("ENOTSUP", "EOPNOTSUPP"), ("EWOULDBLOCK", "EAGAIN"), ("EDEADLOCK", "EDEADLK")];
    /// `__X32_SYSCALL_BIT`: on x86_64 the calls of another ABI have numbers from here on. No machine has
    /// calls of its own there.
    const X32: u32 = 0x4000_0000;

    pub(crate) fn number(name: &str) -> Option<i64> {
        name.parse::<Sysno>().ok().map(|call| call.id().into())
    }

    pub(crate) fn errno(name: &str) -> Option<u32> {
        let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
        let name = alias.map_or(name, |(_, name)| *name);
        let number = (1..=LAST_ERRNO).find(|number| Errno::new(*number).name() == Some(name))?;
        number.try_into().ok()
    }

    /// The filter, as the kernel takes it: `these` at what the rules say, `others` at the rest, and
    /// `foreign` at calls of x32. A call by way of another architecture ends the process.
    pub(crate) fn program(
        rules: &Rules,
        others: Action,
        these: Action,
        foreign: Action,
    ) -> Option<Vec<u8>> {
        let rules = rules.iter().map(|(number, lists)| {
            let lists = lists.iter().map(|list| rule(list)).collect::<Option<_>>()?;
            Some((*number, lists))
        });
        let machine = std::env::consts::ARCH.try_into().ok()?;
        let rules = rules.collect::<Option<_>>()?;
        let filter = SeccompFilter::new(rules, others.into(), these.into(), machine).ok()?;
        let filter: BpfProgram = filter.try_into().ok()?;
        let foreign = SeccompAction::from(foreign).into();
        let program: Vec<_> = no_x32(foreign).into_iter().chain(filter).collect();
        Some(program.iter().flat_map(bytes).collect())
    }

    fn rule(list: &[Condition]) -> Option<SeccompRule> {
        let condition = |one: &Condition| {
            let compare = match one.compare {
                Compare::Ne => SeccompCmpOp::Ne,
                Compare::Lt => SeccompCmpOp::Lt,
                Compare::Le => SeccompCmpOp::Le,
                Compare::Eq => SeccompCmpOp::Eq,
                Compare::Ge => SeccompCmpOp::Ge,
                Compare::Gt => SeccompCmpOp::Gt,
                Compare::Masked(mask) => SeccompCmpOp::MaskedEq(mask),
            };
            SeccompCondition::new(one.index, SeccompCmpArgLen::Qword, compare, one.value).ok()
        };
        SeccompRule::new(list.iter().map(condition).collect::<Option<_>>()?).ok()
    }

    impl From<Action> for SeccompAction {
        fn from(action: Action) -> Self {
            match action {
                Action::Allow => Self::Allow,
                Action::Log => Self::Log,
                Action::Trace(data) => Self::Trace(data),
                Action::Errno(number) => Self::Errno(number),
                Action::Trap => Self::Trap,
                Action::KillThread => Self::KillThread,
                Action::KillProcess => Self::KillProcess,
            }
        }
    }

    /// Loads the call's number, refuses it from [`X32`] on, and goes on with what follows.
    fn no_x32(answer: u32) -> [sock_filter; 3] {
        // BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JGE | BPF_K, BPF_RET | BPF_K: linux/bpf_common.h
        [
            sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 },
            sock_filter { code: 0x35, jt: 0, jf: 1, k: X32 },
            sock_filter { code: 0x06, jt: 0, jf: 0, k: answer },
        ]
    }

    fn bytes(one: &sock_filter) -> Vec<u8> {
        let (code, operand) = (one.code.to_ne_bytes(), one.k.to_ne_bytes());
        [&code[..], &[one.jt, one.jf], &operand].concat()
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
)))]
mod unknown {
    //! There are no filters here.

    use super::super::{Action, Rules};

    pub(crate) const SUPPORTED: bool = false;

    pub(crate) fn number(_: &str) -> Option<i64> {
        None
    }

    pub(crate) fn errno(_: &str) -> Option<u32> {
        None
    }

    pub(crate) fn program(_: &Rules, _: Action, _: Action, _: Action) -> Option<Vec<u8>> {
        None
    }
}
