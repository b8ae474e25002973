//! Runs the redactor over everything textual of a span.

use serde_json::Value;
use staso_core::trace::{Captured, Payload, Span};

use super::policy::Redactor;

/// Rewrites every text of the span.
pub(crate) fn redact(mut span: Span, redactor: &dyn Redactor) -> Span {
    let text = |text: String| redactor.redact(&text).into_owned();
    let payload = |payload: Payload| Payload::new(redactor.redact(payload.as_str()));
    span.name = text(span.name);
    span.input = span.input.map(payload);
    span.output = span.output.map(payload);
    if let Some(error) = &mut span.error {
        error.kind = error.kind.take().map(text);
        error.message = std::mem::take(&mut error.message).map(text);
        error.stack = std::mem::take(&mut error.stack).map(text);
    }
    if let Some(model) = &mut span.model {
        let definitions: Captured<Payload> = std::mem::take(&mut model.tool_definitions);
        model.tool_definitions = definitions.map(payload);
    }
    for value in span.attributes.values_mut() {
        redact_value(value, redactor);
    }
    span
}

/// Depth is bounded by the JSON parser that made the value.
fn redact_value(value: &mut Value, redactor: &dyn Redactor) {
    match value {
        Value::String(text) => *text = redactor.redact(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| redact_value(item, redactor)),
        Value::Object(fields) => fields.values_mut().for_each(|field| redact_value(field, redactor)),
        _ => {}
    }
}
