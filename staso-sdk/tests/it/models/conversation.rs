//! What is sent: the whole conversation, tools, limits and marks, on every wire, and the key in one header alone.

use serde_json::{Value, json};
use staso::models::{Delivery, Provider};
use staso_core::agent::{
    LanguageModel as _, Message, ModelReply, ModelRequest, ProviderState, ToolCall, ToolChoice, ToolResult,
};
use staso_core::testing::test_context;

use super::replay::{Answer, Asked, Replay};
use super::{CANARY, model, spec};

const WIRES: [Provider; 5] = [
    Provider::OpenAi,
    Provider::Compatible,
    Provider::OpenAiResponses,
    Provider::Anthropic,
    Provider::Gemini,
];

/// The shortest good answer of each wire.
fn good(provider: Provider) -> Answer {
    Answer::json(
        200,
        match provider {
            Provider::Anthropic => r#"{"content":[{"type":"text","text":"ok"}],"stop_reason":"end_turn"}"#,
            Provider::Gemini => {
                r#"{"candidates":[{"content":{"parts":[{"text":"ok"}]},"finishReason":"STOP"}]}"#
            }
            Provider::OpenAiResponses => {
                r#"{"id":"r","status":"completed","model":"m","output":[{"type":"message","content":[{"type":"output_text","text":"ok"}]}]}"#
            }
            _ => r#"{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}"#,
        },
    )
}

async fn sent(provider: Provider, request: &ModelRequest<'_>) -> (Asked, ModelReply) {
    let replay = Replay::start(vec![good(provider)]).await;
    let model = model(provider, &replay.base, Delivery::Whole);
    let reply = model.complete(request, &test_context()).await.unwrap();
    (replay.finish().remove(0), reply)
}

fn conversation(state: Option<ProviderState>) -> Vec<Message> {
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    };
    let result = |id: &str, name: &str, content: &str, ok| ToolResult {
        call_id: id.to_owned(),
        name: name.to_owned(),
        content: content.to_owned(),
        ok,
    };
    vec![
        Message::user("Why did it fail? Grüße, 東京."),
        Message::Assistant {
            text: "Let me look.".to_owned(),
            calls: vec![call("c1", "add", r#"{"x": 2}"#), call("c2", "look", "{\"path\": \"cut of")],
            state,
        },
        Message::Tool {
            results: vec![result("c1", "add", "5", true), result("c2", "look", "no file", false)],
        },
    ]
}

#[tokio::test]
async fn the_key_is_in_its_header_and_nowhere_else() {
    for provider in WIRES {
        let (asked, reply) = sent(provider, &ModelRequest::new("Be brief.", &[Message::user("Hi")])).await;
        assert_eq!(reply.text, "ok");
        assert!(reply.usage.estimated, "{provider:?} reported nothing, and that is not said");
        assert!(reply.usage.input > 0 && reply.usage.output > 0);
        let (name, value) = match provider {
            Provider::Anthropic => ("x-api-key", CANARY.to_owned()),
            Provider::Gemini => ("x-goog-api-key", CANARY.to_owned()),
            _ => ("authorization", format!("Bearer {CANARY}")),
        };
        assert_eq!(asked.header(name), Some(value.as_str()), "{provider:?}");
        let elsewhere = asked.headers.iter().filter(|(known, value)| known != name && value.contains(CANARY));
        assert_eq!(elsewhere.count(), 0);
        assert!(!asked.line.contains(CANARY) && !asked.body.to_string().contains(CANARY));
        assert_eq!(asked.header("anthropic-version").is_some(), provider == Provider::Anthropic);
    }
}

#[tokio::test]
async fn a_whole_conversation_is_sent_in_the_form_of_each_wire() {
    let tools = [spec("add"), spec("look")];
    let tools: Vec<_> = tools.iter().collect();
    let messages = conversation(None);
    let request = ModelRequest::new("Be brief.", &messages)
        .with_tools(&tools, ToolChoice::Named("look"))
        .with_max_output_tokens(777)
        .with_sampling(Some(0.5), Some(u64::MAX));
    for provider in WIRES {
        let (asked, _) = sent(provider, &request).await;
        let form = json!({ "line": asked.line, "body": asked.body });
        insta::with_settings!({ sort_maps => true }, {
            insta::assert_json_snapshot!(format!("conversation_{}", provider.name()), form);
        });
    }
}

#[tokio::test]
async fn a_tool_can_be_required_and_replies_are_no_longer_than_the_model_can_write() {
    let tools = [spec("add")];
    let tools: Vec<_> = tools.iter().collect();
    let messages = [Message::user("Hi")];
    let request = ModelRequest::new("", &messages)
        .with_tools(&tools, ToolChoice::Required)
        .with_max_output_tokens(u64::MAX);
    let at = |provider, pointer: &'static str| {
        let request = &request;
        async move { sent(provider, request).await.0.body.pointer(pointer).cloned() }
    };
    assert_eq!(at(Provider::OpenAi, "/tool_choice").await, Some(json!("required")));
    assert_eq!(at(Provider::OpenAiResponses, "/tool_choice").await, Some(json!("required")));
    assert_eq!(at(Provider::Anthropic, "/tool_choice/type").await, Some(json!("any")));
    assert_eq!(at(Provider::Gemini, "/toolConfig/functionCallingConfig/mode").await, Some(json!("ANY")));
    assert_eq!(at(Provider::Anthropic, "/max_tokens").await, Some(json!(8_192)));
    assert_eq!(at(Provider::Anthropic, "/system").await, None);
}

#[tokio::test]
async fn the_name_of_a_model_is_sent_as_it_is() {
    for provider in [Provider::Compatible, Provider::OpenAi, Provider::OpenAiResponses, Provider::Anthropic] {
        for name in ["qwen-max", "mistral-medium", "accounts/a/models/b-high", "a::b-low"] {
            let replay = Replay::start(vec![good(provider)]).await;
            let config =
                staso::models::ModelConfig::new(provider, name).unwrap().with_delivery(Delivery::Whole);
            let config = config.with_base_url(&replay.base).unwrap().with_key(CANARY).unwrap();
            let messages = [Message::user("Hi")];
            let request = ModelRequest::new("", &messages);
            config.build().unwrap().complete(&request, &test_context()).await.unwrap();
            let asked = replay.finish().remove(0);
            assert_eq!(asked.body["model"], json!(name), "{provider:?}");
            for setting in ["reasoning_effort", "reasoning"] {
                assert_eq!(asked.body.get(setting), None, "{provider:?} {name}");
            }
        }
    }
}

/// The first answer has thoughts; the second request shows what the provider gets back.
async fn thought_over(provider: Provider, first: &str) -> (ModelReply, Value) {
    let replay = Replay::start(vec![Answer::json(200, first), good(provider)]).await;
    let model = model(provider, &replay.base, Delivery::Whole);
    let mut messages = vec![Message::user("Hi")];
    let reply = model.complete(&ModelRequest::new("", &messages), &test_context()).await.unwrap();
    let results = reply.calls.iter().map(|call| ToolResult {
        call_id: call.id.clone(),
        name: call.name.clone(),
        content: "5".to_owned(),
        ok: true,
    });
    let results = results.collect();
    messages.push(Message::Assistant {
        text: reply.text.clone(),
        calls: reply.calls.clone(),
        state: reply.state.clone(),
    });
    messages.push(Message::Tool { results });
    model.complete(&ModelRequest::new("", &messages), &test_context()).await.unwrap();
    (reply, replay.finish().remove(1).body)
}

#[tokio::test]
async fn thoughts_go_back_to_anthropic_with_their_signatures() {
    let first = r#"{"content":[
        {"type":"thinking","thinking":"Hm.","signature":"sig-1"},
        {"type":"redacted_thinking","data":"opaque"},
        {"type":"text","text":"I add."},
        {"type":"tool_use","id":"t1","name":"add","input":{"x":2}}],"stop_reason":"tool_use"}"#;
    let (_, body) = thought_over(Provider::Anthropic, first).await;
    let blocks = &body["messages"][1]["content"];
    assert_eq!(blocks[0], json!({"type": "thinking", "thinking": "Hm.", "signature": "sig-1"}));
    assert_eq!(blocks[1], json!({"type": "redacted_thinking", "data": "opaque"}));
    assert_eq!(blocks[3]["type"], "tool_use");
}

#[tokio::test]
async fn thoughts_go_back_to_gemini_with_their_signatures() {
    let first = r#"{"candidates":[{"finishReason":"STOP","content":{"parts":[
        {"functionCall":{"name":"add","args":{"x":2}},"thoughtSignature":"sig-1"},
        {"functionCall":{"name":"add","args":{"x":3}}}]}}]}"#;
    let (reply, body) = thought_over(Provider::Gemini, first).await;
    assert_ne!(reply.calls[0].id, reply.calls[1].id, "two calls, one id");
    let parts = &body["contents"][1]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "sig-1");
    assert_eq!(parts[1].get("thoughtSignature"), None);
    let names: Vec<&Value> =
        (0..2).map(|at| &body["contents"][2]["parts"][at]["functionResponse"]["name"]).collect();
    assert_eq!(names, ["add", "add"]);
}

#[tokio::test]
async fn thoughts_go_back_to_responses_encrypted() {
    let first = r#"{"id":"r","model":"m","status":"completed","output":[
        {"type":"reasoning","id":"rs","encrypted_content":"opaque","summary":[]},
        {"type":"function_call","call_id":"c1","name":"add","arguments":"{\"x\":2}","status":"completed"}]}"#;
    let (_, body) = thought_over(Provider::OpenAiResponses, first).await;
    assert_eq!(body["input"][1]["encrypted_content"], "opaque");
    assert_eq!(body["input"][2]["call_id"], "c1");
    assert_eq!(body["store"], false);
}

#[tokio::test]
async fn thoughts_of_another_provider_are_not_sent() {
    let foreign =
        ProviderState(json!({"wire": "messages", "blocks": [{"type": "thinking", "thinking": "secret"}]}));
    let messages = conversation(Some(foreign));
    for provider in [Provider::OpenAi, Provider::OpenAiResponses, Provider::Gemini] {
        let (asked, _) = sent(provider, &ModelRequest::new("", &messages)).await;
        assert!(!asked.body.to_string().contains("secret"), "{provider:?}");
    }
}
