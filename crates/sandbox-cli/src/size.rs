//! Sizes as people write them.

/// A number of bytes: `4096`, `500M`, `20G`. Letters are powers of 1024, with or without an `i` and a
/// `B` after them.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let expected = || "give a number of bytes, or one with K, M, G or T".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_suffix('B').unwrap_or(unit);
    let unit = unit.strip_suffix('i').filter(|letter| !letter.is_empty()).unwrap_or(unit);
    let shift = match unit {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        _ => return Err(expected()),
    };
    let number: u64 = number.parse().map_err(|_| expected())?;
    number.checked_mul(1 << shift).ok_or_else(expected)
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
    fn units_are_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("1K", 1024),
            ("2k", 2048),
            ("500M", 500 << 20),
            ("3Gi", 3 << 30),
            ("3GiB", 3 << 30),
            ("1TB", 1 << 40),
            ("7B", 7),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "M", "-1", "1.5G", "1X", "1i", "99999999T", "18446744073709551616"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
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
