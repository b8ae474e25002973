//! The objects in the data files of a repository: which keys stand together, and what kinds of values they have.
//!
//! A program reads such objects under its own names. An object that has the keys which a variable is asked for tells
//! which other keys the variable has, which are not always there, and which may be null.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::code::CodeSnapshot;

/// The distinct objects of the data files.
#[derive(Debug, Default)]
pub(crate) struct Records {
    records: Vec<Record>,
}

/// Objects with the same keys.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    fields: BTreeMap<String, BTreeSet<Kind>>,
}

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    Text,
    /// An array.
    List,
    /// An object.
    Object,
}

impl Records {
    /// Larger files are not read, in bytes.
    const MAX_FILE_BYTES: usize = 1 << 20;
    /// No further file is read after so many bytes.
    const MAX_BYTES: usize = 8 << 20;
    /// Objects with more keys are tables of ids, not records.
    const MAX_KEYS: usize = 64;
    /// More distinct objects are not kept.
    const MAX_RECORDS: usize = 500;

    /// Reads the JSON files of a snapshot.
    pub(crate) fn of(code: &CodeSnapshot) -> Self {
        let mut found = Self::default();
        let mut bytes = 0;
        for (path, file) in code.files() {
            let size = file.text.len();
            if path.extension() != Some("json") || size > Self::MAX_FILE_BYTES {
                continue;
            }
            bytes += size;
            if bytes > Self::MAX_BYTES {
                break;
            }
            if let Ok(value) = serde_json::from_str(&file.text) {
                found.add_all(&value);
            }
        }
        found
    }

    fn add_all(&mut self, root: &Value) {
        let mut open = vec![root];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => {
                    open.extend(fields.values());
                    if !fields.is_empty() && fields.len() <= Self::MAX_KEYS {
                        self.add(fields);
                    }
                }
                _ => {}
            }
        }
    }

    fn add(&mut self, fields: &serde_json::Map<String, Value>) {
        let same = |record: &&mut Record| {
            record.fields.len() == fields.len() && fields.keys().all(|key| record.has(key))
        };
        if let Some(record) = self.records.iter_mut().find(same) {
            for (key, value) in fields {
                record.fields.entry(key.clone()).or_default().insert(Kind::of(value));
            }
        } else if self.records.len() < Self::MAX_RECORDS {
            let kinds = |value| BTreeSet::from([Kind::of(value)]);
            let fields = fields.iter().map(|(key, value)| (key.clone(), kinds(value))).collect();
            self.records.push(Record { fields });
        }
    }

    /// The records that have the most of these keys, or nearly so, and at least half of them.
    pub(crate) fn with(&self, keys: &BTreeSet<&str>) -> Vec<&Record> {
        let shared = |record: &&Record| keys.iter().filter(|key| record.has(key)).count();
        let most = self.records.iter().map(|record| shared(&record)).max().unwrap_or_default();
        if most == 0 || most * 2 < keys.len() {
            return Vec::new();
        }
        self.records.iter().filter(|record| shared(record) * 5 >= most * 4).collect()
    }
}

impl Record {
    /// Whether it has a key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    /// Its keys, in the order of the alphabet.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// Whether a value of a kind stands under a key in some object.
    pub(crate) fn holds(&self, key: &str, kind: Kind) -> bool {
        self.fields.get(key).is_some_and(|kinds| kinds.contains(&kind))
    }
}

impl Kind {
    const fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_with_the_most_keys_are_found() {
        let mut records = Records::default();
        records.add_all(&serde_json::json!({
            "a": [{"sku": "x", "price": 1, "until": null}, {"sku": "y", "price": 2, "until": "z"}, {"sku": "y"}],
            "b": {"name": "n", "price": []},
        }));
        let found = records.with(&BTreeSet::from(["sku", "price", "other"]));
        let keys: Vec<Vec<&str>> = found.iter().map(|record| record.keys().collect()).collect();
        assert_eq!(keys, [["price", "sku", "until"]]);
        assert!(
            found.iter().all(|record| record.holds("until", Kind::Null) && record.holds("until", Kind::Text))
        );
        assert!(records.with(&BTreeSet::from(["sku", "b", "c"])).is_empty());
        assert!(records.with(&BTreeSet::new()).is_empty());
    }
}
