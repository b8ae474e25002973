//! A trace, indexed for reading.

use std::collections::{BTreeMap, BTreeSet};

use super::{Captured, JsonPointer, Payload, Span, Trace};
use crate::agent::canonical;
use crate::id::SpanId;

/// A borrowed trace with its tree and its order at hand. Building it is linear in the number of spans.
#[derive(Debug)]
pub struct TraceView<'t> {
    trace: &'t Trace,
    positions: BTreeMap<SpanId, usize>,
    children: BTreeMap<SpanId, Vec<usize>>,
}

impl<'t> TraceView<'t> {
    /// Indexes the trace.
    #[must_use]
    pub fn new(trace: &'t Trace) -> Self {
        let positions: BTreeMap<_, _> =
            trace.spans().iter().enumerate().map(|(at, span)| (span.span_id, at)).collect();
        let mut children: BTreeMap<SpanId, Vec<usize>> = BTreeMap::new();
        for (at, span) in trace.spans().iter().enumerate() {
            if let Some(parent) = span.parent_span_id {
                children.entry(parent).or_default().push(at);
            }
        }
        Self { trace, positions, children }
    }

    /// The trace itself.
    #[must_use]
    pub const fn trace(&self) -> &'t Trace {
        self.trace
    }

    /// The spans in canonical order.
    #[must_use]
    pub fn spans(&self) -> &'t [Span] {
        self.trace.spans()
    }

    /// The span with this id.
    #[must_use]
    pub fn span(&self, id: SpanId) -> Option<&'t Span> {
        self.positions.get(&id).and_then(|&at| self.spans().get(at))
    }

    /// Where the span stands in canonical order, from 0.
    #[must_use]
    pub fn position(&self, id: SpanId) -> Option<usize> {
        self.positions.get(&id).copied()
    }

    /// The first span without a parent in this trace.
    #[must_use]
    pub fn root(&self) -> Option<&'t Span> {
        self.spans().iter().find(|span| self.parent(span).is_none())
    }

    /// The enclosing step, when it is part of the trace.
    #[must_use]
    pub fn parent(&self, span: &Span) -> Option<&'t Span> {
        span.parent_span_id.and_then(|id| self.span(id))
    }

    /// The steps directly inside, in canonical order.
    pub fn children(&self, id: SpanId) -> impl Iterator<Item = &'t Span> + '_ {
        self.children.get(&id).into_iter().flatten().filter_map(|&at| self.spans().get(at))
    }

    /// The enclosing steps, innermost first, without the span itself. Ends at a root or where a cycle would close.
    #[must_use]
    pub fn ancestors(&self, span: &Span) -> Vec<&'t Span> {
        let mut seen = BTreeSet::from([span.span_id]);
        let mut found = Vec::new();
        let mut next = self.parent(span);
        while let Some(ancestor) = next {
            if !seen.insert(ancestor.span_id) {
                break;
            }
            found.push(ancestor);
            next = self.parent(ancestor);
        }
        found
    }

    /// The text that a pointer names in a span, as a receipt cites it.
    ///
    /// The first part names a field: `name`, `status`, `input`, `output`, `error_type`, `error_message`,
    /// `error_stack`, `requested_model`, `model`, `provider`, `finish_reasons`, `max_output_tokens`,
    /// `tool_definitions`, `code` or `attributes`. Below
    /// `input`, `output`, `tool_definitions` and `attributes` the rest resolves as RFC 6901 in the parsed JSON; text
    /// values come without quotes, other values as compact JSON.
    #[must_use]
    pub fn text_at(&self, id: SpanId, pointer: &JsonPointer) -> Option<String> {
        let span = self.span(id)?;
        let parts = pointer.parts();
        let (field, rest) = parts.split_first()?;
        let payload = |payload: &Captured<Payload>| payload_text(payload.value()?, rest);
        let model = span.model.as_ref();
        match field.as_str() {
            "input" => payload(&span.input),
            "output" => payload(&span.output),
            "tool_definitions" => payload(&model?.tool_definitions),
            "attributes" => {
                let (key, below) = rest.split_first()?;
                JsonPointer::from_parts(below).resolve(span.attributes.get(key)?).map(plain_text)
            }
            _ if !rest.is_empty() => None,
            "name" => Some(span.name.clone()),
            "status" => serde_json::to_value(span.status).ok().as_ref().map(plain_text),
            "error_type" => span.error.as_ref()?.kind.clone(),
            "error_message" => span.error.as_ref()?.message.value().cloned(),
            "error_stack" => span.error.as_ref()?.stack.value().cloned(),
            "requested_model" => model?.requested.clone(),
            "model" => model?.answered.clone(),
            "provider" => model?.provider.clone(),
            "finish_reasons" => Some(model?.finish_reasons.join(", ")),
            "max_output_tokens" => model?.max_output_tokens.map(|limit| limit.to_string()),
            "code" => span.code.as_ref().map(|place| place.path.clone()),
            _ => None,
        }
    }
}

fn payload_text(payload: &Payload, rest: &[String]) -> Option<String> {
    if rest.is_empty() {
        return Some(payload.as_str().to_owned());
    }
    JsonPointer::from_parts(rest).resolve(&payload.json()?).map(plain_text)
}

fn plain_text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| canonical(value), str::to_owned)
}
