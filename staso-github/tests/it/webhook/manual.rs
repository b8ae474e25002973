//! `docs/github-app.md` says what is so.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

const MANUAL: &str = include_str!("../../../../docs/github-app.md");

/// The content of the first block of code of a language.
fn block(language: &str) -> &'static str {
    let (_, rest) = MANUAL.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.trim()
}

fn manifest() -> Value {
    serde_json::from_str(block("json")).unwrap()
}

#[test]
fn the_manifest_asks_for_what_is_needed_and_no_more() {
    let wanted =
        json!({ "contents": "write", "issues": "read", "metadata": "read", "pull_requests": "write" });
    assert_eq!(manifest()["default_permissions"], wanted);
    let events = manifest()["default_events"].as_array().unwrap().clone();
    // GitHub refuses a manifest with events that every app gets anyway.
    for implied in ["installation", "installation_repositories", "github_app_authorization"] {
        assert!(!events.contains(&implied.into()), "{implied}");
    }
}

#[test]
fn the_link_makes_the_app_of_the_manifest() {
    let (_, query) = block("text").split_once('?').unwrap();
    let (mut values, mut events) = (BTreeMap::new(), BTreeSet::new());
    for (name, value) in query.split('&').map(|pair| pair.split_once('=').unwrap()) {
        if name == "events[]" {
            events.insert(value);
        } else {
            values.insert(name, value);
        }
    }
    let manifest = manifest();
    let listed: BTreeSet<&str> =
        manifest["default_events"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(events, listed);
    let mut expected = BTreeMap::from([
        ("name", manifest["name"].as_str().unwrap()),
        ("url", manifest["url"].as_str().unwrap()),
        ("public", "false"),
        ("webhook_active", "true"),
        ("webhook_url", manifest["hook_attributes"]["url"].as_str().unwrap()),
    ]);
    let permissions = manifest["default_permissions"].as_object().unwrap();
    expected.extend(permissions.iter().map(|(name, level)| (name.as_str(), level.as_str().unwrap())));
    assert_eq!(values, expected);
}

#[test]
fn every_error_has_its_next_step() {
    let source = include_str!("../../../../staso-core/src/vcs/error.rs");
    let (_, variants) = source.split_once("pub enum VcsError {").unwrap();
    let variants = variants.split_once("\n}\n").unwrap().0;
    let named = variants.lines().filter_map(|line| {
        let line = line.strip_prefix("    ")?;
        let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
        (!name.is_empty()).then_some(name)
    });
    let rows: Vec<&str> = MANUAL.lines().filter(|line| line.starts_with("| `")).collect();
    let mut count = 0;
    for name in named {
        count += 1;
        assert!(rows.iter().any(|row| row.contains(&format!("`{name}`"))), "{name} is not in the table");
    }
    assert!(count > 25, "{count}");
}
