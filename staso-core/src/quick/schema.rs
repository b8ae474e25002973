//! The part of JSON Schema that tool definitions use: types, required and further members, enumerations, bounds.
//!
//! What it does not know (`$ref`, `pattern`, `format`, conditions) it accepts.

use serde_json::Value;

use super::failure::clip;
use crate::trace::JsonPointer;

const MAX_DEPTH: usize = 16;
const MAX_VIOLATIONS: usize = 10;

/// A value that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// Where in the value.
    pub(super) pointer: JsonPointer,
    /// What was expected and what was there.
    pub(super) what: String,
}

/// What does not fit, in document order.
pub(super) fn violations(schema: &Value, value: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    check(schema, value, &mut Vec::new(), &mut found);
    found.truncate(MAX_VIOLATIONS);
    found
}

fn check(schema: &Value, value: &Value, path: &mut Vec<String>, found: &mut Vec<Violation>) {
    let Some(rules) = schema.as_object() else { return };
    if path.len() > MAX_DEPTH || found.len() >= MAX_VIOLATIONS {
        return;
    }
    let report = |path: &[String], what: String, found: &mut Vec<Violation>| {
        found.push(Violation { pointer: JsonPointer::from_parts(path), what });
    };
    let place =
        if path.is_empty() { "the arguments".to_owned() } else { format!("`{}`", clip(&path.join("."), 60)) };
    if let Some(expected) = rules.get("type")
        && !type_fits(expected, value)
    {
        report(path, format!("{place} must be {}, got {}", names(expected), described(value)), found);
        return;
    }
    for key in ["anyOf", "oneOf"] {
        let options = rules.get(key).and_then(Value::as_array);
        if options
            .is_some_and(|options| !options.iter().any(|option| violations_below(option, value, path.len())))
        {
            report(path, format!("{place} fits none of the allowed forms, got {}", described(value)), found);
        }
    }
    if let Some(allowed) = rules.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let list = allowed.iter().take(8).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        report(path, format!("{place} must be one of {}, got {}", clip(&list, 80), described(value)), found);
    }
    if let (Some(number), Some(least)) = (value.as_f64(), rules.get("minimum").and_then(Value::as_f64))
        && number < least
    {
        report(path, format!("{place} must be at least {least}, got {number}"), found);
    }
    if let (Some(number), Some(most)) = (value.as_f64(), rules.get("maximum").and_then(Value::as_f64))
        && number > most
    {
        report(path, format!("{place} must be at most {most}, got {number}"), found);
    }
    members(rules, value, path, &place, found);
    if let (Some(items), Some(list)) = (rules.get("items"), value.as_array()) {
        for (at, item) in list.iter().enumerate().take(1_000) {
            path.push(at.to_string());
            check(items, item, path, found);
            path.pop();
        }
    }
}

fn members(
    rules: &serde_json::Map<String, Value>,
    value: &Value,
    path: &mut Vec<String>,
    place: &str,
    found: &mut Vec<Violation>,
) {
    let Some(object) = value.as_object() else { return };
    let properties = rules.get("properties").and_then(Value::as_object);
    let required =
        rules.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    for name in required.filter(|name| !object.contains_key(*name)) {
        let what = format!("{place} must have `{}`, which is missing", clip(name, 60));
        found.push(Violation { pointer: JsonPointer::from_parts(&*path), what });
    }
    for (name, member) in object {
        match properties.and_then(|properties| properties.get(name)) {
            Some(schema) => {
                path.push(name.clone());
                check(schema, member, path, found);
                path.pop();
            }
            None if rules.get("additionalProperties") == Some(&Value::Bool(false)) => {
                let what = format!("{place} must not have `{}`", clip(name, 60));
                found.push(Violation { pointer: JsonPointer::from_parts(&*path), what });
            }
            None => {}
        }
    }
}

/// Whether the value fits one of several alternatives.
fn violations_below(option: &Value, value: &Value, depth: usize) -> bool {
    if depth >= MAX_DEPTH {
        return true;
    }
    let mut found = Vec::new();
    check(option, value, &mut vec![String::new(); depth + 1], &mut found);
    found.is_empty()
}

fn type_fits(expected: &Value, value: &Value) -> bool {
    match expected {
        Value::Array(options) => options.iter().any(|option| type_fits(option, value)),
        // Gemini writes the names in capitals.
        Value::String(name) => match name.to_ascii_lowercase().as_str() {
            "string" => value.is_string(),
            "integer" => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "object" => value.is_object(),
            "array" => value.is_array(),
            "null" => value.is_null(),
            _ => true,
        },
        _ => true,
    }
}

fn names(expected: &Value) -> String {
    match expected {
        Value::Array(options) => options.iter().map(names).collect::<Vec<_>>().join(" or "),
        Value::String(name) => clip(name, 20),
        other => clip(&other.to_string(), 20),
    }
}

fn described(value: &Value) -> String {
    let kind = match value {
        Value::Null => return "null".to_owned(),
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => return "a list".to_owned(),
        Value::Object(_) => return "an object".to_owned(),
    };
    format!("the {kind} {}", clip(&value.to_string(), 40))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_of_misfit_is_named_with_its_place() {
        let schema = json!({"type": "object", "required": ["id", "qty"], "additionalProperties": false, "properties": {
            "id": {"type": "string"}, "qty": {"type": "integer", "minimum": 1}, "unit": {"enum": ["kg", "lb"]},
            "tags": {"type": "array", "items": {"type": "string"}}, "note": {"anyOf": [{"type": "string"}, {"type": "null"}]}}});
        // As payloads are parsed, whatever order the parser of a build keeps.
        let arguments =
            crate::agent::sorted(&json!({"id": 7, "unit": "g", "tags": ["a", 1], "note": 3, "extra": 1}));
        let found = violations(&schema, &arguments);
        let what: Vec<_> = found.iter().map(|violation| violation.what.as_str()).collect();
        assert_eq!(
            what,
            [
                "the arguments must have `qty`, which is missing",
                "the arguments must not have `extra`",
                "`id` must be string, got the number 7",
                "`note` fits none of the allowed forms, got the number 3",
                "`tags.1` must be string, got the number 1",
                "`unit` must be one of \"kg\", \"lb\", got the string \"g\"",
            ]
        );
        assert_eq!(found[2].pointer.as_str(), "/id");
        assert!(violations(&schema, &json!({"id": "x", "qty": 2, "note": null})).is_empty());
        assert_eq!(violations(&schema, &json!({"id": "x", "qty": 0})).len(), 1);
    }
}
