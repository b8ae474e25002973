//! Putting a trace together from the parts it arrived in.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{SourceRevision, Span, Trace, TraceError, TraceLimits};
use crate::id::{SpanId, TraceId};
use crate::run::TracePart;

/// The attribute that marks a root span that was sent before the run ended.
const PROVISIONAL_ROOT: &str = "staso.provisional_root";

impl Span {
    /// Whether the span only announces a root that is still running: attribute `staso.provisional_root: true`.
    #[must_use]
    pub fn is_provisional(&self) -> bool {
        self.attributes.get(PROVISIONAL_ROOT) == Some(&Value::Bool(true))
    }
}

impl Trace {
    /// Merges parts, oldest first, into the trace they make.
    ///
    /// The last span of an id wins, but a provisional root never replaces a final span. Conversation and environment
    /// are those of the first part that names one. The revision is that of the first part that names any of it;
    /// later parts fill in what it left open, unless they contradict it. Parts of other traces are ignored.
    ///
    /// The order of the parts matters only where two of them disagree.
    ///
    /// # Errors
    /// When the parts hold no span, or more than the limits allow.
    pub fn assemble(
        trace_id: TraceId,
        parts: impl IntoIterator<Item = TracePart>,
        limits: TraceLimits,
    ) -> Result<Self, TraceError> {
        let mut spans: BTreeMap<SpanId, Span> = BTreeMap::new();
        let mut source = SourceRevision::default();
        let (mut conversation_id, mut environment) = (None, None);
        for part in parts.into_iter().filter(|part| part.trace_id == trace_id) {
            conversation_id = conversation_id.or(part.conversation_id);
            environment = environment.or(part.environment.filter(|name| !name.is_empty()));
            complete(&mut source, part.source);
            for span in part.spans {
                let keeps_final = span.is_provisional()
                    && spans.get(&span.span_id).is_some_and(|known| !known.is_provisional());
                if !keeps_final {
                    spans.insert(span.span_id, span);
                }
            }
        }
        let mut trace = Self::new(trace_id, source, spans.into_values().collect(), limits)?;
        trace.conversation_id = conversation_id;
        trace.environment = environment;
        Ok(trace)
    }
}

/// Fills in what `known` leaves open. A revision that contradicts it is of other code and adds nothing.
fn complete(known: &mut SourceRevision, other: SourceRevision) {
    fn agree<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
        a.is_none() || b.is_none() || a == b
    }
    let same_code = agree(known.commit.as_ref(), other.commit.as_ref())
        && agree(known.repository_url.as_ref(), other.repository_url.as_ref())
        && agree(known.branch.as_ref(), other.branch.as_ref());
    if same_code {
        known.repository_url = known.repository_url.take().or(other.repository_url);
        known.branch = known.branch.take().or(other.branch);
        known.commit = known.commit.take().or(other.commit);
        known.dirty = known.dirty.or(other.dirty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ConversationId;
    use crate::trace::{SpanKind, Timestamp};

    fn trace_id() -> TraceId {
        TraceId::from_bytes([1; 16])
    }

    fn span(id: u64, name: &str) -> Span {
        Span::new(SpanId::from_u64(id), name, SpanKind::Agent, Timestamp::from_nanos(1))
    }

    fn provisional(id: u64) -> Span {
        let mut span = span(id, "provisional");
        span.attributes.insert(PROVISIONAL_ROOT.to_owned(), Value::Bool(true));
        span
    }

    fn part(spans: Vec<Span>) -> TracePart {
        TracePart {
            trace_id: trace_id(),
            conversation_id: None,
            environment: None,
            source: SourceRevision::default(),
            spans,
        }
    }

    fn names(parts: Vec<TracePart>) -> Vec<String> {
        let trace = Trace::assemble(trace_id(), parts, TraceLimits::default()).unwrap();
        trace.spans().iter().map(|span| span.name.clone()).collect()
    }

    #[test]
    fn a_final_root_wins_whatever_the_order() {
        assert_eq!(names(vec![part(vec![provisional(1)]), part(vec![span(1, "final")])]), ["final"]);
        assert_eq!(names(vec![part(vec![span(1, "final")]), part(vec![provisional(1)])]), ["final"]);
        assert_eq!(names(vec![part(vec![span(1, "final"), provisional(1)])]), ["final"]);
    }

    #[test]
    fn otherwise_the_last_span_wins() {
        assert_eq!(names(vec![part(vec![span(1, "old")]), part(vec![span(1, "new")])]), ["new"]);
    }

    #[test]
    fn a_lone_provisional_root_stays() {
        assert_eq!(names(vec![part(vec![provisional(1), span(2, "tool")])]), ["provisional", "tool"]);
    }

    #[test]
    fn parts_of_other_traces_add_nothing() {
        let mut other = part(vec![span(9, "foreign")]);
        other.trace_id = TraceId::from_bytes([2; 16]);
        assert_eq!(names(vec![other.clone(), part(vec![span(1, "own")])]), ["own"]);
        let empty = Trace::assemble(trace_id(), [other], TraceLimits::default());
        assert_eq!(empty, Err(TraceError::Empty { trace_id: trace_id() }));
    }

    #[test]
    fn facts_come_from_the_first_part_that_names_them() {
        let commit = |digit: &str| Some(crate::id::CommitId::new(digit.repeat(40)).unwrap());
        let mut named = part(vec![span(1, "a")]);
        named.source.commit = commit("a");
        named.conversation_id = Some(ConversationId::new("conv").unwrap());
        let mut fills = part(vec![span(2, "b")]);
        fills.environment = Some("production".to_owned());
        fills.source.dirty = Some(true);
        let mut contradicts = part(vec![span(3, "c")]);
        contradicts.source.commit = commit("b");
        contradicts.source.branch = Some("other".parse().unwrap());
        let trace = Trace::assemble(trace_id(), [named, fills, contradicts], TraceLimits::default()).unwrap();
        assert_eq!(trace.source.commit, commit("a"));
        assert_eq!(trace.source.dirty, Some(true));
        assert_eq!(trace.source.branch, None);
        assert_eq!(trace.environment.as_deref(), Some("production"));
        assert_eq!(trace.conversation_id.unwrap().as_str(), "conv");
    }
}
