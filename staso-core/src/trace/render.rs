//! A trace as text, for models and for files that models read.
//!
//! Deterministic and bounded. What a reader cannot see is taken away, and so are credentials. What was not recorded is
//! said in words, and the three reasons for it stay apart.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Captured, JsonPointer, Payload, Span, SpanKind, SpanStatus, TraceView};
use crate::agent::Intake;
use crate::id::SpanId;
use crate::redaction::Redactor;
use crate::redaction::visible;

/// Deeper steps are not indented further.
const MAX_INDENT: usize = 20;
/// Attributes shown of one step.
const MAX_ATTRIBUTES: usize = 40;

/// How much of a field is shown; more is cut out of its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextLimits {
    /// Input, output, tool definitions and stack traces, in bytes each. Default 4 KiB.
    pub payload_bytes: usize,
    /// Attributes and messages, in bytes each. Default 2 KiB.
    pub attribute_bytes: usize,
}

impl Default for TextLimits {
    fn default() -> Self {
        Self { payload_bytes: 4 * 1024, attribute_bytes: 2 * 1024 }
    }
}

impl TextLimits {
    /// Both bounds, in bytes.
    #[must_use]
    pub const fn new(payload_bytes: usize, attribute_bytes: usize) -> Self {
        Self { payload_bytes, attribute_bytes }
    }
}

/// Lays the steps of a trace out as text.
#[derive(Debug, Clone, Copy)]
pub struct TraceText<'a> {
    trace: &'a TraceView<'a>,
    redactor: &'a Redactor,
}

impl<'a> TraceText<'a> {
    /// Text of this trace, without what the redactor finds.
    #[must_use]
    pub const fn new(trace: &'a TraceView<'a>, redactor: &'a Redactor) -> Self {
        Self { trace, redactor }
    }

    /// One step with everything that was recorded of it; `None` when the trace has no such step.
    #[must_use]
    pub fn span(&self, id: SpanId, limits: TextLimits) -> Option<String> {
        let span = self.trace.span(id)?;
        let mut text = format!("span {id}\n");
        for (name, value) in self.facts(span) {
            let _ = writeln!(text, "{name}: {}", one_line(&value, limits.attribute_bytes));
        }
        for (name, value) in payloads(span) {
            let limit = if name == "error_message" { limits.attribute_bytes } else { limits.payload_bytes };
            self.field(&mut text, name, &value, limit);
        }
        let mut attributes = span.attributes.iter();
        for (key, value) in attributes.by_ref().take(MAX_ATTRIBUTES) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let name = format!("attributes/{}", one_line(&legible(key, self.redactor), 200));
            self.field(&mut text, &name, &Captured::Present(&value), limits.attribute_bytes);
        }
        let more = attributes.count();
        if more > 0 {
            let _ = writeln!(text, "… {more} more attributes");
        }
        Some(text)
    }

    /// One step as JSON, for a file with a line for each step.
    #[must_use]
    pub fn json(&self, span: &Span, limits: TextLimits) -> Value {
        let mut object = serde_json::Map::new();
        object.insert("span_id".to_owned(), json!(span.span_id));
        object.insert("parent_span_id".to_owned(), json!(span.parent_span_id));
        for (name, value) in self.facts(span) {
            object.insert(name.to_owned(), Value::String(one_line(&value, limits.attribute_bytes)));
        }
        for (name, value) in payloads(span) {
            let shown = match value {
                Captured::Present(text) => self.cut(text, limits.payload_bytes).into(),
                Captured::Truncated(text) => json!({
                    "cut_by_the_recorder": true,
                    "beginning": self.cut(text, limits.payload_bytes)
                }),
                Captured::Suppressed => json!({ "not_recorded": SUPPRESSED }),
                Captured::Absent => json!({ "not_recorded": ABSENT }),
            };
            object.insert(name.to_owned(), shown);
        }
        let attributes = span.attributes.iter().take(MAX_ATTRIBUTES).map(|(key, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let key = one_line(&legible(key, self.redactor), 200);
            (key, Value::String(self.cut(&value, limits.attribute_bytes)))
        });
        object.insert("attributes".to_owned(), Value::Object(attributes.collect()));
        Value::Object(object)
    }

    /// The tree of steps, one line each: id, kind, status, agent, name and error. Of more than `max_lines` steps those
    /// that failed and what encloses them come first, then the earliest.
    #[must_use]
    pub fn index(&self, max_lines: usize) -> String {
        let chosen = self.chosen(max_lines);
        let mut text = String::new();
        for (span, depth) in self.walk().into_iter().filter(|(span, _)| chosen.contains(&span.span_id)) {
            let _ = writeln!(text, "{}- {}", "  ".repeat(depth.min(MAX_INDENT)), self.headline(span));
        }
        let left_out = self.trace.spans().len().saturating_sub(chosen.len());
        if left_out > 0 {
            let _ = writeln!(text, "… {left_out} more steps are not listed here");
        }
        text
    }

    /// A step in one line.
    #[must_use]
    pub fn headline(&self, span: &Span) -> String {
        let name = one_line(&legible(&span.name, self.redactor), 80);
        let mut line = format!("{} {} {} `{name}`", span.span_id, kind(span.kind), status(span.status));
        if let Some(agent) = &span.agent.name {
            let _ = write!(line, " agent `{}`", one_line(&legible(agent, self.redactor), 40));
        }
        if let Some(error) = &span.error {
            let class = error.kind.as_deref().unwrap_or("error");
            let message = match &error.message {
                Captured::Present(text) | Captured::Truncated(text) => text.as_str(),
                Captured::Suppressed => "message not recorded: switched off",
                Captured::Absent => "",
            };
            let title = legible(&format!("{class}: {message}"), self.redactor);
            let _ = write!(line, " — {}", one_line(&title, 160));
        }
        line
    }

    fn chosen(&self, max: usize) -> BTreeSet<SpanId> {
        let spans = self.trace.spans();
        let mut chosen = BTreeSet::new();
        let failed = spans.iter().filter(|span| span.is_failed());
        let named = failed.flat_map(|span| std::iter::once(span).chain(self.trace.ancestors(span)));
        for span in named.chain(spans) {
            if chosen.len() == max {
                break;
            }
            chosen.insert(span.span_id);
        }
        chosen
    }

    /// All steps with their depth, parents before children. Steps whose parents form a cycle come last.
    fn walk(&self) -> Vec<(&'a Span, usize)> {
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        let roots = self.trace.spans().iter().filter(|span| self.trace.parent(span).is_none());
        let mut open: Vec<(&Span, usize)> = roots.map(|span| (span, 0)).collect();
        open.reverse();
        while let Some((span, depth)) = open.pop() {
            if !seen.insert(span.span_id) {
                continue;
            }
            found.push((span, depth));
            let mut inside: Vec<_> =
                self.trace.children(span.span_id).map(|child| (child, depth + 1)).collect();
            inside.reverse();
            open.append(&mut inside);
        }
        found.extend(
            self.trace.spans().iter().filter(|span| !seen.contains(&span.span_id)).map(|span| (span, 0)),
        );
        found
    }

    /// What is short and always there, cleaned.
    fn facts(&self, span: &Span) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("name", span.name.clone()),
            ("kind", kind(span.kind).to_owned()),
            ("status", status(span.status).to_owned()),
            ("start", span.start.to_string()),
            ("duration", duration(span)),
        ];
        let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
        add("parent", span.parent_span_id.map(|id| id.to_string()));
        add("agent", span.agent.name.clone());
        add("tool", span.tool.as_ref().and_then(|tool| tool.name.clone()));
        add("code", span.code.as_ref().map(place));
        if let Some(model) = &span.model {
            add("provider", model.provider.clone());
            add("requested_model", model.requested.clone());
            add("model", model.answered.clone());
            add("tokens", model.usage.map(|u| format!("{} in, {} out", u.input_tokens, u.output_tokens)));
            add(
                "finish_reasons",
                (!model.finish_reasons.is_empty()).then(|| model.finish_reasons.join(", ")),
            );
            add("max_output_tokens", model.max_output_tokens.map(|limit| limit.to_string()));
        }
        add("error_type", span.error.as_ref().and_then(|error| error.kind.clone()));
        facts.into_iter().map(|(name, value)| (name, legible(&value, self.redactor))).collect()
    }

    fn field(&self, text: &mut String, name: &str, value: &Captured<&str>, limit: usize) {
        let (note, shown) = match value {
            Captured::Present(value) => ("", self.cut(value, limit)),
            Captured::Truncated(value) => {
                (" (cut by the recorder; this is its beginning)", self.cut(value, limit))
            }
            Captured::Suppressed => ("", SUPPRESSED.to_owned()),
            Captured::Absent => ("", ABSENT.to_owned()),
        };
        if shown.contains('\n') {
            let _ = writeln!(text, "{name}{note}:");
            for line in shown.lines() {
                let _ = writeln!(text, "  {line}");
            }
        } else {
            let _ = writeln!(text, "{name}{note}: {shown}");
        }
    }

    fn cut(&self, text: &str, limit: usize) -> String {
        Intake(self.redactor).cut(text, limit)
    }
}

const SUPPRESSED: &str = "not recorded: switched off by the capture policy of the application";
const ABSENT: &str = "not recorded: the application never sent it";

/// The long fields, in the order in which they explain a failure.
fn payloads(span: &Span) -> Vec<(&'static str, Captured<&str>)> {
    fn borrowed(payload: &Captured<Payload>) -> Captured<&str> {
        match payload {
            Captured::Present(payload) => Captured::Present(payload.as_str()),
            Captured::Truncated(payload) => Captured::Truncated(payload.as_str()),
            Captured::Suppressed => Captured::Suppressed,
            Captured::Absent => Captured::Absent,
        }
    }
    fn text(text: &Captured<String>) -> Captured<&str> {
        match text {
            Captured::Present(text) => Captured::Present(text),
            Captured::Truncated(text) => Captured::Truncated(text),
            Captured::Suppressed => Captured::Suppressed,
            Captured::Absent => Captured::Absent,
        }
    }
    let mut found = Vec::new();
    if let Some(error) = &span.error {
        found.push(("error_message", text(&error.message)));
        found.push(("error_stack", text(&error.stack)));
    }
    found.push(("input", borrowed(&span.input)));
    found.push(("output", borrowed(&span.output)));
    if let Some(model) = &span.model {
        found.push(("tool_definitions", borrowed(&model.tool_definitions)));
    }
    found
}

impl TraceView<'_> {
    /// The fields of a step that a receipt may cite and that hold something, those first that explain most. Each is read by
    /// [`text_at`](Self::text_at).
    #[must_use]
    pub fn citable(&self, id: SpanId) -> Vec<JsonPointer> {
        const FIELDS: [&str; 14] = [
            "error_message",
            "error_stack",
            "error_type",
            "output",
            "input",
            "tool_definitions",
            "code",
            "finish_reasons",
            "requested_model",
            "model",
            "provider",
            "max_output_tokens",
            "name",
            "status",
        ];
        let Some(span) = self.span(id) else { return Vec::new() };
        let fields = FIELDS.iter().map(|name| JsonPointer::from_parts([name]));
        let attributes = span.attributes.keys().map(|key| JsonPointer::from_parts(["attributes", key]));
        fields.chain(attributes).filter(|pointer| self.text_at(id, pointer).is_some()).collect()
    }
}

/// The text as a reader sees it: without hidden and control characters, and without credentials.
pub(crate) fn legible(text: &str, redactor: &Redactor) -> String {
    redactor.clean(&visible(text))
}

/// At most about `max_bytes` of the text: its head and its tail, with the number of characters left out between them.
#[cfg(feature = "agent-tools")]
pub(crate) fn cut_middle(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let head = text.get(..text.floor_char_boundary(max_bytes.div_ceil(2))).unwrap_or_default();
    let tail = text.get(text.ceil_char_boundary(text.len() - max_bytes / 2)..).unwrap_or_default();
    let between = text.get(head.len()..text.len() - tail.len()).unwrap_or_default();
    format!("{head}\n… {} characters left out …\n{tail}", between.chars().count())
}

/// The text with its line breaks as blanks, cut at its end.
pub(crate) fn one_line(text: &str, max_bytes: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() <= max_bytes {
        return line;
    }
    format!("{}…", line.get(..line.floor_char_boundary(max_bytes)).unwrap_or_default())
}

const fn kind(kind: SpanKind) -> &'static str {
    match kind {
        SpanKind::Llm => "llm",
        SpanKind::Tool => "tool",
        SpanKind::Chain => "chain",
        SpanKind::Retriever => "retriever",
        SpanKind::Agent => "agent",
        SpanKind::Embedding => "embedding",
        SpanKind::Guard => "guard",
        SpanKind::Custom => "custom",
    }
}

const fn status(status: SpanStatus) -> &'static str {
    match status {
        SpanStatus::Ok => "ok",
        SpanStatus::Error => "error",
        SpanStatus::Timeout => "timeout",
    }
}

fn duration(span: &Span) -> String {
    span.duration_ns.map_or_else(
        || "it never ended".to_owned(),
        |nanos| format!("{}.{:03} ms", nanos / 1_000_000, nanos / 1_000 % 1_000),
    )
}

fn place(place: &super::CodePlace) -> String {
    let mut text = place.path.clone();
    if let Some(line) = place.line {
        let _ = write!(text, ":{line}");
    }
    if let Some(function) = &place.function {
        let _ = write!(text, " in {function}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TraceId;
    use crate::trace::{SourceRevision, Timestamp, Trace, TraceLimits};
    use proptest::prelude::*;

    fn span(id: u64, parent: u64) -> Span {
        let mut span =
            Span::new(SpanId::from_u64(id), format!("s{id}"), SpanKind::Custom, Timestamp::from_nanos(1));
        span.parent_span_id = (parent > 0).then(|| SpanId::from_u64(parent));
        span
    }

    fn trace(spans: Vec<Span>) -> Trace {
        let id = TraceId::from_bytes([1; 16]);
        Trace::new(id, SourceRevision::default(), spans, TraceLimits::default()).unwrap()
    }

    fn names(index: &str) -> Vec<&str> {
        index.lines().filter_map(|line| line.split('`').nth(1)).collect()
    }

    #[test]
    fn the_index_lists_every_step_once_also_in_cycles_and_deep_chains() {
        let redactor = Redactor::default();
        let cyclic = trace(vec![span(1, 0), span(2, 1), span(3, 4), span(4, 3), span(5, 99)]);
        let view = TraceView::new(&cyclic);
        let index = TraceText::new(&view, &redactor).index(100);
        let mut found = names(&index);
        found.sort_unstable();
        assert_eq!(found, ["s1", "s2", "s3", "s4", "s5"]);
        let deep = trace((1..=5_000).map(|id| span(id, id - 1)).collect());
        let view = TraceView::new(&deep);
        let index = TraceText::new(&view, &redactor).index(5_000);
        assert_eq!(names(&index).len(), 5_000);
        assert!(index.lines().all(|line| line.len() < 200), "indentation is bounded");
    }

    #[test]
    fn of_many_steps_the_failed_ones_and_what_encloses_them_are_listed_first() {
        let mut spans: Vec<Span> = (1..=50).map(|id| span(id, u64::from(id > 1))).collect();
        spans[44].parent_span_id = Some(SpanId::from_u64(40));
        spans[44].status = SpanStatus::Timeout;
        let trace = trace(spans);
        let view = TraceView::new(&trace);
        let redactor = Redactor::default();
        let index = TraceText::new(&view, &redactor).index(5);
        assert_eq!(names(&index), ["s1", "s2", "s3", "s40", "s45"]);
        assert!(index.ends_with("… 45 more steps are not listed here\n"), "{index}");
    }

    proptest! {
        /// Whatever a trace holds: a line of the file is one line of JSON, nothing hidden is left, and nothing grows.
        #[test]
        fn any_text_comes_out_visible_and_bounded(text in "\\PC{0,40}|[\\x00-\\x1f\u{200b}\u{202e}\u{e0041}a\"\\\\]{0,2000}") {
            let mut made = span(1, 0);
            made.name.clone_from(&text);
            made.agent.name = Some(text.clone());
            made.input = Captured::Present(Payload::new(text.clone()));
            made.attributes.insert(text.clone(), json!(text));
            let trace = trace(vec![made]);
            let view = TraceView::new(&trace);
            let redactor = Redactor::default();
            let shown = TraceText::new(&view, &redactor);
            let limits = TextLimits::new(200, 100);
            let id = SpanId::from_u64(1);
            let line = shown.json(trace.spans().first().unwrap(), limits).to_string();
            let whole = shown.span(id, limits).unwrap();
            prop_assert!(!line.contains('\n'));
            prop_assert!(line.len() < 6_000 && whole.len() < 6_000);
            prop_assert_eq!(shown.index(10).lines().count(), 1);
            for out in [line, whole] {
                let hidden = ['\u{200b}', '\u{202e}', '\u{e0041}', '\u{1b}', '\u{0}'];
                prop_assert!(!out.contains(hidden), "something hidden is left");
            }
        }
    }
}
