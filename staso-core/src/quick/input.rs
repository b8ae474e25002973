//! What rules read: the trace with its payloads parsed once and its errors found, and the code.

use std::cell::OnceCell;

use super::attribution::{self, Suspect};
use super::document::Document;
use super::failure::{self, Failure};
use super::functions::SourceCode;
use super::tree::{Tree, outward};
use crate::diagnosis::DiagnoseRequest;
use crate::guard::GuardViolation;
use crate::id::SpanId;
use crate::trace::{Span, SpanKind, TraceView};

/// The most that is read of one payload, in bytes.
pub(super) const MAX_PAYLOAD_BYTES: usize = 256 * 1024;
/// The most that is read of all payloads together, in bytes. Failed steps come first.
pub(super) const MAX_TOTAL_BYTES: usize = 16 * 1024 * 1024;

/// Everything that rules look at.
#[derive(Debug)]
pub(super) struct RuleInput<'a> {
    pub(super) trace: &'a TraceView<'a>,
    pub(super) violations: &'a [GuardViolation],
    pub(super) code: Option<SourceCode<'a>>,
    /// One entry per span, in canonical order.
    pub(super) facts: Vec<Facts<'a>>,
    /// The errors, in canonical order of their steps.
    pub(super) failures: Vec<Failure<'a>>,
    /// Steps of which only the beginning was read.
    pub(super) cut_spans: usize,
    /// How the steps nest.
    pub(super) tree: Tree,
    suspects: OnceCell<Vec<Suspect>>,
}

/// A span with its payloads.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) span: &'a Span,
    pub(super) input: Document<'a>,
    pub(super) output: Document<'a>,
}

impl<'a> RuleInput<'a> {
    /// Reads the request.
    pub(super) fn new(request: &DiagnoseRequest<'a>) -> Self {
        let (facts, cut_spans) = read(request.trace);
        let code = request.code.map(SourceCode::new);
        let failures = failure::collect(request.trace, &facts, code.as_ref());
        Self {
            trace: request.trace,
            violations: request.violations,
            code,
            facts,
            failures,
            cut_spans,
            tree: Tree::new(request.trace),
            suspects: OnceCell::new(),
        }
    }

    /// The facts about a span.
    pub(super) fn facts_of(&self, id: SpanId) -> Option<&Facts<'a>> {
        self.trace.position(id).and_then(|at| self.facts.get(at))
    }

    /// Messages of a team of agents that may have led to a wrong result, best first.
    pub(super) fn suspects(&self) -> &[Suspect] {
        self.suspects.get_or_init(|| attribution::suspects(self))
    }

    /// Failures with their numbers.
    pub(super) fn failures(&self) -> impl Iterator<Item = (usize, &Failure<'a>)> {
        self.failures.iter().enumerate()
    }

    /// The model calls.
    pub(super) fn model_calls(&self) -> impl DoubleEndedIterator<Item = &Facts<'a>> {
        self.facts.iter().filter(|facts| facts.span.kind == SpanKind::Llm)
    }

    /// The tool calls.
    pub(super) fn tool_calls(&self) -> impl DoubleEndedIterator<Item = &Facts<'a>> {
        self.facts.iter().filter(|facts| facts.span.kind == SpanKind::Tool)
    }

    /// The agent of a step, or of the nearest enclosing step that names one.
    pub(super) fn agent(&self, span: &Span) -> Option<String> {
        let named = |span: &Span| span.agent.name.clone().filter(|name| !name.is_empty());
        named(span).or_else(|| outward(self.trace, span).find_map(named))
    }

    /// Steps that had ended when `span` failed and so may have fed it: its own descendants and everything before,
    /// latest first.
    pub(super) fn before(&self, span: &Span) -> impl Iterator<Item = &Facts<'a>> {
        let end = span.end();
        let (id, start) = (span.span_id, span.start);
        let at = self.trace.position(id);
        self.facts
            .iter()
            .enumerate()
            .rev()
            .filter(move |(place, facts)| {
                let other = facts.span;
                let ended = other.end() <= end && other.start <= end;
                let first = other.start < start || other.end() <= start || other.parent_span_id == Some(id);
                let encloses = at.is_some_and(|at| self.tree.is_inside(at, *place));
                other.span_id != id && ended && first && !encloses
            })
            .map(|(_, facts)| facts)
    }

    /// Whether the run as a whole reports failure.
    pub(super) fn run_failed(&self) -> bool {
        self.trace.root().is_some_and(Span::is_failed)
    }
}

/// Parses payloads within the limits, failed steps first, so that a flood of text cannot hide the failure.
fn read<'a>(trace: &TraceView<'a>) -> (Vec<Facts<'a>>, usize) {
    let spans = trace.spans();
    let mut left = MAX_TOTAL_BYTES;
    let mut cut = 0;
    let mut facts: Vec<Option<Facts<'a>>> = spans.iter().map(|_| None).collect();
    for failed in [true, false] {
        for (slot, span) in facts.iter_mut().zip(spans).filter(|(_, span)| span.is_failed() == failed) {
            let before = left;
            let input = take("input", &span.input, &mut left);
            let output = take("output", &span.output, &mut left);
            let wanted = length(&span.input) + length(&span.output);
            cut += usize::from(before - left < wanted);
            *slot = Some(Facts { span, input, output });
        }
    }
    (facts.into_iter().flatten().collect(), cut)
}

type Recorded = crate::trace::Captured<crate::trace::Payload>;

fn take<'a>(field: &'static str, payload: &'a Recorded, left: &mut usize) -> Document<'a> {
    let document = Document::new(field, payload, MAX_PAYLOAD_BYTES.min(*left));
    *left -= document.raw().len().min(*left);
    document
}

fn length(payload: &Recorded) -> usize {
    payload.value().map_or(0, |text| text.as_str().len())
}
