//! Numbers on the command line. What does not fit is refused, never cut off.

use std::ffi::OsString;

use super::error::BwrapError;

/// A number in one of the forms of an option.
fn parse<T>(
    option: &'static str,
    value: OsString,
    form: fn(&str) -> Option<T>,
    expected: &'static str,
) -> Result<T, BwrapError> {
    match value.to_str().and_then(form) {
        Some(number) => Ok(number),
        None => Err(BwrapError::Value { option, value, expected }),
    }
}

/// The number of an open descriptor.
pub(super) fn descriptor(option: &'static str, value: OsString) -> Result<i32, BwrapError> {
    parse(option, value, decimal, "the number of an open descriptor")
}

/// A user or a group: all but `(uid_t) -1`, which means none.
pub(super) fn id(option: &'static str, value: OsString) -> Result<u32, BwrapError> {
    let form = |text: &str| decimal(text).filter(|id| *id != u32::MAX);
    parse(option, value, form, "a number from 0 to 4294967294")
}

/// Permission bits.
pub(super) fn mode(option: &'static str, value: OsString) -> Result<u32, BwrapError> {
    let form = |text: &str| u32::try_from(digits(text, 8)?).ok().filter(|mode| *mode <= 0o7777);
    parse(option, value, form, "an octal number up to 07777")
}

/// A number of bytes, as C has numbers: decimal, `0x` hexadecimal, `0` octal.
pub(super) fn size(option: &'static str, value: OsString) -> Result<u64, BwrapError> {
    let form = |text: &str| {
        let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let size = match (hexadecimal, text.strip_prefix('0')) {
            (Some(text), _) => digits(text, 16),
            (None, Some(text)) => digits(text, 8),
            (None, None) => digits(text, 10),
        };
        // The kernel counts pages in a signed number.
        size.filter(|size| *size > 0 && i64::try_from(*size).is_ok())
    };
    parse(option, value, form, "a number of bytes, more than 0")
}

fn decimal<T: TryFrom<u64>>(text: &str) -> Option<T> {
    T::try_from(digits(text, 10)?).ok()
}

/// Digits and nothing else: no sign, no space.
fn digits(text: &str, radix: u32) -> Option<u64> {
    let all = text.chars().all(|digit| digit.is_digit(radix));
    if all { u64::from_str_radix(text, radix).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits<T>(
        parse: fn(&'static str, OsString) -> Result<T, BwrapError>,
        text: &str,
    ) -> Option<T> {
        parse("--option", text.into()).ok()
    }

    #[test]
    fn descriptors_and_ids_are_decimal() {
        assert_eq!(fits(descriptor, "0"), Some(0));
        assert_eq!(fits(descriptor, "2147483647"), Some(i32::MAX));
        assert_eq!(fits(id, "4294967294"), Some(u32::MAX - 1));
        for wrong in ["", "-1", "+1", " 1", "1 ", "x", "0x1", "2147483648", "99999999999999999999"]
        {
            assert_eq!(fits(descriptor, wrong), None, "{wrong}");
        }
        for wrong in ["", "-1", "4294967295", "4294967296", "99999999999"] {
            assert_eq!(fits(id, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(fits(mode, "0"), Some(0));
        assert_eq!(fits(mode, "07777"), Some(0o7777));
        assert_eq!(fits(mode, "755"), Some(0o755));
        for wrong in ["", "9", "10000", "-1", "0o7", "u+x"] {
            assert_eq!(fits(mode, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_as_in_c() {
        assert_eq!(fits(size, "4096"), Some(4096));
        assert_eq!(fits(size, "0x1000"), Some(4096));
        assert_eq!(fits(size, "010000"), Some(4096));
        for wrong in ["", "0", "0x", "00", "5k", "-5", "08", "18446744073709551615", "1e3"] {
            assert_eq!(fits(size, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn errors_name_the_option_and_the_value() {
        let error = mode("--perms", "999".into()).unwrap_err().to_string();
        assert_eq!(error, "--perms \"999\" is not valid: give an octal number up to 07777");
    }
}
