//! What one body may still cost: limits that count over all of its traces.

use serde_json::Value;

use super::{IngestError, IngestLimits};

/// Longest text that the attributes of a resource may make together, over all spans that they are copied to, in bytes.
const MAX_COPIED_BYTES: usize = 32 << 20;

/// What is left of the limits of a body.
#[derive(Debug)]
pub(super) struct BodyBudget {
    limits: IngestLimits,
    spans: usize,
    parts: usize,
    copied_bytes: usize,
}

impl BodyBudget {
    pub(super) const fn new(limits: &IngestLimits) -> Self {
        Self {
            limits: *limits,
            spans: limits.max_spans_per_body,
            parts: limits.max_attribute_parts,
            copied_bytes: MAX_COPIED_BYTES,
        }
    }

    /// Takes room for so many spans.
    pub(super) fn take_spans(&mut self, spans: usize) -> Result<(), IngestError> {
        let left = self.spans.checked_sub(spans);
        self.spans = left.ok_or_else(|| {
            let what = "the number of spans in the body".to_owned();
            IngestError::TooLarge { what, limit: self.limits.max_spans_per_body }
        })?;
        Ok(())
    }

    /// Whether there is room for the values that this JSON text would become.
    pub(super) fn take_text(&mut self, json: &str) -> bool {
        let parts = json.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
        self.take_parts(parts)
    }

    /// Takes room for values that are there already.
    pub(super) fn take_values<'v>(
        &mut self,
        values: impl IntoIterator<Item = &'v Value>,
    ) -> Result<(), IngestError> {
        let parts = values.into_iter().map(parts_of).sum();
        if self.take_parts(parts) {
            return Ok(());
        }
        let what = "the number of attribute values in the body".to_owned();
        Err(IngestError::TooLarge { what, limit: self.limits.max_attribute_parts })
    }

    /// Takes room for a copy of this many bytes.
    pub(super) fn take_copy(&mut self, bytes: usize) -> Result<(), IngestError> {
        let left = self.copied_bytes.checked_sub(bytes);
        self.copied_bytes = left.ok_or_else(|| {
            let what = "the resource attributes of all traces in the body".to_owned();
            IngestError::TooLarge { what, limit: MAX_COPIED_BYTES }
        })?;
        Ok(())
    }

    fn take_parts(&mut self, parts: usize) -> bool {
        let left = self.parts.checked_sub(parts);
        self.parts = left.unwrap_or(self.parts);
        left.is_some()
    }
}

fn parts_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(parts_of).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(parts_of).sum::<usize>(),
        _ => 1,
    }
}
