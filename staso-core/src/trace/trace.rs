//! A whole run.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{SourceRevision, Span};
use crate::agent::sorted;
use crate::id::{ConversationId, Digest, SpanId, TraceId};

/// A run of an agent: its spans in canonical order, and where its code came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// The trace's id.
    pub trace_id: TraceId,
    /// The conversation that the run belongs to.
    pub conversation_id: Option<ConversationId>,
    /// The deployment environment, e.g. `production`.
    pub environment: Option<String>,
    /// The revision that ran.
    pub source: SourceRevision,
    spans: Vec<Span>,
}

/// The most that one trace may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceLimits {
    /// Spans in one trace.
    pub max_spans: usize,
}

impl Default for TraceLimits {
    /// 10,000 spans.
    fn default() -> Self {
        Self { max_spans: 10_000 }
    }
}

/// The spans do not make a trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// There is nothing to look at.
    #[error("trace {trace_id} has no spans")]
    Empty {
        /// The trace.
        trace_id: TraceId,
    },
    /// More spans than [`TraceLimits::max_spans`].
    #[error("trace {trace_id} has {spans} spans, more than the limit of {limit}")]
    TooManySpans {
        /// The trace.
        trace_id: TraceId,
        /// How many it has.
        spans: usize,
        /// How many it may have.
        limit: usize,
    },
    /// Two spans with one id.
    #[error("trace {trace_id} holds span {span_id} twice")]
    DuplicateSpan {
        /// The trace.
        trace_id: TraceId,
        /// The span.
        span_id: SpanId,
    },
}

impl Trace {
    /// Puts the spans into canonical order (start, then parents before children, then id), so that the order in
    /// which they arrived does not matter.
    ///
    /// # Errors
    /// When there are no spans, too many, or two with one id.
    pub fn new(
        trace_id: TraceId,
        source: SourceRevision,
        mut spans: Vec<Span>,
        limits: TraceLimits,
    ) -> Result<Self, TraceError> {
        if spans.is_empty() {
            return Err(TraceError::Empty { trace_id });
        }
        if spans.len() > limits.max_spans {
            let (spans, limit) = (spans.len(), limits.max_spans);
            return Err(TraceError::TooManySpans { trace_id, spans, limit });
        }
        let mut seen = BTreeSet::new();
        if let Some(span) = spans.iter().find(|span| !seen.insert(span.span_id)) {
            return Err(TraceError::DuplicateSpan { trace_id, span_id: span.span_id });
        }
        for value in spans.iter_mut().flat_map(|span| span.attributes.values_mut()) {
            if value.is_object() || value.is_array() {
                *value = sorted(value);
            }
        }
        let depths = depths(&spans);
        spans.sort_by_key(|span| (span.start, depths.get(&span.span_id).copied(), span.span_id));
        Ok(Self { trace_id, conversation_id: None, environment: None, source, spans })
    }

    /// The spans in canonical order.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// A digest over the whole content, the same on every machine.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // All keys are strings and all numbers finite, so this cannot fail; an empty text would only change the digest.
        Digest::of(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// How many ancestors each span has within the trace. Cycles end where they begin.
fn depths(spans: &[Span]) -> BTreeMap<SpanId, usize> {
    let parents: BTreeMap<_, _> = spans.iter().map(|span| (span.span_id, span.parent_span_id)).collect();
    let mut depths: BTreeMap<SpanId, usize> = BTreeMap::new();
    for span in spans {
        let mut path = Vec::new();
        let mut next = Some(span.span_id);
        let mut visiting = BTreeSet::new();
        let mut base = 0;
        while let Some(id) = next {
            if let Some(known) = depths.get(&id) {
                base = known + 1;
                break;
            }
            if !parents.contains_key(&id) || !visiting.insert(id) {
                break;
            }
            path.push(id);
            next = parents.get(&id).copied().flatten();
        }
        for (above, id) in path.into_iter().rev().enumerate() {
            depths.insert(id, base + above);
        }
    }
    depths
}
