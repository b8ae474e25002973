//! Turns recorded spans into the vocabulary of the core: what each field means, and what the policy lets through.
//!
//! Names of attributes are those of the OpenTelemetry GenAI conventions and of the SDK's own `staso.*`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use staso_core::id::SpanId;
use staso_core::trace::{
    AgentInfo, Captured, CodePlace, ModelInfo, Payload, Span, SpanError, SpanKind, SpanStatus, ToolInfo,
    Usage,
};

use super::content::{strip_attributes, strip_messages};
use super::policy::{CaptureCategory, EffectivePolicy};
use super::recorded::{Phase, Recorded};
use super::request::{unquoted, with_system, with_tools};
use crate::marks;
use crate::peek::{peek_input, peek_output};
use crate::span_kind::kind_of;

/// What is the same for all spans of a client.
#[derive(Debug, Clone)]
pub(crate) struct SpanContext {
    pub(crate) policy: EffectivePolicy,
    pub(crate) agent: AgentInfo,
    /// Attributes of roots. The revision itself travels with the part of the trace.
    pub(crate) root_attributes: BTreeMap<String, Value>,
}

/// The span as it may leave the process, as far as the policy goes; the redactor comes after.
pub(crate) fn span(recorded: Recorded, context: &SpanContext) -> Span {
    let phase = recorded.phase;
    let is_root = recorded.parent.is_none();
    let scope_agent = recorded.scope.as_ref().and_then(|scope| scope.agent.as_deref().map(str::to_owned));
    let (id, parent, start) = (recorded.span_id, recorded.parent, recorded.start);
    let (metadata, duration_ns) = (recorded.metadata, recorded.duration_ns);
    let mut values = Values::new(recorded);
    let name = values.text(&["otel.name"]).unwrap_or_else(|| metadata.name().to_owned());
    let kind = values.kind(&name);
    let mut span = Span::new(SpanId::from_u64(id), name, kind, start);
    span.parent_span_id = parent.map(SpanId::from_u64);
    span.duration_ns = (phase != Phase::Provisional).then_some(duration_ns);
    span.agent = values.agent(scope_agent, &context.agent);
    span.code = Some(values.code(metadata)).filter(|code| !code.path.is_empty());
    span.tool = values.tool(kind, &span.name);
    (span.input, span.output) = values.payloads(kind, context.policy);
    span.model = values.model(kind, context.policy);
    if matches!(kind, SpanKind::Llm | SpanKind::Embedding) {
        complete_model(&mut span, context.policy);
    }
    (span.status, span.error) = values.outcome(phase, context.policy);
    span.attributes = values.rest(phase, context.policy, is_tool(kind));
    if is_root {
        span.attributes.extend(context.root_attributes.clone());
    }
    span
}

const fn is_tool(kind: SpanKind) -> bool {
    matches!(kind, SpanKind::Tool | SpanKind::Guard)
}

/// Puts the tools into the request, and takes from request and answer what only they say.
fn complete_model(span: &mut Span, policy: EffectivePolicy) {
    let Some(model) = &mut span.model else { return };
    if let Some(tools) = model.tool_definitions.value() {
        let join = |request: Payload| Payload::new(with_tools(request.as_str(), tools.as_str()));
        span.input = match std::mem::take(&mut span.input) {
            Captured::Absent => Captured::Present(join(Payload::new("{}"))),
            input => input.map(join),
        };
    }
    if let Some(input) = span.input.value() {
        let asked = peek_input(input.as_str());
        model.max_output_tokens = model.max_output_tokens.or(asked.max_output_tokens);
        let tools = asked.tools.map(Payload::new);
        if policy.allows(CaptureCategory::ToolSchema) && model.tool_definitions.value() != tools.as_ref() {
            model.tool_definitions = tools.map_or(Captured::Absent, Captured::Present);
        }
    }
    if let Some(output) = span.output.value().filter(|_| model.finish_reasons.is_empty()) {
        model.finish_reasons = peek_output(output.as_str());
    }
}

/// The values of one span; reading one takes it out, so that what remains is what no field holds.
struct Values {
    values: BTreeMap<String, Value>,
    cut: Vec<String>,
}

impl Values {
    fn new(recorded: Recorded) -> Self {
        let (mut values, cut) = recorded.fields.into_values();
        if let Some(Value::String(text)) = values.remove(super::ATTRIBUTES_FIELD)
            && let Ok(extra) = serde_json::from_str::<Map<String, Value>>(&text)
        {
            values.extend(extra);
        }
        Self { values, cut: cut.into_iter().map(str::to_owned).collect() }
    }

    /// The first that is a text and not empty.
    fn text(&mut self, names: &[&str]) -> Option<String> {
        let mut found = None;
        for name in names {
            if self.values.get(*name).is_some_and(Value::is_string)
                && let Some(Value::String(text)) = self.values.remove(*name)
            {
                found = found.or(Some(text).filter(|text| !text.is_empty()));
            }
        }
        found
    }

    fn number(&mut self, names: &[&str]) -> Option<u64> {
        let mut found = None;
        for name in names {
            let number = self.values.get(*name).and_then(|value| match value {
                Value::String(text) => text.parse().ok(),
                value => value.as_u64(),
            });
            if number.is_some() {
                self.values.remove(*name);
                found = found.or(number);
            }
        }
        found
    }

    fn peek(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// `gen_ai.operation.name` stays among the attributes: it says more than the kind.
    fn kind(&self, name: &str) -> SpanKind {
        let has = |name: &str| self.values.contains_key(name);
        match self.peek("gen_ai.operation.name").and_then(kind_of) {
            _ if name.starts_with("guard:") => SpanKind::Guard,
            Some(kind) => kind,
            None if has("gen_ai.tool.name") => SpanKind::Tool,
            None if has("gen_ai.request.model") => SpanKind::Llm,
            None if has("gen_ai.agent.name") => SpanKind::Agent,
            None => SpanKind::Custom,
        }
    }

    fn agent(&mut self, scope: Option<String>, fallback: &AgentInfo) -> AgentInfo {
        let own = self.text(&["gen_ai.agent.name"]).or(scope);
        let name = own.or_else(|| fallback.name.clone());
        let id = self.text(&["gen_ai.agent.id"]).or_else(|| name.as_deref().map(agent_id));
        AgentInfo {
            id,
            version: self.text(&["gen_ai.agent.version"]).or_else(|| fallback.version.clone()),
            name,
        }
    }

    /// A place named by the span wins over that of the callsite.
    fn code(&mut self, metadata: &tracing::Metadata<'_>) -> CodePlace {
        let own = self.text(&["code.file.path", "code.filepath"]);
        let own_line = self.number(&["code.line.number", "code.lineno"]);
        let function = self.text(&["code.function.name", "code.function"]);
        let line = match own {
            Some(_) => own_line.and_then(|line| u32::try_from(line).ok()),
            None => metadata.line(),
        };
        let path = own.or_else(|| metadata.file().map(str::to_owned)).unwrap_or_default();
        CodePlace { path, line, function }
    }

    /// A tool without a name is called as its span is: `execute_tool {tool}`, `guard:{verdict}:{tool}`.
    fn tool(&mut self, kind: SpanKind, span_name: &str) -> Option<ToolInfo> {
        let name = self.text(&["gen_ai.tool.name"]);
        let call_id = self.text(&["gen_ai.tool.call.id"]);
        let in_span_name = match kind {
            SpanKind::Tool => Some(span_name.strip_prefix("execute_tool ").unwrap_or(span_name)),
            SpanKind::Guard => span_name.splitn(3, ':').nth(2),
            _ => None,
        };
        let name = name.or_else(|| in_span_name.filter(|name| !name.is_empty()).map(str::to_owned));
        (is_tool(kind) || name.is_some() || call_id.is_some()).then_some(ToolInfo { name, call_id })
    }

    /// Where nobody says which model answered, it is the one that was asked, as on the wire.
    fn model(&mut self, kind: SpanKind, policy: EffectivePolicy) -> Option<ModelInfo> {
        let input = self.number(&["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]);
        let output = self.number(&["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"]);
        let usage = (input.is_some() || output.is_some())
            .then(|| Usage { input_tokens: input.unwrap_or(0), output_tokens: output.unwrap_or(0) });
        let requested = self.text(&["gen_ai.request.model"]);
        let said = ModelInfo {
            provider: self.text(&["gen_ai.provider.name", "gen_ai.system"]),
            answered: self.text(&["gen_ai.response.model"]).or_else(|| requested.clone()),
            requested,
            usage,
            ..ModelInfo::default()
        };
        if !matches!(kind, SpanKind::Llm | SpanKind::Embedding) && said == ModelInfo::default() {
            return None;
        }
        let may_say_tools = policy.allows(CaptureCategory::ToolSchema);
        Some(ModelInfo {
            finish_reasons: self.finish_reasons(),
            max_output_tokens: self.number(&["gen_ai.request.max_tokens"]),
            tool_definitions: self.payload(&["gen_ai.tool.definitions"], may_say_tools, Some),
            ..said
        })
    }

    /// Text fields hold the list as JSON or as the `Debug` of one; a single reason may stand bare.
    fn finish_reasons(&mut self) -> Vec<String> {
        let Some(text) = self.text(&["gen_ai.response.finish_reasons"]) else { return Vec::new() };
        serde_json::from_str(&text).unwrap_or_else(|_| vec![text])
    }

    fn payloads(
        &mut self,
        kind: SpanKind,
        policy: EffectivePolicy,
    ) -> (Captured<Payload>, Captured<Payload>) {
        let (input_names, category): (&[&str], _) = match kind {
            SpanKind::Tool | SpanKind::Guard => (
                &["gen_ai.tool.call.arguments", "staso.input", "input.value"],
                CaptureCategory::ToolArguments,
            ),
            _ => (
                &["gen_ai.input.messages", "staso.input", "input.value", "gen_ai.prompt"],
                CaptureCategory::Request,
            ),
        };
        let output_names = [
            "gen_ai.tool.call.result",
            "gen_ai.output.messages",
            "staso.output",
            "output.value",
            "gen_ai.completion",
        ];
        let has_messages = !is_tool(kind) && kind != SpanKind::Retriever;
        let strip = |text: String| if has_messages { strip_messages(text, policy) } else { Some(text) };
        let input = self.payload(input_names, policy.allows(category), strip);
        let output = self.payload(&output_names, policy.allows(CaptureCategory::Output), strip);
        let system =
            self.payload(&["gen_ai.system_instructions"], policy.allows(CaptureCategory::SystemPrompt), Some);
        let output = if kind == SpanKind::Tool { output.map(unquoted) } else { output };
        (with_system(input, system), output)
    }

    /// What is switched off is suppressed whether there was any or not: receivers cannot tell the two apart.
    fn payload(
        &mut self,
        names: &[&str],
        allowed: bool,
        strip: impl FnOnce(String) -> Option<String>,
    ) -> Captured<Payload> {
        let cut = self.cut.iter().any(|cut| names.contains(&cut.as_str()));
        match self.text(names) {
            _ if !allowed => Captured::Suppressed,
            None => Captured::Absent,
            Some(text) => match strip(text) {
                None => Captured::Suppressed,
                Some(text) if cut => Captured::Truncated(Payload::new(text)),
                Some(text) => Captured::Present(Payload::new(text)),
            },
        }
    }

    fn outcome(&mut self, phase: Phase, policy: EffectivePolicy) -> (SpanStatus, Option<SpanError>) {
        let code = self.text(&["otel.status_code"]).is_some_and(|code| code.eq_ignore_ascii_case("error"));
        let panicked = phase == Phase::Unfinished { panicked: true };
        let kind =
            self.text(&["exception.type", "error.type"]).or_else(|| panicked.then(|| "panic".to_owned()));
        let description = self.text(&["otel.status_description"]);
        let message = self.text(&["exception.message"]).or(description);
        let stack = self.text(&["exception.stacktrace"]);
        let failed = code || kind.is_some() || message.is_some() || stack.is_some();
        let withheld = failed && !policy.allows_all();
        let prose = |text: Option<String>, withheld: bool, name: &str| match text {
            _ if withheld => Captured::Suppressed,
            None => Captured::Absent,
            Some(text) if self.cut.iter().any(|cut| cut == name) => Captured::Truncated(text),
            Some(text) => Captured::Present(text),
        };
        let error = SpanError {
            message: prose(message, withheld, "exception.message"),
            stack: {
                let withheld = withheld && stack.is_some();
                prose(stack, withheld, "exception.stacktrace")
            },
            kind: kind.clone(),
        };
        let timed_out = kind.as_deref().map(str::to_ascii_lowercase).is_some_and(|kind| {
            ["timeout", "timedout", "timed_out", "deadline", "elapsed"].iter().any(|word| kind.contains(word))
        });
        let status = match (failed, timed_out) {
            (false, _) => SpanStatus::Ok,
            (true, false) => SpanStatus::Error,
            (true, true) => SpanStatus::Timeout,
        };
        (status, Some(error).filter(|error| *error != SpanError::default()))
    }

    /// What no field holds, with the SDK's own marks.
    fn rest(mut self, phase: Phase, policy: EffectivePolicy, is_tool: bool) -> BTreeMap<String, Value> {
        for taken in [super::UNFINISHED_FIELD, "otel.kind", "gen_ai.conversation.id", "session.id"] {
            self.values.remove(taken);
        }
        match phase {
            Phase::Provisional => drop(self.values.insert("staso.provisional_root".to_owned(), true.into())),
            Phase::Unfinished { .. } => drop(self.values.insert("staso.unfinished".to_owned(), true.into())),
            Phase::Ended => {}
        }
        self.cut.retain(|name| name == super::ATTRIBUTES_FIELD || self.values.contains_key(name));
        if !self.cut.is_empty() {
            self.values.insert(marks::TRUNCATED.to_owned(), self.cut.into());
        }
        if !policy.allows_all() {
            let off = CaptureCategory::ALL.into_iter().filter(|&category| !policy.allows(category));
            let off: Map<_, _> = off.map(|c| (c.as_str().to_owned(), "suppressed".into())).collect();
            self.values.insert("staso.capture".to_owned(), off.into());
        }
        strip_attributes(&mut self.values, policy, is_tool);
        self.values
    }
}

/// The id that the Python SDK gives to an agent of this name: a UUID of version 5.
fn agent_id(name: &str) -> String {
    const NAMESPACE: uuid::Uuid = uuid::uuid!("a1b2c3d4-e5f6-7890-abcd-ef1234567890");
    uuid::Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agent_ids_are_those_of_the_python_sdk() {
        assert_eq!(agent_id("weather-agent"), "aeba71fc-7352-5733-b2f5-6ee4ac9b2518");
    }
}
