//! Texts with a form: dates, web addresses, names of variables and of error numbers.

/// A date and time as in RFC 3339, section 5.6: `2014-10-27T19:32:27.67Z`.
pub(super) fn is_date(text: &str) -> bool {
    date(text).is_some()
}

fn date(text: &str) -> Option<()> {
    let mut rest = text;
    let year = number(&mut rest, 4)?;
    let month = after(&mut rest, '-')?;
    let day = after(&mut rest, '-')?;
    rest = rest.strip_prefix('T')?;
    let hour = number(&mut rest, 2)?;
    let minute = after(&mut rest, ':')?;
    let second = after(&mut rest, ':')?;
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        (rest.len() < fraction.len()).then_some(())?;
    }
    let zone = rest.strip_prefix(['+', '-']);
    let offset = match zone {
        Some(mut zone) => {
            let hours = number(&mut zone, 2)?;
            let minutes = after(&mut zone, ':')?;
            zone.is_empty().then_some((hours, minutes))?
        }
        None => (rest == "Z").then_some((0, 0))?,
    };
    let sound = (1..=12).contains(&month)
        && (1..=days(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && offset.0 < 24
        && offset.1 < 60;
    sound.then_some(())
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Takes this many digits off the text.
fn number(text: &mut &str, digits: usize) -> Option<u32> {
    let (number, rest) = text.split_at_checked(digits)?;
    *text = rest;
    number.bytes().all(|digit| digit.is_ascii_digit()).then(|| number.parse().ok())?
}

/// Takes a separator and two digits off the text.
fn after(text: &mut &str, separator: char) -> Option<u32> {
    *text = text.strip_prefix(separator)?;
    number(text, 2)
}

/// The address of a page: `http` or `https`.
pub(super) fn is_web_address(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
        && !text.contains(|c: char| c.is_control() || c == ' ')
}

/// The name of a variable: letters, digits and `_.-`, not a digit first.
pub(super) fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// The name of an error number, in its form: whether a kernel knows it is seen where it is used.
pub(super) fn is_errno(text: &str) -> bool {
    text.starts_with('E') && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for good in [
            "2004-05-14T23:11:14+00:00",
            "2014-10-27T19:32:27.67021798Z",
            "2015-05-18T13:49:28.351729952-04:00",
            "2024-02-29T00:00:00Z",
            "2000-02-29T00:00:00Z",
            "2016-12-31T23:59:60Z",
        ] {
            assert!(is_date(good), "{good}");
        }
        for bad in [
            "",
            "garbage",
            "2004-05-14",
            "2004-05-14 23:11:14+00:00",
            "2004-05-14t23:11:14Z",
            "2004-05-14T23:11:14",
            "2004-05-14T23:11:14.Z",
            "2004-13-14T23:11:14Z",
            "2004-00-14T23:11:14Z",
            "2004-04-31T23:11:14Z",
            "1900-02-29T00:00:00Z",
            "2004-05-14T24:11:14Z",
            "2004-05-14T23:60:14Z",
            "2004-05-14T23:11:14+24:00",
            "2004-05-14T23:11:14+0000",
            "2004-05-14T23:11:14Z ",
            "+004-05-14T23:11:14Z",
            "200\u{e9}-05-14T23:11:14Z",
        ] {
            assert!(!is_date(bad), "{bad}");
        }
    }

    #[test]
    fn web_addresses() {
        for good in ["http://example.com/docs", "https://homepage.com", "HTTPS://a"] {
            assert!(is_web_address(good), "{good}");
        }
        for bad in
            ["", "not-A$@#URL", "ftp://isnotallowed.com", "http:/x", "http://a b", "http://\n"]
        {
            assert!(!is_web_address(bad), "{bad}");
        }
    }

    #[test]
    fn error_numbers() {
        for good in ["EPERM", "EACCESS", "E2BIG", "ENOTSUP"] {
            assert!(is_errno(good), "{good}");
        }
        for bad in ["", "-EPERM", "eaccess", "Eperm", "PERM", "1", "E PERM"] {
            assert!(!is_errno(bad), "{bad}");
        }
    }
}
