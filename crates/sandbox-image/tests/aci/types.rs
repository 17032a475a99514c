//! Names, identifiers, image IDs and versions.

use sandbox_image::aci::types::{AcIdentifier, AcName, AcVersion, ImageId};

#[test]
fn names() {
    for good in ["asdf", "foo-bar-baz", "database", "product-database-release", "0", "a1", "a--b"] {
        assert_eq!(good.parse::<AcName>().unwrap().as_str(), good);
    }
    for bad in [
        "",
        "foo#",
        "Foo",
        "foo.com/bar",
        "EXAMPLE",
        "example.com",
        "app_1",
        "a~b",
        "/app",
        "app/",
        "-app",
        "app-",
        ".app",
        "app.",
        "a b",
        "a\n",
        "\u{e9}",
    ] {
        let error = bad.parse::<AcName>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{bad:?} is not an AC Name: ")), "{error}");
    }
}

#[test]
fn identifiers() {
    for good in [
        "asdf",
        "foo-bar-baz",
        "zab_rab_oof",
        "database",
        "my~database",
        "example.com/database",
        // The specification's regular expression has no place for two in a row; its validator has.
        "example.com/~bob/database",
        "example.com/ourapp-1.0.0",
        "sub-domain.example.com/org/product/release-1.0.0",
        "sub-domain.example.com/org/product/~alice/release-1.0.0",
    ] {
        assert_eq!(good.parse::<AcIdentifier>().unwrap().as_str(), good);
    }
    for bad in [
        "",
        "BAR",
        "foo#",
        "EXAMPLE.com",
        "foo.com/BAR",
        "/app",
        "app/",
        "-app",
        "app-",
        ".app",
        "app.",
        "_app",
        "app_",
        "~app",
        "app~",
        "~example.com/app1",
        "example.com/app#1",
        "a b",
        "a\0",
    ] {
        let error = bad.parse::<AcIdentifier>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{bad:?} is not an AC Identifier: ")), "{error}");
    }
}

#[test]
fn the_last_component_of_an_identifier() {
    for (name, last) in [("a", "a"), ("example.com/a", "a"), ("example.com/~bob/a-1.0", "a-1.0")] {
        assert_eq!(name.parse::<AcIdentifier>().unwrap().last_component(), last);
    }
}

#[test]
fn image_ids() {
    let whole = format!("sha512-{}", "0123456789abcdef".repeat(8));
    for good in [
        "sha512-06c733b1838136838e6d2d3e8fa5aea4c7905e92",
        "sha512-E9B78714055efe34e804f8449bd2e50e",
        &whole,
    ] {
        assert_eq!(good.parse::<ImageId>().unwrap().as_str(), good);
    }
    for bad in [
        "",
        "sha512-",
        "sha512",
        "-a",
        "a",
        "sha256-aa",
        "sha512-...",
        "sha512-xyz",
        "sha512-a-a",
        "sha512-a ",
        &format!("{whole}0"),
    ] {
        let error = bad.parse::<ImageId>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{bad:?} is not an image ID: ")), "{error}");
    }
}

#[test]
fn what_an_image_id_stands_for() {
    let mut digest = [0x1f_u8; 64];
    let whole = ImageId::from_digest(&digest);
    assert_eq!(whole.as_str(), format!("sha512-{}", "1f".repeat(64)));
    let id = |text: &str| text.parse::<ImageId>().unwrap();
    assert!(whole.stands_for(&whole));
    assert!(id(&format!("sha512-{}", "1F".repeat(64))).stands_for(&whole));
    assert!(id(&format!("sha512-{}", "1f".repeat(32))).stands_for(&whole));
    // Too few digits to say which image it is.
    assert!(!id(&format!("sha512-{}1", "1f".repeat(31))).stands_for(&whole));
    assert!(!whole.stands_for(&id(&format!("sha512-{}", "1f".repeat(32)))));
    digest[63] = 0;
    assert!(!ImageId::from_digest(&digest).stands_for(&whole));
}

#[test]
fn versions() {
    for good in ["0.8.11", "0.1.1", "0.0.1", "0.8.11+git", "0.8.11-rc.1", "0.6.0"] {
        assert_eq!(AcVersion::try_from(good.to_owned()).unwrap().to_string(), good);
    }
    for (bad, expected) in [
        ("", r#""" is not a version: "#),
        ("0", r#""0" is not a version: "#),
        ("0.8", r#""0.8" is not a version: "#),
        ("v0.8.11", r#""v0.8.11" is not a version: "#),
        ("0.8.11.1", r#""0.8.11.1" is not a version: "#),
        ("garbage", r#""garbage" is not a version: "#),
        ("0.0.0", "0.0.0 is not a known version of the specification: 0.0.1 to 0.8.11 are"),
        ("0.8.12", "0.8.12 is not a known version"),
        ("0.9.0", "0.9.0 is not a known version"),
        ("1.0.0", "1.0.0 is not a known version"),
        ("99999999999999999999.0.0", r#""99999999999999999999.0.0" is not a version: "#),
    ] {
        let error = AcVersion::try_from(bad.to_owned()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
