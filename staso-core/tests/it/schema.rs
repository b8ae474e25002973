//! The stored formats: their schemas are checked in, made from the types, and old files stay readable.
//!
//! `STASO_UPDATE_SCHEMAS=1` writes the schemas anew; see the checklist in CONTRIBUTING.md before doing so.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;
use staso_core::run::{ARTIFACT_SCHEMA_VERSION, EVENT_SCHEMA_VERSION, RunArtifact, RunEvent};

use crate::report_artifacts as artifacts;
use crate::transcript::events;

fn file(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

fn read(relative: &str) -> String {
    std::fs::read_to_string(file(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

#[expect(clippy::disallowed_methods, reason = "the switch of this test alone")]
fn updating() -> bool {
    std::env::var_os("STASO_UPDATE_SCHEMAS").is_some()
}

pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> =
                fields.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            sorted.into_iter().collect()
        }
        other => other.clone(),
    }
}

#[track_caller]
fn assert_checked_in(relative: &str, made: &impl Serialize) {
    let text = serde_json::to_string_pretty(made).unwrap() + "\n";
    if updating() {
        std::fs::write(file(relative), &text).unwrap();
    }
    // The order of keys is that of the parser, which other crates of a build choose.
    let checked_in: Value = serde_json::from_str(&read(relative)).unwrap();
    assert!(
        checked_in == serde_json::to_value(made).unwrap(),
        "{relative} is not what the types say; read \"Changing a stored format\" in CONTRIBUTING.md, then run with \
         STASO_UPDATE_SCHEMAS=1"
    );
}

#[test]
fn the_checked_in_schemas_are_those_of_the_types() {
    assert_eq!((ARTIFACT_SCHEMA_VERSION, EVENT_SCHEMA_VERSION), (2, 2), "name the files after the versions");
    assert_checked_in("schema/run-artifact.v2.json", &schemars::schema_for!(RunArtifact));
    assert_checked_in("schema/run-event.v2.json", &schemars::schema_for!(RunEvent));
}

/// A golden file is written once a version and never again.
#[test]
fn the_golden_artifact_is_read_and_written_without_loss() {
    let golden = "tests/it/golden/run.v2.json";
    if updating() && !file(golden).exists() {
        std::fs::write(file(golden), serde_json::to_string_pretty(&artifacts::verified()).unwrap() + "\n")
            .unwrap();
    }
    let text = read(golden);
    let run: RunArtifact = serde_json::from_str(&text).unwrap();
    assert_eq!(run, artifacts::verified());
    assert_eq!(serde_json::to_string_pretty(&run).unwrap() + "\n", text);
}

/// What version 1 lacks stands at its default: no model was asked.
#[test]
fn an_artifact_of_version_1_is_still_read() {
    let run: RunArtifact = serde_json::from_str(&read("tests/it/golden/run.v1.json")).unwrap();
    let mut expected = artifacts::verified();
    expected.schema_version = 1;
    for receipt in expected.diagnosis.iter_mut().flat_map(|diagnosis| &mut diagnosis.receipts) {
        receipt.matched = staso_core::diagnosis::ReceiptMatch::default();
    }
    expected.budget.limits = run.budget.limits.clone();
    assert_eq!(run, expected);
}

#[test]
fn every_artifact_fits_its_schema() {
    let schema: Value = serde_json::from_str(&read("schema/run-artifact.v2.json")).unwrap();
    for run in [
        artifacts::verified(),
        artifacts::unverified_prompt(),
        artifacts::outage(),
        artifacts::not_reproduced(),
        artifacts::cancelled(),
        artifacts::failed(),
        artifacts::hostile(),
    ] {
        let value = serde_json::to_value(&run).unwrap();
        assert_eq!(problem(&schema, &schema, &value), None);
        assert_eq!(serde_json::from_value::<RunArtifact>(value).unwrap(), run);
    }
}

#[test]
fn every_event_fits_its_schema() {
    let schema: Value = serde_json::from_str(&read("schema/run-event.v2.json")).unwrap();
    for event in events() {
        assert_eq!(problem(&schema, &schema, &serde_json::to_value(&event).unwrap()), None);
    }
}

#[test]
fn the_schema_refuses_what_the_types_refuse() {
    let schema: Value = serde_json::from_str(&read("schema/run-artifact.v2.json")).unwrap();
    let good = serde_json::to_value(artifacts::verified()).unwrap();
    for (pointer, bad) in [
        ("/schema_version", Value::from("1")),
        ("/outcome/state", Value::from("done")),
        ("/diagnosis/chain", Value::from(7)),
        ("/diagnosis/receipts/0/verdict/state", Value::from("maybe")),
        ("/verification/checks/0/exit_code", Value::from("0")),
        ("/budget", Value::Null),
    ] {
        let mut value = good.clone();
        *value.pointer_mut(pointer).unwrap() = bad;
        assert!(problem(&schema, &schema, &value).is_some(), "the schema takes a bad {pointer}");
        assert!(serde_json::from_value::<RunArtifact>(value).is_err(), "the type takes a bad {pointer}");
    }
}

/// What about `value` does not fit `schema`. Knows exactly the keywords of JSON Schema 2020-12 that the checked-in
/// files use, and refuses others, so that none is skipped in silence.
fn problem(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let Some(keywords) = schema.as_object() else {
        return (schema == &Value::Bool(false)).then(|| "nothing is allowed here".to_owned());
    };
    keywords.iter().find_map(|(keyword, rule)| keyword_problem(root, schema, keyword, rule, value))
}

fn keyword_problem(
    root: &Value,
    schema: &Value,
    keyword: &str,
    rule: &Value,
    value: &Value,
) -> Option<String> {
    let fits = |schema: &Value| problem(root, schema, value).is_none();
    let ok = match keyword {
        "$schema" | "$defs" | "title" | "description" | "default" | "format" => true,
        "$ref" => {
            let target = root.pointer(rule.as_str()?.strip_prefix('#').unwrap()).unwrap();
            return problem(root, target, value);
        }
        "type" => match rule {
            Value::Array(types) => types.iter().any(|name| is_type(name.as_str().unwrap(), value)),
            name => is_type(name.as_str().unwrap(), value),
        },
        "const" => rule == value,
        "enum" => rule.as_array().unwrap().contains(value),
        "anyOf" => rule.as_array().unwrap().iter().any(fits),
        "oneOf" => rule.as_array().unwrap().iter().filter(|schema| fits(schema)).count() == 1,
        "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
        "maxLength" => {
            value.as_str().is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().unwrap())
        }
        "required" => value.as_object().is_none_or(|object| {
            rule.as_array().unwrap().iter().all(|name| object.contains_key(name.as_str().unwrap()))
        }),
        "items" => return value.as_array()?.iter().find_map(|item| problem(root, rule, item)),
        "properties" => {
            let object = value.as_object()?;
            return rule.as_object()?.iter().find_map(|(name, schema)| {
                problem(root, schema, object.get(name)?).map(|problem| format!("{name}: {problem}"))
            });
        }
        "additionalProperties" => {
            let known = schema.get("properties").and_then(Value::as_object);
            let others = value
                .as_object()?
                .iter()
                .filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
            return others.map(|(_, value)| value).find_map(|value| problem(root, rule, value));
        }
        other => panic!("this check does not know the keyword {other}; teach it"),
    };
    (!ok).then(|| format!("{keyword} {rule} does not hold for {value}"))
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type of JSON Schema"),
    }
}
