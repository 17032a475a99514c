//! The filter of system calls of a bundle, as data (config-linux.md, "Seccomp").

use serde::{Deserialize, Serialize};

use super::super::json::nullable;

/// What happens at which system calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SeccompProfile {
    /// What happens at a call that no rule is about: `SCMP_ACT_ERRNO`.
    pub default_action: String,
    /// The error that it gives then. Default: EPERM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_errno_ret: Option<u32>,
    /// The ABIs that the rules are for, beside the machine's own: `SCMP_ARCH_X86`.
    #[serde(default, deserialize_with = "nullable")]
    pub architectures: Vec<String>,
    /// The rules.
    #[serde(default, deserialize_with = "nullable")]
    pub syscalls: Vec<SeccompRule>,
}

/// What happens at some system calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SeccompRule {
    /// The names of the calls.
    pub names: Vec<String>,
    /// What happens: `SCMP_ACT_ALLOW`.
    pub action: String,
    /// The error that they give then. Default: EPERM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno_ret: Option<u32>,
    /// What all must hold of their arguments.
    #[serde(default, deserialize_with = "nullable")]
    pub args: Vec<SeccompArgument>,
}

/// What must hold of an argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SeccompArgument {
    /// Which one, from 0.
    pub index: u32,
    /// What it is compared with; a mask for `SCMP_CMP_MASKED_EQ`.
    pub value: u64,
    /// What it is after the mask.
    #[serde(default)]
    pub value_two: u64,
    /// How: `SCMP_CMP_EQ`.
    pub op: String,
}
