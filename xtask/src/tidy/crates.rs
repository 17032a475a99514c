//! What the manifests have to say, and which crate may depend on which.

use serde_json::Value;

use super::Finding;

/// `core <- sys <- {chroot, luc} <- sandboxlib <- cli`, `core <- image <- cli`, and `luc <- drop-ins`: nothing points back, backends never
/// import each other. A crate that isn't here may depend on all of them.
const LAYERS: [(&str, &[&str]); 10] = [
    ("sandbox-core", &[]),
    ("sandbox-seccomp", &[]),
    ("sandbox-sys", &["sandbox-core", "sandbox-seccomp"]),
    ("sandbox-chroot", &["sandbox-core", "sandbox-sys"]),
    ("sandbox-luc", &["sandbox-core", "sandbox-sys"]),
    ("sandbox-image", &["sandbox-core"]),
    ("sandbox-testkit", &["sandbox-core", "sandbox-seccomp", "sandbox-sys"]),
    ("sandbox-drop-ins", &["sandbox-core", "sandbox-sys", "sandbox-luc"]),
    ("sandboxlib", &["sandbox-core", "sandbox-sys", "sandbox-luc", "sandbox-chroot"]),
    (
        "sandbox-cli",
        &["sandbox-core", "sandbox-image", "sandbox-seccomp", "sandbox-sys", "sandboxlib"],
    ),
];

/// What a registry shows of a crate.
const PUBLISHED: [&str; 4] = ["description", "readme", "repository", "rust_version"];

pub(super) fn check(metadata: &Value) -> Vec<Finding> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages
        .iter()
        .flat_map(|package| manifest(package).into_iter().chain(layers(package)))
        .collect()
}

fn finding(package: &Value, rule: String) -> Finding {
    Finding::in_file(package["name"].as_str().unwrap_or("a crate without a name"), rule)
}

fn manifest(package: &Value) -> Vec<Finding> {
    // `publish = false` is an empty list of registries.
    let published = package["publish"].as_array().is_none_or(|registries| !registries.is_empty());
    let mut fields = vec!["license"];
    if published {
        fields.extend(PUBLISHED);
    }
    let missing = fields.into_iter().filter(|&field| package[field].is_null());
    missing.map(|field| finding(package, format!("no {field} in its manifest"))).collect()
}

fn layers(package: &Value) -> Vec<Finding> {
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| package["name"] == *name) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let name = dependency["name"].as_str().unwrap_or_default();
        let ours = !dependency["path"].is_null();
        let for_tests = dependency["kind"] == "dev" && may_test_with(package, name);
        if ours && !for_tests && !allowed.contains(&name) {
            findings.push(finding(package, format!("depends on {name}, which is not below it")));
        }
    }
    findings
}

/// Tests may use the test kit. Whether what is made of an image does what it should, only a sandbox shows.
fn may_test_with(package: &Value, name: &str) -> bool {
    name == "sandbox-testkit" || package["name"] == "sandbox-image" && name == "sandbox-luc"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn layers_and_manifests_are_held() {
        let package = |name, dependencies| {
            json!({
                "name": name, "license": "GPL-2.0-only", "description": "d", "readme": "r",
                "repository": "r", "rust_version": "1", "publish": null,
                "dependencies": dependencies,
            })
        };
        let on = |name, kind| json!([{ "name": name, "kind": kind, "path": "/p" }]);
        let metadata = json!({ "packages": [
            package("sandbox-luc", on("sandbox-chroot", Value::Null)),
            package("sandbox-chroot", on("sandbox-testkit", json!("dev"))),
            package("sandbox-core", on("sandbox-sys", json!("dev"))),
            package("sandbox-image", on("sandbox-luc", json!("dev"))),
            package("sandbox-image", on("sandbox-luc", Value::Null)),
            package("sandbox-cli", on("sandboxlib", Value::Null)),
            package("sandboxlib", on("sandbox-chroot", Value::Null)),
            package("sandboxlib", on("sandbox-cli", Value::Null)),
            package("sandbox-drop-ins", on("sandboxlib", Value::Null)),
            json!({ "name": "bare", "publish": null }),
            json!({ "name": "private", "publish": [] }),
        ]});
        let findings: Vec<_> = check(&metadata).iter().map(ToString::to_string).collect();
        assert_eq!(
            findings,
            [
                "sandbox-luc: depends on sandbox-chroot, which is not below it",
                "sandbox-core: depends on sandbox-sys, which is not below it",
                "sandbox-image: depends on sandbox-luc, which is not below it",
                "sandboxlib: depends on sandbox-cli, which is not below it",
                "sandbox-drop-ins: depends on sandboxlib, which is not below it",
                "bare: no license in its manifest",
                "bare: no description in its manifest",
                "bare: no readme in its manifest",
                "bare: no repository in its manifest",
                "bare: no rust_version in its manifest",
                "private: no license in its manifest",
            ]
        );
    }
}
