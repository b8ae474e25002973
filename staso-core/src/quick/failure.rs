//! Where the run failed: each error once, at the innermost step that reports it.

use super::document::prefix;
use super::frames;
use super::functions::SourceCode;
use super::input::Facts;
use super::pattern::pattern;
use super::stack::{self, StackTrace, class_of};
use super::tree::outward;
use crate::diagnosis::{FrameRef, redact};
use crate::id::SpanId;
use crate::trace::{JsonPointer, Span, SpanKind, SpanStatus, TraceView};

/// One error of the run.
#[derive(Debug)]
pub(super) struct Failure<'a> {
    /// The innermost step that reports it.
    pub(super) span: &'a Span,
    /// Class of the exception as it left the step, without its module.
    pub(super) kind: Option<String>,
    /// Its message.
    pub(super) message: String,
    /// Class of the first exception in the chain that was raised in the repository; else `kind`.
    pub(super) root_kind: Option<String>,
    /// The message of that exception.
    pub(super) root_message: String,
    /// Where the texts stand that the two above come from, for citations.
    pub(super) message_pointer: JsonPointer,
    /// The stack traces, cause first.
    pub(super) stacks: Vec<StackTrace>,
    /// Where the stack traces stand.
    pub(super) stack_pointer: Option<JsonPointer>,
    /// Enclosing steps that failed with the same error, innermost first.
    pub(super) carriers: Vec<SpanId>,
    /// Whether it ended the run.
    pub(super) ended_run: bool,
    /// Whether the same step succeeded afterwards.
    pub(super) recovered: bool,
    /// Whether the step itself says that it succeeded.
    pub(super) soft: bool,
    /// HTTP status, when recorded.
    pub(super) http_status: Option<u16>,
    /// Lines of the repository, innermost first: from the stack, else read off the code.
    pub(super) frames: Vec<FrameRef>,
    /// Whether `frames` come from a recorded stack.
    pub(super) frames_recorded: bool,
}

impl Failure<'_> {
    /// Whether the class of one of its exceptions is this one.
    pub(super) fn is_kind(&self, names: &[&str]) -> bool {
        [&self.root_kind, &self.kind].into_iter().flatten().any(|kind| names.contains(&kind.as_str()))
    }

    /// Class and message in one line, as a person would say them.
    pub(super) fn title(&self) -> String {
        let message = redact(self.root_message.lines().next().unwrap_or_default().trim());
        match (&self.root_kind, message.as_str()) {
            (Some(kind), "") => format!("`{kind}`"),
            (Some(kind), message) => format!("`{kind}: {}`", clip(message, 120)),
            (None, "") => "an error without text".to_owned(),
            (None, message) => format!("`{}`", clip(message, 120)),
        }
    }
}

/// At most `limit` characters in one line that can stand between backticks; what is cut is marked.
pub(super) fn clip(text: &str, limit: usize) -> String {
    let plain = |c: char| {
        if c == '`' {
            '\''
        } else if c.is_control() {
            ' '
        } else {
            c
        }
    };
    let kept: String = text.chars().take(limit + 1).map(plain).collect();
    if kept.chars().count() <= limit {
        return kept;
    }
    let cut: String = kept.chars().take(limit.saturating_sub(1)).collect();
    format!("{cut}…")
}

/// The most errors that are looked at; of more, the first and the last half.
const MAX_FAILURES: usize = 256;

/// All errors in canonical order of their steps.
pub(super) fn collect<'a>(
    trace: &TraceView<'a>,
    facts: &[Facts<'a>],
    code: Option<&SourceCode<'_>>,
) -> Vec<Failure<'a>> {
    let mut origins: Vec<&Facts<'a>> = facts
        .iter()
        .filter(|facts| {
            if facts.span.is_failed() {
                !has_child_with_same_error(trace, facts.span)
            } else {
                may_hold_stack(facts.output.raw())
            }
        })
        .collect();
    if origins.len() > MAX_FAILURES {
        origins.drain(MAX_FAILURES / 2..origins.len() - MAX_FAILURES / 2);
    }
    let read = |facts: &Facts<'a>| {
        if facts.span.is_failed() { Some(hard(trace, facts, code)) } else { soft(trace, facts, code) }
    };
    origins.into_iter().filter_map(read).collect()
}

fn has_child_with_same_error(trace: &TraceView<'_>, span: &Span) -> bool {
    trace.children(span.span_id).any(|child| child.is_failed() && is_same_error(child, span))
}

/// Whether the enclosing step reports the error of the inner one: the same text, or a text that repeats it, or no
/// text at all.
fn is_same_error(inner: &Span, outer: &Span) -> bool {
    let (inner, outer) = (described(inner), described(outer));
    match (inner.1.as_str(), outer.1.as_str()) {
        (_, "") => outer.0.is_none() || outer.0 == inner.0,
        ("", _) => inner.0.is_some() && inner.0 == outer.0,
        (a, b) if a.len().min(b.len()) >= 8 => b.contains(a) || (inner.0 == outer.0 && a.contains(b)),
        (a, b) => a == b,
    }
}

/// Class and message of a span's error.
fn described(span: &Span) -> (Option<String>, String) {
    let Some(error) = &span.error else { return (None, String::new()) };
    let message = error.message.value().map(|text| prefix(text, 8_192)).unwrap_or_default();
    let kind = error.kind.as_deref().map(class_of).filter(|kind| !kind.is_empty());
    match split_class(message) {
        Some((class, rest)) if kind.is_none_or(|kind| kind == class) => {
            (Some(class.to_owned()), rest.to_owned())
        }
        _ => (kind.map(str::to_owned), message.trim().to_owned()),
    }
}

/// `KeyError: 'x'` → the class and the rest.
fn split_class(message: &str) -> Option<(&str, &str)> {
    let (head, rest) = message.trim().split_once(':')?;
    let class = class_of(head);
    let known = ["Error", "Exception", "Timeout", "Exit", "Interrupt", "Warning"];
    let named = known.iter().any(|ending| class.ends_with(ending));
    (named && head.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.')))
        .then(|| (class, rest.trim()))
}

fn hard<'a>(trace: &TraceView<'a>, facts: &Facts<'a>, code: Option<&SourceCode<'_>>) -> Failure<'a> {
    let span = facts.span;
    let (kind, message) = described(span);
    let (stacks, stack_pointer) = recorded_stacks(facts);
    let carriers: Vec<SpanId> = outward(trace, span)
        .take_while(|outer| outer.is_failed() && is_same_error(span, outer))
        .map(|outer| outer.span_id)
        .collect();
    let root = trace.root().map(|root| root.span_id);
    let ended_run = root.is_some_and(|root| root == span.span_id || carriers.contains(&root));
    let mut failure = Failure {
        span,
        root_kind: kind.clone(),
        root_message: message.clone(),
        kind,
        message,
        message_pointer: JsonPointer::from("/error_message"),
        stacks,
        stack_pointer,
        carriers,
        ended_run,
        recovered: !ended_run && succeeds_later(trace, span),
        soft: false,
        http_status: http_status(span),
        frames: Vec::new(),
        frames_recorded: false,
    };
    if failure.message.is_empty()
        && let Some(kind) = &failure.kind
        && span
            .error
            .as_ref()
            .is_some_and(|error| error.kind.as_deref().is_some_and(|text| text.contains(kind)))
    {
        failure.message_pointer = JsonPointer::from("/error_type");
    }
    settle_stack(&mut failure, trace, code);
    failure
}

/// A step that reports success but whose result holds a stack trace.
fn soft<'a>(trace: &TraceView<'a>, facts: &Facts<'a>, code: Option<&SourceCode<'_>>) -> Option<Failure<'a>> {
    let span = facts.span;
    let (stacks, pointer) = output_stacks(facts)?;
    let last = stacks.last()?;
    let mut failure = Failure {
        span,
        kind: last.class().map(str::to_owned),
        message: last.message.clone().unwrap_or_default(),
        root_kind: last.class().map(str::to_owned),
        root_message: last.message.clone().unwrap_or_default(),
        message_pointer: pointer.clone(),
        stacks,
        stack_pointer: Some(pointer),
        carriers: Vec::new(),
        ended_run: false,
        recovered: succeeds_later(trace, span),
        soft: true,
        http_status: None,
        frames: Vec::new(),
        frames_recorded: false,
    };
    settle_stack(&mut failure, trace, code);
    Some(failure)
}

/// Looks in the fields that hold a stack, first the one that is meant for it.
fn recorded_stacks(facts: &Facts<'_>) -> (Vec<StackTrace>, Option<JsonPointer>) {
    let error = facts.span.error.as_ref();
    let fields = [
        ("/error_stack", error.and_then(|error| error.stack.value())),
        ("/error_message", error.and_then(|error| error.message.value())),
    ];
    for (pointer, text) in fields {
        let found = text.map(|text| stack::parse(prefix(text, 65_536))).unwrap_or_default();
        if !found.is_empty() {
            return (found, Some(JsonPointer::from(pointer)));
        }
    }
    for key in ["exception.stacktrace", "exception.stack", "stacktrace", "traceback"] {
        let found = facts.span.attribute(key).map(stack::parse).unwrap_or_default();
        if !found.is_empty() {
            return (found, Some(JsonPointer::from_parts(["attributes", key])));
        }
    }
    if facts.span.kind != SpanKind::Tool {
        // What an agent says may quote any error; only tools print their own.
        return (Vec::new(), None);
    }
    output_stacks(facts).map_or((Vec::new(), None), |(stacks, pointer)| (stacks, Some(pointer)))
}

/// Most outputs hold none; this cheap test keeps long traces fast.
fn may_hold_stack(raw: &str) -> bool {
    ["Traceback (most recent", "    at ", "\\tat ", "panicked at", "goroutine "]
        .iter()
        .any(|mark| raw.contains(mark))
}

fn output_stacks(facts: &Facts<'_>) -> Option<(Vec<StackTrace>, JsonPointer)> {
    if !may_hold_stack(facts.output.raw()) {
        return None;
    }
    let mut found = None;
    facts.output.texts(|path, text| {
        let stacks = stack::parse(text);
        if stacks.iter().any(|stack| stack.exception.is_some()) {
            found = Some((stacks, facts.output.pointer_to(path)));
            return std::ops::ControlFlow::Break(());
        }
        std::ops::ControlFlow::Continue(())
    });
    found
}

/// Settles the frames and, for chained exceptions, which of them was raised in the repository first.
fn settle_stack(failure: &mut Failure<'_>, trace: &TraceView<'_>, code: Option<&SourceCode<'_>>) {
    let resolved = failure.stacks.iter().find_map(|stack| {
        let frames = frames::resolve(stack, code?.snapshot);
        (!frames.is_empty()).then_some((stack, frames))
    });
    if let Some((stack, frames)) = resolved {
        if let Some(class) = stack.class() {
            let chained = failure.stacks.len() > 1 && failure.kind.as_deref() != Some(class);
            if chained || failure.root_kind.is_none() {
                failure.root_kind = Some(class.to_owned());
                failure.root_message = stack.message.clone().unwrap_or_default();
                failure.message_pointer =
                    failure.stack_pointer.clone().unwrap_or_else(|| failure.message_pointer.clone());
            }
        }
        failure.frames = frames;
        failure.frames_recorded = true;
    }
    if failure.kind.is_none()
        && let Some(class) = failure.stacks.last().and_then(StackTrace::class)
    {
        failure.kind = Some(class.to_owned());
        failure.root_kind.get_or_insert_with(|| class.to_owned());
    }
    if failure.frames.is_empty()
        && let Some(code) = code
    {
        failure.frames = frames::from_code(failure, trace, code);
    }
}

/// Whether a later sibling of the same name and kind succeeded.
fn succeeds_later(trace: &TraceView<'_>, span: &Span) -> bool {
    let Some(parent) = span.parent_span_id else { return false };
    trace.children(parent).any(|other| {
        other.start > span.start
            && other.name == span.name
            && other.kind == span.kind
            && other.status == SpanStatus::Ok
    })
}

pattern!(STATUS_IN_TEXT = r"(?i)(?:error code|status(?: code)?|http(?:/\d(?:\.\d)?)?)[ :=]+(\d{3})\b");

fn http_status(span: &Span) -> Option<u16> {
    const KEYS: [&str; 5] =
        ["http.response.status_code", "http.status_code", "status_code", "error.status_code", "error.code"];
    let from_attributes = KEYS.iter().find_map(|key| {
        let value = span.attributes.get(*key)?;
        value.as_u64().and_then(|code| u16::try_from(code).ok()).or_else(|| value.as_str()?.parse().ok())
    });
    from_attributes
        .or_else(|| span.error.as_ref()?.kind.as_deref()?.parse().ok())
        .or_else(|| STATUS_IN_TEXT.first(prefix(span.error.as_ref()?.message.value()?, 2_000))?.parse().ok())
        .filter(|code| (100..600).contains(code))
}
