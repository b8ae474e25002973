//! The arguments of a call, as the model wrote them and as others may read them.

use serde_json::{Map, Value};

use super::intake::Intake;
use crate::agent::canonical::canonical;

/// Longest arguments that are read, in bytes. More than any tool takes.
const MAX_BYTES: usize = 512 << 10;
/// Part of unreadable arguments that stays in the conversation, in bytes.
const KEPT_UNREADABLE_BYTES: usize = 1 << 10;
/// Longest summary, in characters, and longest part of it for one argument.
const SUMMARY_CHARS: usize = 240;
const SUMMARY_VALUE_CHARS: usize = 100;

/// Reads arguments. No text at all stands for no arguments: some providers write it so.
///
/// # Errors
/// What is wrong with them, in words for the model.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("the arguments have {} bytes; at most {MAX_BYTES} are read", text.len()));
    }
    if text.trim().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("the arguments are not a JSON object".to_owned()),
        Err(error) => Err(format!("the arguments are not JSON: {error}")),
    }
}

/// The arguments as conversation and events hold them: always a JSON object, without credentials. Left as they were
/// written where nothing has to change; what cannot be read is told under the key `unreadable`.
pub(super) fn recorded(text: &str, parsed: Result<&Value, &String>, intake: Intake<'_>) -> String {
    let Ok(value) = parsed else { return unreadable(text, intake) };
    let clean = cleaned(value, intake);
    let as_written = !text.trim().is_empty() && clean == *value;
    let told = if as_written { text.to_owned() } else { canonical(&clean) };
    // A credential may show only beside its key.
    let clean = intake.0.clean(&told);
    if clean == told {
        return told;
    }
    let readable = parse(&clean).is_ok();
    if readable { clean } else { unreadable(&clean, intake) }
}

fn unreadable(text: &str, intake: Intake<'_>) -> String {
    serde_json::json!({ "unreadable": intake.cut(text, KEPT_UNREADABLE_BYTES) }).to_string()
}

fn cleaned(value: &Value, intake: Intake<'_>) -> Value {
    match value {
        Value::String(text) => Value::String(intake.0.clean(text)),
        Value::Array(items) => items.iter().map(|item| cleaned(item, intake)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (intake.0.clean(key), cleaned(value, intake))).collect()
        }
        other => other.clone(),
    }
}

/// One short line that says what a call is for: `path=src/a.py lines=20`.
pub(super) fn summary(value: &Value, intake: Intake<'_>) -> String {
    let Some(fields) = value.as_object() else { return String::new() };
    let mut entries: Vec<(&String, &Value)> = fields.iter().take(32).collect();
    entries.sort_by_key(|(key, _)| *key);
    let part = |(key, value): (&String, &Value)| {
        let text = value.as_str().map_or_else(|| canonical(value), str::to_owned);
        format!("{key}={}", short(&one_line(&intake.cut(&text, 4 * SUMMARY_CHARS)), SUMMARY_VALUE_CHARS))
    };
    short(&entries.into_iter().map(part).collect::<Vec<_>>().join(" "), SUMMARY_CHARS)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first characters; an ellipsis tells of more.
pub(super) fn short(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redaction::Redactor;

    fn told(text: &str) -> String {
        let redactor = Redactor::default();
        recorded(text, parse(text).as_ref(), Intake(&redactor))
    }

    #[test]
    fn what_is_told_is_always_an_object_without_credentials() {
        let key = format!("ghp_{}", "0123456789abcdefghij".repeat(2));
        for (text, expected) in [
            ("{ \"b\": 1, \"a\": 2 }".to_owned(), "{ \"b\": 1, \"a\": 2 }"),
            (String::new(), "{}"),
            (format!("{{\"b\":\"{key}\",\"a\":[\"{key}\"]}}"), r#"{"a":["[secret]"],"b":"[secret]"}"#),
            (format!("{{\"a\":\"\\n{key}\"}}"), r#"{"a":"\n[secret]"}"#),
            (key.replace('_', "\\u005f").replacen("ghp", "{\"a\":\"ghp", 1) + "\"}", r#"{"a":"[secret]"}"#),
            (format!("{{\"a\":\"{key}\",\"a\":\"x\"}}"), r#"{"a":"[secret]","a":"x"}"#),
            ("{\"a\": ".to_owned(), r#"{"unreadable":"{\"a\": "}"#),
            (format!("[\"{key}\"]"), r#"{"unreadable":"[\"[secret]\"]"}"#),
        ] {
            assert_eq!(told(&text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_call_is_for_fits_a_line() {
        let redactor = Redactor::default();
        let value = serde_json::json!({ "path": "a\nb.py", "lines": [1, 2], "x": "y".repeat(5_000) });
        let line = summary(&value, Intake(&redactor));
        assert!(line.starts_with("lines=[1,2] path=a b.py x=yyy"), "{line}");
        assert!(line.chars().count() <= SUMMARY_CHARS + 1 && line.ends_with('…'), "{line}");
    }
}
