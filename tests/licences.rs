//! Every dependency that goes into the program is under a licence that `deny.toml` allows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, ParseMode};

/// The licences that `deny.toml` allows.
fn allowed() -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let text = std::fs::read_to_string(file).expect("deny.toml");
    let list = text.split("allow = [").nth(1).and_then(|rest| rest.split(']').next()).expect("a list");
    list.split(',').map(|name| name.trim().trim_matches('"').to_owned()).filter(|name| !name.is_empty()).collect()
}

/// The packages that the program is built from, its own left out, with their licences.
fn packages() -> BTreeMap<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut metadata = Command::new(cargo);
    metadata.args(["metadata", "--locked", "--format-version", "1"]);
    let done = metadata.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let metadata: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let nodes = list(&metadata["resolve"]["nodes"]);
    let mut open = vec![metadata["resolve"]["root"].clone()];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id.to_string()) {
            continue;
        }
        let node = nodes.iter().find(|node| node["id"] == id).expect("the package");
        for dependency in list(&node["deps"]) {
            if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev") {
                open.push(dependency["pkg"].clone());
            }
        }
    }
    let root = &metadata["resolve"]["root"];
    let used = list(&metadata["packages"]);
    let used = used.iter().filter(|package| package["id"] != *root && seen.contains(&package["id"].to_string()));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    used.map(|package| (format!("{} {}", text(&package["name"]), text(&package["version"])), text(&package["license"])))
        .collect()
}

fn is_allowed(licence: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = Expression::parse_mode(licence, ParseMode::LAX);
    expression.is_ok_and(|expression| expression.evaluate(|requirement| allowed.contains(&requirement.to_string())))
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let (allowed, packages) = (allowed(), packages());
    assert!(packages.len() > 100, "{}", packages.len());
    let others: Vec<_> = packages.iter().filter(|(_, licence)| !is_allowed(licence, &allowed)).collect();
    assert!(others.is_empty(), "{others:#?}");
    let needed = |one: &String| {
        let without: BTreeSet<String> = allowed.iter().filter(|other| *other != one).cloned().collect();
        packages.values().any(|licence| !is_allowed(licence, &without))
    };
    let idle: Vec<_> = allowed.iter().filter(|one| !needed(one)).collect();
    assert!(idle.is_empty(), "deny.toml allows what no dependency needs: {idle:?}");
}

#[test]
fn what_is_not_allowed_is_seen() {
    let allowed = allowed();
    for (licence, wanted) in
        [("MIT/Apache-2.0", true), ("GPL-3.0-only", false), ("MIT AND GPL-3.0-only", false), ("", false)]
    {
        assert_eq!(is_allowed(licence, &allowed), wanted, "{licence}");
    }
}
