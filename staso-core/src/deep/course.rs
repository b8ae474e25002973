//! The way of a failure through the trace, from the step that is blamed to the end of the run.

use crate::diagnosis::{ChainStep, DetectionTiming, Propagation, Summary};
use crate::id::SpanId;
use crate::redaction::Redactor;
use crate::trace::{Captured, Span, TraceView, legible, one_line};

const MAX_CHAIN: usize = 5;

/// What a failure did after its origin.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) chain: Vec<ChainStep>,
    pub(super) propagation: Propagation,
    pub(super) timing: DetectionTiming,
}

/// Follows the failure from `origin`, where `cause` went wrong.
pub(super) fn follow(trace: &TraceView<'_>, origin: SpanId, cause: &str, redactor: &Redactor) -> Course {
    let root = trace.root().filter(|root| root.is_failed());
    let noticed = noticed(trace, origin);
    let mut steps = vec![step(origin, cause, true)];
    let mut add = |span: &Span, what: String| {
        if steps.iter().all(|known| known.span_id != span.span_id) {
            steps.push(step(span.span_id, &what, false));
        }
    };
    if let Some(first) = noticed {
        add(first, format!("{} failed with {}", name(first, redactor), error(first, redactor)));
        for carrier in trace.ancestors(first).into_iter().filter(|span| span.is_failed()) {
            if root.is_none_or(|root| root.span_id != carrier.span_id) {
                add(carrier, format!("{} passed the error on", name(carrier, redactor)));
            }
        }
    }
    if let Some(root) = root {
        steps.truncate(MAX_CHAIN - 1);
        if steps.iter().all(|known| known.span_id != root.span_id) {
            steps.push(step(root.span_id, "The run ended as failed", false));
        }
    }
    steps.truncate(MAX_CHAIN);
    let is_root = |span: &Span| trace.root().is_some_and(|root| root.span_id == span.span_id);
    let timing = match noticed {
        Some(span) if span.span_id == origin => DetectionTiming::Immediately,
        Some(span) if is_root(span) => DetectionTiming::OnlyAtTaskEnd,
        Some(_) => DetectionTiming::SeveralStepsLater,
        None if root.is_some() => DetectionTiming::OnlyAtTaskEnd,
        None => DetectionTiming::SilentUndetected,
    };
    let propagation = match (root, noticed) {
        (None, _) => Propagation::QualityDegradation,
        (Some(_), Some(span)) if !is_root(span) || span.span_id == origin => Propagation::TaskTermination,
        (Some(_), _) => Propagation::IncorrectPath,
    };
    Course { chain: steps, propagation, timing }
}

/// The first step, from the origin on, that reports an error no step inside it reports.
fn noticed<'t>(trace: &TraceView<'t>, origin: SpanId) -> Option<&'t Span> {
    let blamed = trace.span(origin)?;
    let innermost = |span: &&Span| span.is_failed() && !trace.children(span.span_id).any(Span::is_failed);
    if innermost(&blamed) {
        return Some(blamed);
    }
    trace.spans().iter().filter(innermost).find(|span| span.end() >= blamed.start)
}

fn name(span: &Span, redactor: &Redactor) -> String {
    format!("`{}`", one_line(&legible(&span.name, redactor), 60).replace('`', "'"))
}

fn error(span: &Span, redactor: &Redactor) -> String {
    let Some(error) = &span.error else { return "an error without text".to_owned() };
    let message = match &error.message {
        Captured::Present(text) | Captured::Truncated(text) => text.lines().next().unwrap_or_default(),
        Captured::Suppressed | Captured::Absent => "",
    };
    let parts: Vec<&str> = [error.kind.as_deref().unwrap_or_default(), message]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect();
    match parts.join(": ").as_str() {
        "" => "an error without text".to_owned(),
        title => format!("`{}`", one_line(&legible(title, redactor), 120).replace('`', "'")),
    }
}

fn step(span_id: SpanId, what: &str, origin: bool) -> ChainStep {
    ChainStep { span_id, what: Summary::new(what).into(), origin }
}
