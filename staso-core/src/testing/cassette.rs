//! A recorded conversation with a model.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SeenRequest;
use crate::agent::{ModelId, ModelLimits, ModelReply, TokenUsage, canonical};
use crate::id::Digest;
use crate::redaction::Redactor;

/// Version of the lines of a cassette.
pub const CASSETTE_VERSION: u32 = 1;

/// Requests and replies in order. As JSON lines: first who answered, then one line for each reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Cassette {
    /// The model that answered.
    pub model: ModelId,
    /// What one call of it can hold.
    pub limits: ModelLimits,
    /// The replies, in order.
    pub takes: Vec<Take>,
}

/// One request with its reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Take {
    /// SHA-256 over the canonical JSON of `request`.
    pub request_fingerprint: Digest,
    /// The request: redacted, with temporary paths, times and ids made equal.
    pub request: Value,
    /// The reply, redacted, without its usage.
    pub reply: ModelReply,
    /// The tokens.
    pub usage: TokenUsage,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    cassette_version: u32,
    model: ModelId,
    limits: ModelLimits,
}

/// A text is no cassette.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CassetteError {
    /// A line cannot be read.
    #[error("line {line} of the cassette cannot be read")]
    Malformed {
        /// Which line, from 1.
        line: usize,
        /// What the parser said.
        #[source]
        source: serde_json::Error,
    },
    /// The first line is missing.
    #[error("the cassette is empty")]
    Empty,
    /// Another version of Staso wrote it.
    #[error("the cassette has version {found}; version {CASSETTE_VERSION} can be read: record it again")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The request of a line was changed by hand without its fingerprint.
    #[error("the fingerprint on line {line} of the cassette does not belong to its request")]
    Fingerprint {
        /// Which line, from 1.
        line: usize,
    },
}

impl Cassette {
    /// Nothing recorded yet.
    #[must_use]
    pub const fn new(model: ModelId, limits: ModelLimits) -> Self {
        Self { model, limits, takes: Vec::new() }
    }

    /// Writes it, one JSON text a line.
    #[must_use]
    pub fn to_jsonl(&self) -> String {
        let head =
            Head { cassette_version: CASSETTE_VERSION, model: self.model.clone(), limits: self.limits };
        let head = serde_json::to_value(&head);
        let takes = self.takes.iter().map(serde_json::to_value);
        let line = |value: Value| canonical(&value) + "\n";
        std::iter::once(head).chain(takes).flatten().map(line).collect()
    }

    /// Reads it.
    ///
    /// # Errors
    /// At the first line that is none of a cassette.
    pub fn from_jsonl(text: &str) -> Result<Self, CassetteError> {
        let mut lines = text.lines().enumerate();
        let (_, first) = lines.next().ok_or(CassetteError::Empty)?;
        let malformed = |line: usize| move |source| CassetteError::Malformed { line, source };
        let version: Value = serde_json::from_str(first).map_err(malformed(1))?;
        let found = version.get("cassette_version").and_then(Value::as_u64).unwrap_or_default();
        if found != u64::from(CASSETTE_VERSION) {
            return Err(CassetteError::Version { found: u32::try_from(found).unwrap_or(u32::MAX) });
        }
        let head: Head = serde_json::from_value(version).map_err(malformed(1))?;
        let mut cassette = Self::new(head.model, head.limits);
        for (at, line) in lines {
            let take: Take = serde_json::from_str(line).map_err(malformed(at + 1))?;
            if fingerprint(&take.request) != take.request_fingerprint {
                return Err(CassetteError::Fingerprint { line: at + 1 });
            }
            cassette.takes.push(take);
        }
        Ok(cassette)
    }
}

impl Take {
    /// Takes down a request with its reply.
    #[must_use]
    pub fn new(request: &SeenRequest, reply: &ModelReply, redactor: &Redactor) -> Self {
        let request = comparable(request, redactor);
        let usage = reply.usage;
        let reply = serde_json::to_value(reply).map(|value| strings(&value, &|text| redactor.clean(text)));
        let reply = reply.and_then(serde_json::from_value::<ModelReply>).unwrap_or_default();
        let reply = reply.with_usage(TokenUsage::default());
        Self { request_fingerprint: fingerprint(&request), request, reply, usage }
    }
}

/// The digest that a request is known by.
pub(super) fn fingerprint(comparable: &Value) -> Digest {
    Digest::of(canonical(comparable))
}

/// A request as it is compared: without credentials, and without what differs between two runs of the same.
pub(super) fn comparable(request: &SeenRequest, redactor: &Redactor) -> Value {
    let mut value = serde_json::to_value(request).unwrap_or_default();
    rename_calls(&mut value, &mut BTreeMap::new());
    strings(&value, &|text| normalised(&redactor.clean(text)))
}

/// Numbers the calls: providers give them random ids.
fn rename_calls(value: &mut Value, known: &mut BTreeMap<String, String>) {
    let messages = value.get_mut("messages").and_then(Value::as_array_mut);
    for message in messages.into_iter().flatten() {
        for (list, key) in [("calls", "id"), ("results", "call_id")] {
            let entries = message.get_mut(list).and_then(Value::as_array_mut);
            for id in entries.into_iter().flatten().filter_map(|entry| entry.get_mut(key)) {
                let next = format!("<call {}>", known.len() + 1);
                let name = known.entry(id.as_str().unwrap_or_default().to_owned()).or_insert(next);
                *id = Value::String(name.clone());
            }
        }
    }
}

/// The value with every string in it replaced.
fn strings(value: &Value, replace: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(replace(text)),
        Value::Array(items) => items.iter().map(|item| strings(item, replace)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), strings(value, replace))).collect()
        }
        other => other.clone(),
    }
}

/// What differs between two runs of the same, and what stands for it.
static VARYING: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let patterns = [
        (r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?", "<time>"),
        (r"\b\d+(\.\d+)?\s?(ms|µs|us|ns)\b|\b\d+\.\d+\s?s\b", "<duration>"),
        (r"(/private)?/var/folders/[^/\s]+/[^/\s]+/T/[\w.-]+", "<tmp>"),
        (r"(/private)?(/var/tmp|/tmp|/dev/shm)/[\w.-]+", "<tmp>"),
    ];
    let compiled = patterns.into_iter().map(|(pattern, name)| Some((Regex::new(pattern).ok()?, name)));
    compiled.flatten().collect()
});

fn normalised(text: &str) -> String {
    VARYING
        .iter()
        .fold(text.to_owned(), |text, (pattern, name)| pattern.replace_all(&text, *name).into_owned())
}
