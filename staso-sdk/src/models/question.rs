//! From Staso's request to the one of `genai`.

use genai::chat::{
    CacheControl, ChatMessage, ChatOptions, ChatRequest, ChatRole, ContentPart, CustomPart, MessageContent,
    ReasoningEffort, Tool, ToolName, ToolResponse,
};
use serde_json::{Value, json};
use staso_core::agent::{Message, ModelRequest, ProviderState, ToolCall, ToolChoice, ToolResult, ToolSpec};

use super::provider::Provider;
use super::wire::{State, Wire};

/// How many of the last messages carry a mark for the provider's cache.
const MARKED_MESSAGES: usize = 2;
/// Anthropic refuses messages without content.
const NOTHING_SAID: &str = "(nothing)";

/// The conversation and the tools.
pub(super) fn conversation(provider: Provider, request: &ModelRequest<'_>) -> ChatRequest {
    let wire = Wire::of(provider);
    let mut messages: Vec<ChatMessage> =
        request.messages.iter().filter_map(|message| said(wire, message)).collect();
    let mut system = Some(request.system.to_owned()).filter(|system| !system.is_empty());
    if wire == Wire::Messages {
        for message in messages.iter_mut().rev().take(MARKED_MESSAGES) {
            message.options = Some(CacheControl::Ephemeral.into());
        }
        if let Some(text) = system.take() {
            messages.insert(0, ChatMessage::system(text).with_options(CacheControl::Ephemeral));
        }
    }
    let mut asked = ChatRequest::new(messages);
    asked.system = system;
    asked.tools = Some(request.tools.iter().map(|spec| tool(wire, spec)).collect::<Vec<_>>())
        .filter(|tools| !tools.is_empty());
    asked
}

/// Everything beside it.
pub(super) fn options(
    provider: Provider,
    model: &str,
    max_tokens: u64,
    request: &ModelRequest<'_>,
) -> ChatOptions {
    let wire = Wire::of(provider);
    let mut options = ChatOptions::default()
        .with_max_tokens(u32::try_from(max_tokens).unwrap_or(u32::MAX))
        .with_capture_usage(true);
    options.temperature = request.temperature;
    options.seed = request.seed.and_then(|seed| match wire {
        Wire::Chat => Some(seed & 0x7fff_ffff_ffff_ffff),
        Wire::Generate => Some(seed & 0x7fff_ffff),
        // These have none and refuse it.
        Wire::Responses | Wire::Messages => None,
    });
    options.tool_choice = match request.tool_choice {
        _ if request.tools.is_empty() => None,
        ToolChoice::Auto => None,
        ToolChoice::Required => Some(genai::chat::ToolChoice::Required),
        ToolChoice::Named(name) => Some(genai::chat::ToolChoice::tool(name)),
    };
    if matches!(wire, Wire::Chat | Wire::Responses) {
        // Keeps genai from taking the end of a model's name (`…-max`, `…-high`) for a setting; it sends nothing.
        options.reasoning_effort = Some(ReasoningEffort::Budget(0));
    }
    options.extra_body = extra(wire, provider, model);
    options
}

/// The model's name as the host gave it, and what Responses needs to be asked for to continue a thought.
fn extra(wire: Wire, provider: Provider, model: &str) -> Option<Value> {
    let thinks = ["o1", "o3", "o4", "gpt-5", "gpt-6"].iter().any(|family| model.starts_with(family));
    match wire {
        Wire::Generate => None,
        Wire::Responses if provider == Provider::OpenAiResponses && thinks => {
            Some(json!({ "model": model, "include": ["reasoning.encrypted_content"] }))
        }
        Wire::Chat | Wire::Responses | Wire::Messages => Some(json!({ "model": model })),
    }
}

fn tool(wire: Wire, spec: &ToolSpec) -> Tool {
    Tool {
        name: ToolName::Custom(spec.name.clone()),
        description: Some(spec.description.clone()),
        schema: Some(spec.parameters.clone()),
        custom_format: None,
        // Responses takes silence for yes, and refuses schemas with optional fields then.
        strict: (wire == Wire::Responses).then_some(false),
        config: None,
        cache_control: None,
        eager_input_streaming: None,
    }
}

fn said(wire: Wire, message: &Message) -> Option<ChatMessage> {
    match message {
        Message::User { text } => Some(ChatMessage::user(text.as_str())),
        Message::Assistant { text, calls, state } => Some(answer(wire, text, calls, state.as_ref())),
        Message::Tool { results } => {
            let parts: Vec<ContentPart> = results.iter().map(|result| observed(wire, result)).collect();
            Some(ChatMessage::tool(MessageContent::from_parts(parts)))
        }
        // There are no other messages today.
        _ => None,
    }
}

fn answer(wire: Wire, text: &str, calls: &[ToolCall], state: Option<&ProviderState>) -> ChatMessage {
    let state = state.and_then(|state| State::read(wire, state)).unwrap_or_default();
    let mut parts: Vec<ContentPart> = Vec::new();
    parts.extend(
        state.blocks.into_iter().map(|data| ContentPart::Custom(CustomPart { model_iden: None, data })),
    );
    if wire == Wire::Responses {
        parts.extend(state.signatures.iter().flatten().cloned().map(ContentPart::ThoughtSignature));
    }
    if wire == Wire::Generate {
        parts.extend(state.text_signature.map(ContentPart::ThoughtSignature));
    }
    parts.extend(state.thoughts.map(ContentPart::ReasoningContent));
    if !text.is_empty() {
        parts.push(ContentPart::from_text(text));
    } else if calls.is_empty() {
        parts.push(ContentPart::from_text(NOTHING_SAID));
    }
    for (at, call) in calls.iter().enumerate() {
        let signature = state.signatures.get(at).cloned().flatten().filter(|_| wire == Wire::Generate);
        parts.push(ContentPart::ToolCall(genai::chat::ToolCall {
            call_id: call.id.clone(),
            fn_name: call.name.clone(),
            fn_arguments: arguments(&call.arguments),
            thought_signatures: signature.map(|signature| vec![signature]),
        }));
    }
    ChatMessage::new(ChatRole::Assistant, MessageContent::from_parts(parts))
}

/// Providers take back objects alone: what the model wrote instead of one is put into one.
fn arguments(written: &str) -> Value {
    match serde_json::from_str(written) {
        Ok(Value::Object(fields)) => Value::Object(fields),
        _ => json!({ "unreadable_arguments": written }),
    }
}

fn observed(wire: Wire, result: &ToolResult) -> ContentPart {
    if wire == Wire::Messages {
        let mut data =
            json!({ "type": "tool_result", "tool_use_id": result.call_id, "content": result.content });
        if let (false, Some(fields)) = (result.ok, data.as_object_mut()) {
            fields.insert("is_error".to_owned(), Value::Bool(true));
        }
        return ContentPart::Custom(CustomPart { model_iden: None, data });
    }
    let response = ToolResponse::new(result.call_id.clone(), result.content.clone());
    ContentPart::ToolResponse(response.with_fn_name(result.name.clone()))
}
