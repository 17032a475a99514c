//! Quantities of resources: `250m`, `1.5Gi`, `2e6` (the specification's ace.md, resource isolators).

use serde::{Deserialize, Serialize};

/// An amount, kept in thousandths of its unit and rounded up to the next of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "String")]
pub struct Quantity {
    thousandths: u128,
}

/// Why a text is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// It does not have the form of one.
    #[error(
        "{value:?} is not a quantity: a number and one of E, P, T, G, M, k, m, Ei, Pi, Ti, Gi, Mi, Ki are"
    )]
    Form {
        /// The text.
        value: String,
    },
    /// It is less than nothing.
    #[error("{value:?} is less than nothing: a quantity is 0 or more")]
    Negative {
        /// The text.
        value: String,
    },
    /// It is more than can be counted.
    #[error("{value:?} is more than can be counted: {} is the most", u64::MAX)]
    Overflow {
        /// The text.
        value: String,
    },
}

/// What a unit is multiplied with and divided by.
const SUFFIXES: [(&str, u128, u128); 17] = [
    ("", 1, 1),
    ("n", 1, 1_000_000_000),
    ("u", 1, 1_000_000),
    ("m", 1, 1000),
    ("k", 1000, 1),
    ("K", 1000, 1),
    ("M", 1_000_000, 1),
    ("G", 1_000_000_000, 1),
    ("T", 1_000_000_000_000, 1),
    ("P", 1_000_000_000_000_000, 1),
    ("E", 1_000_000_000_000_000_000, 1),
    ("Ki", 1 << 10, 1),
    ("Mi", 1 << 20, 1),
    ("Gi", 1 << 30, 1),
    ("Ti", 1 << 40, 1),
    ("Pi", 1 << 50, 1),
    ("Ei", 1 << 60, 1),
];

/// The digits after the point that are counted; what follows them only rounds up.
const DECIMALS: usize = 15;

impl Quantity {
    /// A quantity from its text.
    ///
    /// # Errors
    /// Another form, less than 0, or more units than a `u64` counts.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let value = || text.to_owned();
        let form = || QuantityError::Form { value: value() };
        let overflow = || QuantityError::Overflow { value: value() };
        if text.starts_with('-') {
            return Err(QuantityError::Negative { value: value() });
        }
        let rest = text.strip_prefix('+').unwrap_or(text);
        let (whole, rest) = digits(rest);
        let (decimals, suffix) = rest.strip_prefix('.').map_or(("", rest), digits);
        if whole.is_empty() && decimals.is_empty() {
            return Err(form());
        }
        let (times, by) = factors(suffix).ok_or_else(form)?;
        let (number, scale) = number(whole, decimals).ok_or_else(overflow)?;
        // A divisor that is too large to be counted is larger than any number here: 1 or 0 remains.
        let by = by.saturating_mul(scale);
        let thousandths = number
            .checked_mul(1000)
            .and_then(|number| number.checked_mul(times))
            .ok_or_else(overflow)?
            .div_ceil(by);
        let quantity = Self { thousandths };
        if quantity.units_wide() > u128::from(u64::MAX) { Err(overflow()) } else { Ok(quantity) }
    }

    /// Whole units (bytes, for memory), rounded up.
    pub fn units(self) -> u64 {
        u64::try_from(self.units_wide()).unwrap_or(u64::MAX)
    }

    /// Thousandths of a unit, rounded up; `None` for more than a `u64` counts.
    pub fn thousandths(self) -> Option<u64> {
        u64::try_from(self.thousandths).ok()
    }

    fn units_wide(self) -> u128 {
        self.thousandths.div_ceil(1000)
    }
}

/// The digits that a text begins with, and what follows them.
fn digits(text: &str) -> (&str, &str) {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    text.split_at(text.len() - rest.len())
}

/// The number that these digits are, times the second. `None`: more than can be counted.
fn number(whole: &str, decimals: &str) -> Option<(u128, u128)> {
    let decimals = decimals.trim_end_matches('0');
    let (counted, further) = decimals.split_at(decimals.len().min(DECIMALS));
    let mut number = 0_u128;
    let mut scale = 1_u128;
    for digit in whole.bytes().chain(counted.bytes()) {
        number = number.checked_mul(10)?.checked_add(u128::from(digit - b'0'))?;
    }
    for _ in counted.bytes() {
        scale = scale.checked_mul(10)?;
    }
    Some((number.checked_add(u128::from(!further.is_empty()))?, scale))
}

/// What a suffix or an exponent multiplies with and divides by.
fn factors(suffix: &str) -> Option<(u128, u128)> {
    if let Some((_, times, by)) = SUFFIXES.iter().find(|(name, ..)| *name == suffix) {
        return Some((*times, *by));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = 10_u128.checked_pow(exponent.unsigned_abs()).unwrap_or(u128::MAX);
    Some(if exponent < 0 { (1, power) } else { (power, 1) })
}

impl TryFrom<serde_json::Value> for Quantity {
    type Error = QuantityError;

    fn try_from(value: serde_json::Value) -> Result<Self, QuantityError> {
        match value {
            serde_json::Value::String(text) => Self::parse(&text),
            other => Self::parse(&other.to_string()),
        }
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        format!("{}m", quantity.thousandths)
    }
}
