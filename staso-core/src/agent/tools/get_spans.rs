//! [`GetSpans`]: reads steps of the failed run.

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::agent::{Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::id::SpanId;
use crate::redaction::Redactor;
use crate::run::RunContext;
use crate::trace::{Span, SpanKind, SpanStatus, TextLimits, TraceText, TraceView};

/// Steps in one answer.
const MAX_SPANS: usize = 20;
/// Length of one answer, in bytes, about: the loop cuts longer ones in the middle.
const MAX_ANSWER_BYTES: usize = 14 * 1024;

/// Shows steps of the trace with everything that was recorded of them, and the ids that receipts cite.
#[derive(Debug)]
pub struct GetSpans<'a> {
    spec: ToolSpec,
    trace: &'a TraceView<'a>,
    redactor: &'a Redactor,
}

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The ids of the spans to show, at most 20. Left out: all that fit the other arguments.
    #[serde(default)]
    #[schemars(length(max = 20))]
    ids: Option<Vec<String>>,
    /// Only spans of this kind.
    #[serde(default)]
    #[schemars(schema_with = "kinds")]
    kind: Option<SpanKind>,
    /// Only spans with this status.
    #[serde(default)]
    #[schemars(schema_with = "statuses")]
    status: Option<SpanStatus>,
}

// The schemas of the types explain each value, in a form that not every provider takes.
fn kinds(_: &mut SchemaGenerator) -> Schema {
    let names = ["llm", "tool", "chain", "retriever", "agent", "embedding", "guard", "custom"];
    json_schema!({ "anyOf": [{ "type": "string", "enum": names }, { "type": "null" }] })
}

fn statuses(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "string", "enum": ["ok", "error", "timeout"] }, { "type": "null" }] })
}

impl<'a> GetSpans<'a> {
    /// The tool's name.
    pub const NAME: &'static str = "get_spans";

    /// Over this trace.
    #[must_use]
    pub fn new(trace: &'a TraceView<'a>, redactor: &'a Redactor) -> Self {
        let spec = ToolSpec::of::<Arguments>(
            Self::NAME,
            "Shows steps (spans) of the failed run: names, inputs, outputs, errors and attributes, at most 20 at a time. \
             Cite them in receipts by the span ids shown. Ask for fewer spans to see more of each.",
        );
        Self { spec, trace, redactor }
    }

    /// The spans asked for, and the ids that name none.
    fn select(&self, arguments: &Arguments) -> (Vec<&'a Span>, Vec<String>) {
        let fits = |span: &&Span| {
            arguments.kind.is_none_or(|kind| span.kind == kind)
                && arguments.status.is_none_or(|status| span.status == status)
        };
        let Some(ids) = &arguments.ids else {
            return (self.trace.spans().iter().filter(fits).collect(), Vec::new());
        };
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for id in ids {
            match id.parse::<SpanId>().ok().and_then(|id| self.trace.span(id)) {
                Some(span) => found.push(span),
                None => unknown.push(id.chars().take(64).collect()),
            }
        }
        found.retain(fits);
        (found, unknown)
    }
}

#[async_trait]
impl Tool for GetSpans<'_> {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(
        &self,
        arguments: Value,
        _scope: &ToolScope<'_>,
        _ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        let arguments: Arguments = self.spec.arguments(arguments)?;
        let asked = arguments.ids.as_ref().map_or(0, Vec::len);
        if asked > MAX_SPANS {
            let message = format!("{asked} spans are more than the {MAX_SPANS} that one call shows");
            return Err(ToolProblem::new(ToolProblemCode::TooLarge, message)
                .with_hint("ask for the ones that matter first")
                .into());
        }
        let (found, unknown) = self.select(&arguments);
        if found.is_empty() {
            let message = if unknown.is_empty() {
                "no span of this trace fits".to_owned()
            } else {
                format!("not in this trace: {}", unknown.join(", "))
            };
            let hint = "the index of the trace lists the ids of all spans";
            return Err(ToolProblem::new(ToolProblemCode::NoMatch, message).with_hint(hint).into());
        }
        let shown = found.iter().take(MAX_SPANS);
        let limits = limits_for(shown.len());
        let text = TraceText::new(self.trace, self.redactor);
        let mut answer: String =
            shown.filter_map(|span| text.span(span.span_id, limits)).collect::<Vec<_>>().join("\n");
        if found.len() > MAX_SPANS {
            answer.push_str(&format!("\n… {} more fit; ask for them by id\n", found.len() - MAX_SPANS));
        }
        if !unknown.is_empty() {
            answer.push_str(&format!("\nnot in this trace: {}\n", unknown.join(", ")));
        }
        Ok(ToolReply::Text(answer))
    }
}

/// Shares the answer among the spans.
fn limits_for(spans: usize) -> TextLimits {
    let default = TextLimits::default();
    let share = MAX_ANSWER_BYTES / spans.max(1);
    TextLimits::new(
        default.payload_bytes.min(share / 3).max(200),
        default.attribute_bytes.min(share / 6).max(100),
    )
}
