//! A span while it is put together: what the wire format said outright, completed from the attributes.

use std::collections::BTreeMap;

use serde_json::Value;
use staso_core::id::{ConversationId, SpanId};
use staso_core::trace::{
    AgentInfo, Captured, CodePlace, ModelInfo, Payload, Span, SpanError, SpanKind, SpanStatus, Timestamp,
    ToolInfo, Usage,
};

use super::IngestLimits;
use super::attributes::{Attributes, cut_text, into_text};
use super::fields;
use super::marks::{self, Marks};
use super::surrogate::mended_text;
use crate::peek::{peek_input, peek_output};
use crate::span_kind::kind_of;

/// What a sender may switch off.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Suppressed {
    pub(super) request: bool,
    pub(super) tool_schema: bool,
    pub(super) tool_arguments: bool,
    pub(super) output: bool,
    pub(super) any: bool,
}

/// The facts of one span, as far as its wire format has a field for them.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) span_id: SpanId,
    pub(super) parent_span_id: Option<SpanId>,
    pub(super) name: String,
    pub(super) kind: Option<SpanKind>,
    pub(super) start: Timestamp,
    pub(super) duration_ns: Option<u64>,
    pub(super) status: SpanStatus,
    pub(super) agent: AgentInfo,
    pub(super) session_id: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) requested_model: Option<String>,
    pub(super) answered_model: Option<String>,
    pub(super) usage: Option<Usage>,
    /// Whether the sender said that it does not know the usage.
    pub(super) usage_unknown: bool,
    pub(super) input: Option<String>,
    pub(super) output: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) suppressed: Suppressed,
    pub(super) attributes: BTreeMap<String, Value>,
}

impl Draft {
    pub(super) fn new(span_id: SpanId, name: String, start: Timestamp) -> Self {
        Self {
            span_id,
            parent_span_id: None,
            name,
            kind: None,
            start,
            duration_ns: None,
            status: SpanStatus::Ok,
            agent: AgentInfo::default(),
            session_id: None,
            provider: None,
            requested_model: None,
            answered_model: None,
            usage: None,
            usage_unknown: false,
            input: None,
            output: None,
            error_message: None,
            suppressed: Suppressed::default(),
            attributes: BTreeMap::new(),
        }
    }

    /// The canonical span, and the conversation it names.
    pub(super) fn finish(mut self, limits: &IngestLimits) -> (Span, Option<ConversationId>) {
        let mut attributes = Attributes(std::mem::take(&mut self.attributes));
        let kind = self.take_kind(&mut attributes);
        let marks = Marks::take(&mut attributes);
        let is_tool = matches!(kind, SpanKind::Tool | SpanKind::Guard);
        let (inputs, outputs) = if is_tool {
            (fields::TOOL_INPUT, fields::TOOL_OUTPUT)
        } else {
            (fields::MODEL_INPUT, fields::MODEL_OUTPUT)
        };
        let input = self.input.take().or_else(|| take_messages(&mut attributes, inputs));
        let output = self.output.take().or_else(|| attributes.take_text(outputs));
        let (input, output) = (input.map(mended_text), output.map(mended_text));
        let model =
            self.take_model(kind, input.as_deref(), output.as_deref(), &mut attributes, &marks, limits);
        let tool = take_tool(kind, &self.name, &mut attributes);
        let error = self.take_error(&mut attributes, &marks, limits);
        let input_off = if is_tool { self.suppressed.tool_arguments } else { self.suppressed.request };
        let conversation = self.take_conversation(&mut attributes);
        if self.name.is_empty() {
            self.name = attributes.take_text(fields::NAME).unwrap_or_default();
        }
        let mut span = Span::new(self.span_id, self.name, kind, self.start);
        span.parent_span_id = self.parent_span_id.filter(|parent| *parent != self.span_id);
        span.duration_ns = self.duration_ns;
        span.status = self.status;
        span.agent = take_agent(kind, self.agent, &mut attributes);
        span.model = model;
        span.tool = tool;
        span.input = captured(input, input_off, marks.is_cut(marks::INPUT), limits).map(Payload::new);
        let output_cut = marks.is_cut(marks::OUTPUT);
        span.output = captured(output, self.suppressed.output, output_cut, limits).map(Payload::new);
        span.error = error;
        span.code = take_code(&mut attributes);
        span.attributes = attributes.finish(limits);
        if span.is_provisional() {
            span.duration_ns = None;
        }
        (span, conversation)
    }

    fn take_kind(&self, attributes: &mut Attributes) -> SpanKind {
        if self.name.starts_with("guard:") {
            return SpanKind::Guard;
        }
        self.kind
            .or_else(|| attributes.take_parsed(fields::OPERATION, kind_of))
            .or_else(|| attributes.0.contains_key("gen_ai.tool.name").then_some(SpanKind::Tool))
            .or_else(|| attributes.0.contains_key("gen_ai.request.model").then_some(SpanKind::Llm))
            .unwrap_or(SpanKind::Custom)
    }

    fn take_conversation(&mut self, attributes: &mut Attributes) -> Option<ConversationId> {
        let parse = |text: &str| ConversationId::new(text).ok();
        match self.session_id.take() {
            Some(session) => match parse(&session) {
                Some(conversation) => Some(conversation),
                None => {
                    attributes.0.entry("session.id".to_owned()).or_insert(Value::String(session));
                    None
                }
            },
            None => attributes.take_parsed(fields::SESSION, parse),
        }
    }

    fn take_model(
        &mut self,
        kind: SpanKind,
        input: Option<&str>,
        output: Option<&str>,
        attributes: &mut Attributes,
        marks: &Marks,
        limits: &IngestLimits,
    ) -> Option<ModelInfo> {
        let calls_model = matches!(kind, SpanKind::Llm | SpanKind::Embedding);
        let mut model = ModelInfo {
            provider: self.provider.take().or_else(|| attributes.take_text(fields::PROVIDER)),
            requested: self.requested_model.take().or_else(|| attributes.take_text(fields::MODEL_REQUESTED)),
            answered: self.answered_model.take().or_else(|| attributes.take_text(fields::MODEL_ANSWERED)),
            usage: self.take_usage(attributes),
            ..ModelInfo::default()
        };
        if !calls_model && model == ModelInfo::default() {
            return None;
        }
        let asked = input.filter(|_| calls_model).map(peek_input).unwrap_or_default();
        model.finish_reasons = attributes.take(fields::FINISH_REASONS).map(reasons).unwrap_or_default();
        if model.finish_reasons.is_empty() && calls_model {
            model.finish_reasons = output.map(peek_output).unwrap_or_default();
        }
        model.max_output_tokens = attributes.take_u64(fields::MAX_OUTPUT_TOKENS).or(asked.max_output_tokens);
        let tools = attributes.take_text(fields::TOOL_DEFINITIONS).or(asked.tools);
        let cut = marks.is_cut(marks::TOOL_DEFINITIONS);
        model.tool_definitions = captured(tools, self.suppressed.tool_schema, cut, limits).map(Payload::new);
        Some(model)
    }

    fn take_usage(&self, attributes: &mut Attributes) -> Option<Usage> {
        let input = attributes.take_u64(fields::INPUT_TOKENS);
        let output = attributes.take_u64(fields::OUTPUT_TOKENS);
        if self.usage_unknown {
            return None;
        }
        let sent = (input.is_some() || output.is_some()).then(|| Usage {
            input_tokens: input.unwrap_or_default(),
            output_tokens: output.unwrap_or_default(),
        });
        self.usage.or(sent).or_else(|| take_usage_details(attributes))
    }

    fn take_error(
        &mut self,
        attributes: &mut Attributes,
        marks: &Marks,
        limits: &IngestLimits,
    ) -> Option<SpanError> {
        let failed = self.status != SpanStatus::Ok;
        let kind = attributes.take_text(fields::ERROR_KIND);
        let message = self.error_message.take().or_else(|| attributes.take_text(fields::ERROR_MESSAGE));
        let stack = attributes.take_text(fields::ERROR_STACK);
        let withheld = failed && self.suppressed.any;
        let stack_off = stack.is_none() && marks.is_suppressed(marks::ERROR_STACK);
        if kind.is_none() && message.is_none() && stack.is_none() && !withheld && !stack_off {
            return None;
        }
        let message_off = message.is_none() && withheld;
        Some(SpanError {
            kind: kind.map(|text| cut_text(text, 1024)),
            message: captured(message, message_off, marks.is_cut(marks::ERROR_MESSAGE), limits),
            stack: captured(stack, stack_off, marks.is_cut(marks::ERROR_STACK), limits),
        })
    }
}

/// Langfuse sends its counts as the JSON text of one object.
fn take_usage_details(attributes: &mut Attributes) -> Option<Usage> {
    #[derive(serde::Deserialize)]
    struct Details {
        input: Option<u64>,
        output: Option<u64>,
    }
    let parse = |text: &str| {
        let Details { input, output } = serde_json::from_str(text).ok()?;
        let counted = input.is_some() || output.is_some();
        counted.then(|| Usage {
            input_tokens: input.unwrap_or_default(),
            output_tokens: output.unwrap_or_default(),
        })
    };
    attributes.take_parsed(fields::USAGE_DETAILS, parse)
}

/// Text that nobody sent is absent; text of a category that is switched off is suppressed even if some was sent.
fn captured(
    text: Option<String>,
    switched_off: bool,
    cut_by_sender: bool,
    limits: &IngestLimits,
) -> Captured<String> {
    match text {
        _ if switched_off => Captured::Suppressed,
        None => Captured::Absent,
        Some(text) if text.len() > limits.max_payload_bytes => {
            Captured::Truncated(cut_text(text, limits.max_payload_bytes))
        }
        Some(text) if cut_by_sender => Captured::Truncated(text),
        Some(text) => Captured::Present(text),
    }
}

fn take_messages(attributes: &mut Attributes, keys: &[&str]) -> Option<String> {
    let messages = attributes.take(keys)?;
    match attributes.take(&["gen_ai.system_instructions"]) {
        Some(system) => {
            let parsed = |value: Value| match value {
                Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
                other => other,
            };
            let both =
                serde_json::json!({"system_instructions": parsed(system), "messages": parsed(messages)});
            Some(both.to_string())
        }
        None => Some(into_text(messages)),
    }
}

fn take_agent(kind: SpanKind, named: AgentInfo, attributes: &mut Attributes) -> AgentInfo {
    // OpenLLMetry names the agent of an agent span as it names everything else.
    let keys = if kind == SpanKind::Agent { fields::OWN_AGENT_NAME } else { fields::AGENT_NAME };
    AgentInfo {
        name: named.name.or_else(|| attributes.take_text(keys)),
        id: named.id.or_else(|| attributes.take_text(fields::AGENT_ID)),
        version: named.version.or_else(|| attributes.take_text(fields::AGENT_VERSION)),
    }
}

fn take_tool(kind: SpanKind, span_name: &str, attributes: &mut Attributes) -> Option<ToolInfo> {
    let name = attributes.take_text(fields::TOOL_NAME);
    let call_id = attributes.take_text(fields::TOOL_CALL_ID);
    match kind {
        // `guard:{verdict}:{tool}`
        SpanKind::Guard => {
            let name = name.or_else(|| span_name.splitn(3, ':').nth(2).map(str::to_owned));
            Some(ToolInfo { name: name.filter(|name| !name.is_empty()), call_id })
        }
        SpanKind::Tool => {
            let entity = || attributes.take_text(&["traceloop.entity.name"]);
            let name = name.or_else(entity).or_else(|| Some(tool_in_span_name(span_name)));
            Some(ToolInfo { name: name.filter(|name| !name.is_empty()), call_id })
        }
        _ if name.is_some() || call_id.is_some() => Some(ToolInfo { name, call_id }),
        _ => None,
    }
}

/// OpenTelemetry names tool spans `execute_tool {tool}`.
fn tool_in_span_name(span_name: &str) -> String {
    span_name.strip_prefix("execute_tool ").unwrap_or(span_name).to_owned()
}

fn take_code(attributes: &mut Attributes) -> Option<CodePlace> {
    let path = attributes.take_text(fields::CODE_PATH)?;
    let line = attributes.take_u64(fields::CODE_LINE);
    Some(CodePlace {
        path: cut_text(path, 4096),
        line: line.and_then(|line| u32::try_from(line).ok()).filter(|line| *line > 0),
        function: attributes.take_text(fields::CODE_FUNCTION).map(|name| cut_text(name, 1024)),
    })
}

/// Finish reasons come as a list, as the JSON text of a list, or as one word.
fn reasons(value: Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.into_iter().take(64).map(into_text).collect(),
        Value::String(text) => {
            serde_json::from_str::<Vec<String>>(&text).unwrap_or_else(|_| vec![cut_text(text, 256)])
        }
        other => vec![into_text(other)],
    }
}
