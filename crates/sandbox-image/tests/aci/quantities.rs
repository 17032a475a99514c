//! Quantities of resources, in thousandths of a unit.

use sandbox_image::aci::Quantity;

const KI: u64 = 1 << 10;
const MI: u64 = 1 << 20;
const GI: u64 = 1 << 30;
const TI: u64 = 1 << 40;
const PI: u64 = 1 << 50;

#[track_caller]
fn check(cases: &[(&str, u64)]) {
    for (text, thousandths) in cases {
        for text in [(*text).to_owned(), format!("+{text}")] {
            let quantity = Quantity::parse(&text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(quantity.thousandths(), Some(*thousandths), "{text}");
            assert_eq!(quantity.units(), thousandths.div_ceil(1000), "{text}");
        }
    }
}

#[test]
fn nothing() {
    let nothing =
        ["0", "0n", "0u", "0m", "0Ki", "0k", "0Mi", "0M", "0Gi", "0G", "0Ti", "0T", "0Ei", "0e99"];
    check(&nothing.map(|text| (text, 0)));
}

#[test]
fn binary_suffixes() {
    check(&[
        ("1Ki", 1000 * KI),
        ("8Ki", 8000 * KI),
        ("7Mi", 7000 * MI),
        ("6Gi", 6000 * GI),
        ("5Ti", 5000 * TI),
        ("4Pi", 4000 * PI),
        ("10Ti", 10_000 * TI),
        ("100Ti", 100_000 * TI),
        ("100.035Ki", 102_435_840),
        ("0.5Mi", 500 * MI),
        ("0.05Gi", 50 * GI),
        ("0.025Ti", 25 * TI),
    ]);
}

#[test]
fn decimal_suffixes() {
    check(&[
        ("5n", 1),
        ("4u", 1),
        ("3m", 3),
        ("250m", 250),
        ("9", 9000),
        ("8k", 8_000_000),
        ("8K", 8_000_000),
        ("7M", 7_000_000_000),
        ("6G", 6_000_000_000_000),
        ("5T", 5_000_000_000_000_000),
        ("2P", 2_000_000_000_000_000_000),
        ("100.035k", 100_035_000),
        ("8.1k", 8_100_000),
        ("10.035M", 10_035_000_000),
        ("7.123456M", 7_123_456_000),
        ("6.987654321G", 6_987_654_321_000),
        ("5.444T", 5_444_000_000_000_000),
        ("2.5P", 2_500_000_000_000_000_000),
    ]);
}

#[test]
fn exponents() {
    check(&[
        ("1E-3", 1),
        ("1e3", 1_000_000),
        ("1E6", 1_000_000_000),
        ("1e9", 1_000_000_000_000),
        ("1E12", 1_000_000_000_000_000),
        ("1e15", 1_000_000_000_000_000_000),
        ("1.2e3", 1_200_000),
        ("1.3E+6", 1_300_000_000),
        ("1.40e9", 1_400_000_000_000),
        ("0.5e0", 500),
        ("0.5e-1", 50),
        ("0.5e-2", 5),
        ("1e-400", 1),
        ("1000e-999999", 1),
    ]);
}

#[test]
fn decimals() {
    check(&[
        ("0.001", 1),
        ("0.3", 300),
        ("0.0005k", 500),
        ("0.005", 5),
        ("0.05", 50),
        ("0.5", 500),
        ("0.00050k", 500),
        ("0.00500", 5),
        ("0.50000", 500),
        ("9.01", 9010),
        (".001", 1),
        (".0001k", 100),
        ("1.", 1000),
        ("1.G", 1_000_000_000_000),
        ("00000000000000000000000000000000000000000000000000000001", 1000),
    ]);
}

#[test]
fn what_is_less_than_a_thousandth_is_one() {
    check(&[
        ("3.001n", 1),
        ("0.0000000001", 1),
        ("0.9n", 1),
        ("0.00000012345", 1),
        ("0.000000000001Ki", 1),
        ("1.0001", 1001),
        ("1.00000000000000000000000000000000000000000001", 1001),
        ("1.0000000000000000000000000000000000000000000", 1000),
    ]);
}

#[test]
fn the_largest() {
    for (text, units) in [
        ("18446744073709551615", u64::MAX),
        ("18446744073709551614.5", u64::MAX),
        ("9223372036854775807", i64::MAX.unsigned_abs()),
        ("9Ei", 9 << 60),
        ("3Ei", 3 << 60),
        ("15.999Ei", 18_445_591_152_204_944_770),
        ("1E", 1_000_000_000_000_000_000),
        ("12E", 12_000_000_000_000_000_000),
        ("1.01E", 1_010_000_000_000_000_000),
        ("1.7E18", 1_700_000_000_000_000_000),
    ] {
        let quantity = Quantity::parse(text).unwrap();
        assert_eq!(quantity.units(), units, "{text}");
        assert_eq!(quantity.thousandths(), None, "{text}");
    }
    for bad in [
        "18446744073709551616",
        "18446744073709551615.001",
        "16Ei",
        "9223372036854775807Ki",
        "1e400",
        "1e999999999",
        "340282366920938463463374607431768211456",
        &"9".repeat(10_000),
    ] {
        let error = Quantity::parse(bad).unwrap_err().to_string();
        assert!(
            error.ends_with("is more than can be counted: 18446744073709551615 is the most"),
            "{error}"
        );
    }
}

#[test]
fn other_texts() {
    for bad in [
        "",
        "+",
        ".",
        "+.",
        "1.1.M",
        "1+1.0M",
        "0.1mi",
        "0.1am",
        "aoeu",
        ".5i",
        "1i",
        "1e",
        "1e+",
        "1e1.5",
        " 1",
        "1 ",
        "1 G",
        "1g",
        "++1",
        "0x10",
        "\u{661}",
        "1e99999999999999999999",
        "such garbage",
    ] {
        let error = Quantity::parse(bad).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{bad:?} is not a quantity: ")), "{error}");
    }
    for bad in ["-1", "-3.01i", "-0.5Gi"] {
        let error = Quantity::parse(bad).unwrap_err().to_string();
        assert_eq!(error, format!("{bad:?} is less than nothing: a quantity is 0 or more"));
    }
}

#[test]
fn in_a_manifest_it_is_a_text_or_a_number() {
    for (json, thousandths) in [(r#""1.5""#, 1500), ("1.5", 1500), ("2", 2000), ("1e3", 1_000_000)]
    {
        let quantity: Quantity = serde_json::from_str(json).unwrap();
        assert_eq!(quantity.thousandths(), Some(thousandths), "{json}");
        let again = serde_json::to_string(&quantity).unwrap();
        assert_eq!(serde_json::from_str::<Quantity>(&again).unwrap(), quantity);
    }
    for bad in ["true", "[1]", "{}", "null", "-1"] {
        assert!(serde_json::from_str::<Quantity>(bad).is_err(), "{bad}");
    }
}
