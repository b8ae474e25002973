//! What a span recorded as input or output, bounded and parsed once.

use std::ops::ControlFlow;

use serde_json::Value;

use crate::trace::{Captured, CapturedState, JsonPointer, Payload};

/// A payload as rules read it.
#[derive(Debug)]
pub(super) struct Document<'a> {
    field: &'static str,
    raw: &'a str,
    json: Option<Value>,
    state: CapturedState,
}

/// A part of the way from the root of a document to a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'v> {
    /// A member of an object.
    Key(&'v str),
    /// An element of a list.
    Index(usize),
}

impl<'a> Document<'a> {
    /// Reads at most `limit` bytes. `field` is the name under which a receipt cites it.
    pub(super) fn new(field: &'static str, payload: &'a Captured<Payload>, limit: usize) -> Self {
        let state = payload.state();
        let whole = payload.value().map(Payload::as_str).unwrap_or_default();
        let raw = prefix(whole, limit);
        let json = if raw.len() == whole.len() { serde_json::from_str(raw).ok() } else { None };
        Self { field, raw, json, state }
    }

    pub(super) const fn raw(&self) -> &'a str {
        self.raw
    }

    pub(super) const fn json(&self) -> Option<&Value> {
        self.json.as_ref()
    }

    pub(super) const fn state(&self) -> CapturedState {
        self.state
    }

    /// A pointer to the whole document.
    pub(super) fn pointer(&self) -> JsonPointer {
        JsonPointer::from_parts([self.field])
    }

    /// A pointer to a part of the document.
    pub(super) fn pointer_to(&self, path: &[Part<'_>]) -> JsonPointer {
        let parts = path.iter().map(|part| match part {
            Part::Key(key) => (*key).to_owned(),
            Part::Index(index) => index.to_string(),
        });
        JsonPointer::from_parts(std::iter::once(self.field.to_owned()).chain(parts))
    }

    /// Calls `see` with every text, in document order: the strings of JSON, else the raw text.
    pub(super) fn texts(&self, mut see: impl FnMut(&[Part<'_>], &str) -> ControlFlow<()>) {
        match &self.json {
            Some(value) => {
                let _ = walk(value, &mut Vec::new(), &mut |path, value| match value {
                    Value::String(text) => see(path, text),
                    _ => ControlFlow::Continue(()),
                });
            }
            None if !self.raw.is_empty() => {
                let _ = see(&[], self.raw);
            }
            None => {}
        }
    }

    /// Calls `see` with every JSON object, outermost first.
    pub(super) fn objects(&self, mut see: impl FnMut(&[Part<'_>], &serde_json::Map<String, Value>)) {
        if let Some(value) = &self.json {
            let _ = walk(value, &mut Vec::new(), &mut |path, value| {
                if let Value::Object(map) = value {
                    see(path, map);
                }
                ControlFlow::Continue(())
            });
        }
    }

    /// The first text that holds `needle`, with its pointer.
    pub(super) fn find(&self, needle: &str) -> Option<(JsonPointer, String)> {
        let mut found = None;
        self.texts(|path, text| {
            if text.contains(needle) {
                found = Some((self.pointer_to(path), text.to_owned()));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        found
    }

    /// All texts one after the other, as a person would read them.
    pub(super) fn plain(&self) -> String {
        let mut all = String::new();
        self.texts(|_, text| {
            if !all.is_empty() {
                all.push('\n');
            }
            all.push_str(text);
            ControlFlow::Continue(())
        });
        all
    }
}

type See<'s> = dyn FnMut(&[Part<'_>], &Value) -> ControlFlow<()> + 's;

fn walk<'v>(value: &'v Value, path: &mut Vec<Part<'v>>, see: &mut See<'_>) -> ControlFlow<()> {
    see(path, value)?;
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                path.push(Part::Key(key));
                let flow = walk(below, path, see);
                path.pop();
                flow?;
            }
        }
        Value::Array(list) => {
            for (at, below) in list.iter().enumerate() {
                path.push(Part::Index(at));
                let flow = walk(below, path, see);
                path.pop();
                flow?;
            }
        }
        _ => {}
    }
    ControlFlow::Continue(())
}

/// At most `limit` bytes of the beginning, cut between characters.
pub(super) fn prefix(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
