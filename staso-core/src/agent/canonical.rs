//! One spelling for every JSON value.

use serde_json::Value;

/// JSON with sorted keys and no blanks, whatever order the parser keeps.
pub(crate) fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

/// The value with sorted keys, whatever order the parser keeps: a host's own dependencies decide that.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut entries: Vec<(&String, &Value)> = fields.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        other => other.clone(),
    }
}
