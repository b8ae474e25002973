//! The attributes of one span while its fields are filled from them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::IngestLimits;
use super::fields::says_something;
use crate::marks::TRUNCATED;

/// Parts that a flattened key may have below its list.
const MAX_FLAT_DEPTH: usize = 16;

/// Attributes that no field has claimed yet, and which key filled what.
#[derive(Debug, Default)]
pub(super) struct Attributes(pub(super) BTreeMap<String, Value>);

impl Attributes {
    /// The first of the keys that says something; it is taken out.
    pub(super) fn take(&mut self, keys: &[&str]) -> Option<Value> {
        if self.0.is_empty() {
            return None;
        }
        keys.iter().find_map(|key| match key.strip_suffix('#') {
            Some(prefix) => self.take_flattened(prefix),
            None if self.0.get(*key).is_some_and(says_something) => self.0.remove(*key),
            None => None,
        })
    }

    /// The first of the keys that says something, as text.
    pub(super) fn take_text(&mut self, keys: &[&str]) -> Option<String> {
        self.take(keys).map(into_text)
    }

    /// The first of the keys that holds a whole number ≥ 0, also as text.
    pub(super) fn take_u64(&mut self, keys: &[&str]) -> Option<u64> {
        let key = keys.iter().find(|key| self.0.get(**key).is_some_and(|value| as_u64(value).is_some()))?;
        self.0.remove(*key).as_ref().and_then(as_u64)
    }

    /// The first of the keys whose value `parse` accepts; values that it does not accept stay.
    pub(super) fn take_parsed<T>(&mut self, keys: &[&str], parse: fn(&str) -> Option<T>) -> Option<T> {
        let (key, value) = keys.iter().find_map(|key| Some((*key, parse(self.0.get(*key)?.as_str()?)?)))?;
        self.0.remove(key);
        Some(value)
    }

    /// A list that was written as one attribute a leaf: `prefix.0.role`, `prefix.0.content`, `prefix.1.role` …
    fn take_flattened(&mut self, prefix: &str) -> Option<Value> {
        let keys: Vec<String> = self
            .0
            .range(prefix.to_owned()..)
            .map(|(key, _)| key)
            .take_while(|key| key.starts_with(prefix))
            .filter(|key| is_element(key, prefix))
            .cloned()
            .collect();
        if keys.is_empty() {
            return None;
        }
        let mut root = Node::default();
        for key in keys {
            let value = self.0.remove(&key)?;
            root.insert(key.strip_prefix(prefix)?.splitn(MAX_FLAT_DEPTH, '.'), value);
        }
        Some(root.into_value())
    }

    /// Applies the limits to what is left.
    pub(super) fn finish(mut self, limits: &IngestLimits) -> BTreeMap<String, Value> {
        let mut cut = BTreeSet::new();
        if let Some(Value::Array(names)) = self.0.remove(TRUNCATED) {
            cut.extend(names.into_iter().map(into_text).take(limits.max_attributes));
        }
        for (key, value) in &mut self.0 {
            if text_size(value) > limits.max_attribute_bytes {
                *value = Value::String(cut_text(into_text(value.take()), limits.max_attribute_bytes));
                cut.insert(key.clone());
            }
        }
        if self.0.len() > limits.max_attributes {
            let dropped = self.0.len() - limits.max_attributes;
            if let Some(key) = self.0.keys().nth(limits.max_attributes).cloned() {
                drop(self.0.split_off(&key));
            }
            self.0.insert("staso.dropped_attributes".to_owned(), dropped.into());
        }
        if !cut.is_empty() {
            let names = cut.into_iter().map(Value::String).collect();
            self.0.insert(TRUNCATED.to_owned(), Value::Array(names));
        }
        self.0
    }
}

fn is_element(key: &str, prefix: &str) -> bool {
    let rest = key.strip_prefix(prefix).unwrap_or_default();
    rest.split('.').next().is_some_and(|index| index.parse::<u32>().is_ok())
}

/// A value whose children are known by name or by number.
#[derive(Default)]
struct Node {
    leaf: Option<Value>,
    children: BTreeMap<String, Self>,
}

impl Node {
    fn insert<'k>(&mut self, mut path: impl Iterator<Item = &'k str>, value: Value) {
        match path.next() {
            None => self.leaf = Some(value),
            Some(part) => self.children.entry(part.to_owned()).or_default().insert(path, value),
        }
    }

    fn into_value(self) -> Value {
        if self.children.is_empty() {
            return self.leaf.unwrap_or_default();
        }
        let numbered: Option<BTreeSet<u32>> = self.children.keys().map(|key| key.parse().ok()).collect();
        if numbered.is_none() {
            let fields = self.children.into_iter().map(|(key, node)| (key, node.into_value()));
            return Value::Object(fields.collect::<Map<_, _>>());
        }
        let mut items: Vec<_> = self.children.into_iter().collect();
        items.sort_by_key(|(key, _)| key.parse::<u32>().unwrap_or(u32::MAX));
        Value::Array(items.into_iter().map(|(_, node)| node.into_value()).collect())
    }
}

/// The text of a value: strings without quotes, everything else as compact JSON.
pub(super) fn into_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The first `max` bytes, without a broken character at the end.
pub(super) fn cut_text(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max));
    }
    text
}

fn as_u64(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// About how long the value is as text, in bytes.
pub(super) fn text_size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| text_size(item) + 1).sum(),
        Value::Object(fields) => fields.iter().map(|(key, item)| key.len() + text_size(item) + 4).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}
