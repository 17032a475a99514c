//! The `linux.resources` of a bundle: those limits that a sandbox can have.

use sandbox_core::Limits;

use super::super::error::OciError;
use super::Told;
use super::object::Object;

/// The period of a quota of processor time where a bundle gives none, in microseconds (the kernel's).
const PERIOD: u64 = 100_000;

pub(super) fn limits(mut resources: Object, told: &mut Told) -> Result<Limits, OciError> {
    let mut limits = Limits::default();
    let mut memory = resources.object("memory")?;
    limits.memory = limit(&mut memory, "limit")?;
    memory.finish(told);
    let mut pids = resources.object("pids")?;
    limits.processes = limit(&mut pids, "limit")?.map(saturated);
    pids.finish(told);
    let mut cpu = resources.object("cpu")?;
    let period = limit(&mut cpu, "period")?.unwrap_or(PERIOD);
    limits.cpu = limit(&mut cpu, "quota")?.map(|quota| {
        // A thousandth of a processor at least, as none at all is no limit that can be put.
        saturated(quota.saturating_mul(1000).checked_div(period).unwrap_or(0).max(1))
    });
    cpu.finish(told);
    resources.finish(told);
    Ok(limits)
}

/// A limit, unless it says that there is none: by zero, or less.
fn limit(of: &mut Object, name: &str) -> Result<Option<u64>, OciError> {
    let number: Option<i64> = of.take(name)?;
    Ok(number.and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0))
}

fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
