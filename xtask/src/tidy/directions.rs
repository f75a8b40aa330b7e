//! Dependencies point one way (ARCHITECTURE.md).
use anyhow::{Context, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Layer by the start of a package's name, and the starts of names that it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("component-api", &["foundation-metadata"]),
    ("foundation-", &["foundation-", "component-api", "wire"]),
    ("block-", &["foundation-", "component-api", "wire"]),
    // A process of its own behind a socket speaks Dapr's component protocol.
    ("component-pluggable", &["component-api", "foundation-metadata", "wire"]),
    // Schedules are one language for bindings and the scheduler.
    ("component-cron", &["component-api", "foundation-metadata", "foundation-schedule"]),
    // What a token is worth is decided in one place, for middleware and certificate authority.
    ("component-middleware", &["component-api", "foundation-metadata", "foundation-fetch", "foundation-jwt"]),
    // Redirects are followed and answers decompressed in one way, for bindings and for calls of what is no app.
    (
        "component-http",
        &["component-api", "foundation-metadata", "foundation-tls", "foundation-redirect", "foundation-gzip"],
    ),
    // Values are kept as objects, and read as the JSON that Go makes of them.
    ("component-mongodb", &["component-api", "foundation-metadata", "foundation-json"]),
    ("component-all", &["component-"]),
    // A certificate that is not checked is taken, and a service over HTTP called, in one place.
    ("component-", &["component-api", "foundation-metadata", "foundation-fetch", "foundation-tls"]),
    // The control plane of a user is its services in one process.
    ("control-local", &["control-", "foundation-"]),
    ("control-", &["foundation-", "wire"]),
    ("cli", &["foundation-", "wire"]),
    ("sidecar", &["block-", "component-all", "component-api", "foundation-", "wire"]),
    ("trilby", &["sidecar", "control-", "cli"]),
    ("conformance", &["component-api", "foundation-metadata"]),
    (
        "bench",
        &[
            "conformance",
            "foundation-cork",
            "foundation-drain",
            "foundation-http2",
            "foundation-process",
            "foundation-tls",
            "wire",
        ],
    ),
    ("end-to-end", &[]),
    ("xtask", &["component-all", "component-api", "cli", "sidecar"]),
];

/// Edges between blocks, each with its reason in ARCHITECTURE.md.
const BETWEEN_BLOCKS: &[(&str, &str)] = &[("block-workflow", "block-actor"), ("block-actor", "block-state")];

/// Dependencies that point the wrong way. Those of tests do not count.
pub(super) fn problems(root: &Path) -> anyhow::Result<Vec<String>> {
    let packages = packages(root)?;
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut problems = Vec::new();
    for package in &packages {
        let from = package["name"].as_str().unwrap_or_default();
        for to in dependencies(package).filter(|to| names.contains(to)) {
            if !is_allowed(from, to) {
                problems.push(format!("{from} must not depend on {to}: see the directions in ARCHITECTURE.md"));
            }
        }
    }
    Ok(problems)
}

fn packages(root: &Path) -> anyhow::Result<Vec<Value>> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root);
    let output = command.output().context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut metadata: Value = serde_json::from_slice(&output.stdout)?;
    Ok(metadata["packages"].as_array_mut().map(std::mem::take).unwrap_or_default())
}

fn dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    all.iter().filter(|dependency| dependency["kind"] != "dev").filter_map(|dependency| dependency["name"].as_str())
}

fn is_allowed(from: &str, to: &str) -> bool {
    let rule = ALLOWED.iter().find(|(layer, _)| from.starts_with(layer));
    let allowed = rule.is_some_and(|(_, allowed)| allowed.iter().any(|start| to.starts_with(start)));
    allowed || BETWEEN_BLOCKS.contains(&(from, to))
}
