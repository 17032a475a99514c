//! Isolators: what their values may be, by name (the specification's ace.md, isolators).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::{Field, ManifestError};
use super::json;
use super::manifest::IsolatorEntry;
use super::quantity::Quantity;
use super::text;
use crate::app::{Isolator, SeccompSet};

const CAPABILITIES_RETAIN: &str = "os/linux/capabilities-retain-set";
const CAPABILITIES_REMOVE: &str = "os/linux/capabilities-remove-set";
const SECCOMP_RETAIN: &str = "os/linux/seccomp-retain-set";
const SECCOMP_REMOVE: &str = "os/linux/seccomp-remove-set";

/// Those of which an app has one or the other.
const EXCLUSIVE: [(&str, &str); 2] =
    [(CAPABILITIES_RETAIN, CAPABILITIES_REMOVE), (SECCOMP_RETAIN, SECCOMP_REMOVE)];

/// Those that are given once. Of the others the last counts.
const SINGLE: [&str; 7] = [
    SECCOMP_RETAIN,
    SECCOMP_REMOVE,
    "os/linux/selinux-context",
    "os/linux/apparmor-profile",
    "os/linux/oom-score-adj",
    "os/linux/cpu-shares",
    "os/unix/sysctl",
];

/// The isolators of a list, in its order. Of several that mean the same the last remains.
pub(super) fn read(
    entries: &[IsolatorEntry],
    field: &Field,
) -> Result<Vec<Isolator>, ManifestError> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let name = entry.name.as_str();
        let at = field.at(index);
        if let Some(first) = seen.insert(name, index).filter(|_| SINGLE.contains(&name)) {
            return Err(ManifestError::Duplicate {
                field: at.then("name"),
                value: name.to_owned(),
                first: field.at(first).then("name"),
            });
        }
        for (one, two) in EXCLUSIVE {
            for (name, other) in [(one, two), (two, one)] {
                if let Some(first) = seen.get(other).filter(|_| entry.name.as_str() == name) {
                    return Err(ManifestError::Conflict {
                        field: at,
                        name,
                        other,
                        first: field.at(*first),
                    });
                }
            }
        }
    }
    let mut isolators = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let isolator = isolator(entry, &field.at(index).then("value"))?;
        if seen.get(entry.name.as_str()) == Some(&index) {
            isolators.push(isolator);
        }
    }
    Ok(isolators)
}

fn isolator(entry: &IsolatorEntry, at: &Field) -> Result<Isolator, ManifestError> {
    let value = &entry.value;
    match entry.name.as_str() {
        CAPABILITIES_RETAIN => Ok(Isolator::CapabilitiesRetain(capabilities(value, at)?)),
        CAPABILITIES_REMOVE => Ok(Isolator::CapabilitiesRemove(capabilities(value, at)?)),
        SECCOMP_RETAIN => Ok(Isolator::SeccompRetain(seccomp(value, at)?)),
        SECCOMP_REMOVE => Ok(Isolator::SeccompRemove(seccomp(value, at)?)),
        "os/linux/no-new-privileges" => Ok(Isolator::NoNewPrivileges(of(value, at)?)),
        "resource/memory" => {
            let Resource { request, limit } = resource(value, at, Default::Unsupported)?;
            let units = |quantity: Option<Quantity>| quantity.map(Quantity::units);
            Ok(Isolator::Memory { request: units(request), limit: units(limit) })
        }
        "resource/cpu" => {
            let Resource { request, limit } = resource(value, at, Default::Unsupported)?;
            let request = thousandths(request, &at.then("request"))?;
            let limit = thousandths(limit, &at.then("limit"))?;
            Ok(Isolator::Cpu { request, limit })
        }
        name => {
            check_other(name, value, at)?;
            Ok(Isolator::Other { name: name.to_owned(), value: value.clone() })
        }
    }
}

/// Checks the isolators of the specification that nothing here acts upon.
fn check_other(name: &str, value: &Value, at: &Field) -> Result<(), ManifestError> {
    match name {
        "resource/block-bandwidth" | "resource/block-iops" | "resource/network-bandwidth" => {
            let resource = resource(value, at, Default::Required)?;
            if resource.request.is_some() {
                let given = value.get("request").map(Value::to_string).unwrap_or_default();
                let expected = "this resource has a `limit` only";
                return Err(ManifestError::invalid(at.then("request"), given, expected));
            }
            Ok(())
        }
        "os/linux/oom-score-adj" => between(value, at, -1000, 1000),
        "os/linux/cpu-shares" => between(value, at, 2, 262_144),
        "os/linux/selinux-context" => selinux(&of(value, at)?, at),
        "os/unix/sysctl" => of::<BTreeMap<String, String>>(value, at).map(drop),
        _ => Ok(()),
    }
}

/// A value of this type.
fn of<T: DeserializeOwned>(value: &Value, at: &Field) -> Result<T, ManifestError> {
    json::value(value, at)
}

fn capabilities(value: &Value, at: &Field) -> Result<Vec<String>, ManifestError> {
    #[derive(Deserialize)]
    struct Capabilities {
        set: Vec<String>,
    }
    let Capabilities { set } = of(value, at)?;
    not_empty(&set, at)?;
    Ok(set)
}

fn seccomp(value: &Value, at: &Field) -> Result<SeccompSet, ManifestError> {
    #[derive(Deserialize)]
    struct Seccomp {
        set: Vec<String>,
        errno: Option<String>,
    }
    let Seccomp { set, errno } = of(value, at)?;
    not_empty(&set, at)?;
    // Empty is as absent: the specification's own example has it.
    let errno = errno.filter(|name| !name.is_empty());
    if let Some(name) = errno.as_deref().filter(|name| !text::is_errno(name)) {
        let expected = "the name of an error number is, as EPERM";
        return Err(ManifestError::invalid(at.then("errno"), name, expected));
    }
    Ok(SeccompSet { set, errno })
}

fn not_empty(set: &[String], at: &Field) -> Result<(), ManifestError> {
    if set.is_empty() {
        return Err(ManifestError::invalid(at.then("set"), "", "name one at least"));
    }
    Ok(())
}

/// The amounts of a resource.
struct Resource {
    request: Option<Quantity>,
    limit: Option<Quantity>,
}

/// Whether the field `default`, which is about all devices or interfaces, must be true or cannot be.
#[derive(Clone, Copy, PartialEq)]
enum Default {
    Required,
    Unsupported,
}

fn resource(value: &Value, at: &Field, default: Default) -> Result<Resource, ManifestError> {
    #[derive(Deserialize)]
    struct Amounts {
        #[serde(default)]
        default: bool,
        request: Option<Quantity>,
        limit: Option<Quantity>,
    }
    let amounts: Amounts = of(value, at)?;
    if amounts.default == (default == Default::Required) {
        return Ok(Resource { request: amounts.request, limit: amounts.limit });
    }
    let expected = match default {
        Default::Required => "it must be true: the limit is for all devices or interfaces",
        Default::Unsupported => "this resource has no default: leave it out",
    };
    Err(ManifestError::invalid(at.then("default"), amounts.default.to_string(), expected))
}

fn thousandths(quantity: Option<Quantity>, at: &Field) -> Result<Option<u64>, ManifestError> {
    quantity
        .map(|quantity| {
            quantity.thousandths().ok_or_else(|| {
                let expected = "it is more than can be counted in thousandths";
                ManifestError::invalid(at.clone(), quantity.units().to_string(), expected)
            })
        })
        .transpose()
}

fn between(value: &Value, at: &Field, least: i64, most: i64) -> Result<(), ManifestError> {
    let number: i64 = of(value, at)?;
    if (least..=most).contains(&number) {
        return Ok(());
    }
    let expected = format!("{least} to {most} are");
    Err(ManifestError::invalid(at.clone(), number.to_string(), expected))
}

#[derive(Deserialize)]
struct Selinux {
    user: String,
    role: String,
    r#type: String,
    level: String,
}

fn selinux(context: &Selinux, at: &Field) -> Result<(), ManifestError> {
    let parts = [("user", &context.user), ("role", &context.role), ("type", &context.r#type)];
    for (name, value) in parts {
        if value.is_empty() || value.contains(':') {
            let expected = "a part of a context without `:` is";
            return Err(ManifestError::invalid(at.then(name), value, expected));
        }
    }
    if context.level.is_empty() {
        return Err(ManifestError::invalid(at.then("level"), "", "a level is, as s0"));
    }
    Ok(())
}
