//! Amounts of memory, processor time, processes and time, as they are written in flags.

use std::time::Duration;

/// Bytes, with a unit of powers of 1000 or, with an `i`, of 1024.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("" | "B") => Some(1),
        Some("K" | "k" | "KB") => Some(1000),
        Some("M" | "MB") => Some(1000_u64.pow(2)),
        Some("G" | "GB") => Some(1000_u64.pow(3)),
        Some("T" | "TB") => Some(1000_u64.pow(4)),
        Some("Ki" | "KiB") => Some(1 << 10),
        Some("Mi" | "MiB") => Some(1 << 20),
        Some("Gi" | "GiB") => Some(1 << 30),
        Some("Ti" | "TiB") => Some(1 << 40),
        _ => None,
    };
    let bytes = unit.and_then(|unit| digits.parse::<u64>().ok()?.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| {
        "give bytes, with K, M, G or T for powers of 1000, or Ki, Mi, Gi or Ti of 1024".to_owned()
    })
}

/// A number of processors with at most three decimals, in thousandths.
pub(crate) fn thousandths(text: &str) -> Result<u32, String> {
    let number = || {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let plain = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_digit());
        if !plain(whole) || !plain(part) || part.len() > 3 || whole.len() + part.len() == 0 {
            return None;
        }
        format!("{whole}{part:0<3}").parse::<u32>().ok().filter(|number| *number > 0)
    };
    number().ok_or_else(|| "give a number of processors, such as 0.5 or 2".to_owned())
}

/// A time, in seconds or with another unit, and with decimals; more than none.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let time = time_or_none(text)?;
    if time.is_zero() {
        Err("it runs for some time: leave it out for no limit".to_owned())
    } else {
        Ok(time)
    }
}

/// A time that may be none.
pub(crate) fn time_or_none(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let seconds = match text.get(number.len()..) {
        Some("ms") => Some(0.001),
        Some("" | "s") => Some(1.0),
        Some("m" | "min") => Some(60.0),
        Some("h") => Some(3600.0),
        Some("d") => Some(86400.0),
        _ => None,
    };
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = number.parse::<f64>().ok().filter(|_| plain);
    let most = f64::from(u32::MAX);
    let seconds = seconds.zip(number).map(|(unit, number)| unit * number);
    let time = seconds.filter(|seconds| *seconds <= most).map(Duration::try_from_secs_f64);
    time.and_then(Result::ok)
        .ok_or_else(|| "give seconds, or a time with ms, s, m, h or d: 90, 1.5h".to_owned())
}

/// A number of processes.
pub(crate) fn count(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "give a number from 1".to_owned())
}

/// A number of bytes as people read it: `1.5 GiB`.
pub(crate) fn shown(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut scaled = bytes;
    let mut rest = 0;
    while scaled >= 1024 && unit + 1 < UNITS.len() {
        rest = scaled % 1024 * 10 / 1024;
        scaled /= 1024;
        unit += 1;
    }
    let name = UNITS[unit];
    if rest == 0 { format!("{scaled} {name}") } else { format!("{scaled}.{rest} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_both_kinds() {
        for (text, expected) in [
            ("1", 1),
            ("64K", 64_000),
            ("64Ki", 65_536),
            ("3M", 3_000_000),
            ("3MiB", 3 << 20),
            ("2G", 2_000_000_000),
            ("1Ti", 1 << 40),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for wrong in ["", "0", "K", "-1", "1.5G", "1 G", "1Gib", "1x", "99999999999T", "é", "1é"]
        {
            assert!(bytes(wrong).unwrap_err().starts_with("give bytes"), "{wrong}");
        }
    }

    #[test]
    fn processors_have_three_decimals() {
        for (text, expected) in
            [("1", 1000), ("0.5", 500), (".5", 500), ("2.", 2000), ("0.001", 1), ("16.25", 16_250)]
        {
            assert_eq!(thousandths(text), Ok(expected), "{text}");
        }
        for wrong in ["", ".", "0", "0.0", "0.0001", "-1", "+1", "1,5", "1e3", "5000000", "half"] {
            assert!(thousandths(wrong).is_err(), "{wrong}");
        }
        assert_eq!((count("7"), count("0").is_err(), count("x").is_err()), (Ok(7), true, true));
    }

    #[test]
    fn times_have_units() {
        for (text, milliseconds) in [
            ("90", 90_000),
            ("1.5", 1500),
            (".5s", 500),
            ("200ms", 200),
            ("2m", 120_000),
            ("1.5h", 5_400_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for wrong in
            ["", ".", "-1", "+1", "1e3", "inf", "nan", "1 s", "s", "1x", "1.2.3", "999999d", "é"]
        {
            assert!(time_or_none(wrong).unwrap_err().starts_with("give seconds"), "{wrong}");
        }
        assert_eq!((time_or_none("0"), time("0").is_err()), (Ok(Duration::ZERO), true));
    }

    #[test]
    fn what_is_shown() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.5 KiB"),
            (8 << 30, "8 GiB"),
            (3 << 50, "3072 TiB"),
        ] {
            assert_eq!(shown(bytes), text);
        }
    }
}
