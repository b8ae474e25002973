//! A credential reaches no request and no event, wherever it comes from.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};
use staso_core::agent::{
    AgentLimits, AgentLoop, Message, ModelLimits, ModelReply, ToolCall, ToolProblem, ToolProblemCode,
    ToolReply,
};
use staso_core::redaction::Redactor;
use staso_core::testing::{MemorySink, ScriptedModel, SeenRequest, test_context, tool_call};

use super::desk::{ClosureTool, Desk, submit};

/// Where a credential is planted.
#[derive(Debug, Clone, Copy)]
enum Place {
    System,
    Opening,
    Output,
    Problem,
    Redirection,
    Text,
    Arguments,
    BrokenArguments,
    ToolName,
    CallId,
}

const PLACES: [Place; 10] = [
    Place::System,
    Place::Opening,
    Place::Output,
    Place::Problem,
    Place::Redirection,
    Place::Text,
    Place::Arguments,
    Place::BrokenArguments,
    Place::ToolName,
    Place::CallId,
];

fn secrets() -> Vec<String> {
    let digits = "0123456789abcdefghijABCDEFGHIJ0123456789";
    vec![
        format!("ghp_{digits}"),
        format!("sk-proj-{digits}"),
        format!("AKIA{}", "IOSFODNN7EXAMPLE"),
        format!("-----BEGIN RSA {0}-----\n{digits}\n-----END RSA {0}-----", "PRIVATE KEY"),
    ]
}

fn reply(place: Place, text: &str) -> ModelReply {
    let mut call = tool_call("look", &json!({ "path": "a.py" }));
    let mut said = "I look at it.".to_owned();
    match place {
        Place::Text => said = text.to_owned(),
        Place::Arguments => call = tool_call("look", &json!({ "path": text, "more": [text] })),
        Place::BrokenArguments => call.arguments = format!("{{\"path\": \"{text}"),
        Place::ToolName => call.name = text.to_owned(),
        Place::CallId => call.id = text.to_owned(),
        _ => {}
    }
    let mut reply = ModelReply::calls(vec![call]);
    reply.text = said;
    reply
}

/// Runs an agent with the text planted; returns everything that left.
async fn leaves(place: Place, text: &str) -> String {
    let (planted, ctx) = (text.to_owned(), test_context());
    let sink = MemorySink::default();
    let ctx = ctx.with_sinks(vec![Arc::new(sink.clone())]);
    let at = |wanted: Place, other: &str| {
        if std::mem::discriminant(&place) == std::mem::discriminant(&wanted) {
            format!("before {text} after")
        } else {
            other.to_owned()
        }
    };
    if matches!(place, Place::Redirection) {
        ctx.redirections().send(text.chars().take(4_000).collect::<String>()).unwrap();
    }
    let look = ClosureTool::new("look", move |_| match place {
        Place::Output => Ok(ToolReply::Text(planted.clone())),
        Place::Problem => Err(ToolProblem::new(ToolProblemCode::NoMatch, planted.clone()).into()),
        _ => Ok(ToolReply::Text("nothing".to_owned())),
    });
    let model = ScriptedModel::new().then(reply(place, text)).then_call("submit", &json!({}));
    let (redactor, limits, submit) = (Redactor::default(), AgentLimits::default(), submit());
    let system = at(Place::System, "You look for causes.");
    let run = AgentLoop::new("deep", &model, &system, "submit", &limits, &redactor)
        .with_tools(vec![&look, &submit])
        .run(vec![Message::user(at(Place::Opening, "Find out why."))], &ctx)
        .await
        .unwrap();
    let requests: Vec<String> = model.requests().iter().map(SeenRequest::everything).collect();
    let shown: Vec<&str> = run.shown.texts().collect();
    format!("{}\n{}\n{}\n{:?}", requests.join("\n"), sink.transcript(), shown.join("\n"), run.messages)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn planted_secrets_never_leave(
        place in proptest::sample::select(PLACES.as_slice()),
        secret in proptest::sample::select(secrets()),
        before in "[a-z =:\n\u{200b}]{0,30}",
        after in "[ \n,;][a-z \n]{0,200}",
        hidden in proptest::option::of(1_usize..8),
    ) {
        let mut planted = secret.clone();
        // Invisible characters in its middle must not hide it. In arguments they stay, and with them the split.
        let as_host_text = !matches!(place, Place::Arguments | Place::BrokenArguments | Place::ToolName | Place::CallId);
        if let Some(at) = hidden.filter(|_| as_host_text) {
            planted.insert(at, '\u{2060}');
        }
        let text = format!("{before} {planted}{after}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let left = runtime.block_on(leaves(place, &text));
        let heart = if secret.starts_with("-----") { "0123456789abcdefghijABCDEFGHIJ" } else { secret.as_str() };
        prop_assert!(!left.contains(heart), "{place:?}: {left}");
        prop_assert!(!left.contains(&secret), "{place:?}: {left}");
    }
}

/// What the loop itself needs for a turn with a large output: as much with 10 MB as with 20 KB.
#[tokio::test]
async fn the_cost_of_a_turn_does_not_grow_with_outputs() {
    let small = turn_time(20_000).await;
    let large = turn_time(10_000_000).await;
    // Debug builds and busy machines are slow; reading all of it would be a hundred times as much.
    assert!(large < 20 * small + Duration::from_millis(20), "{small:?}, {large:?}");
}

/// The fastest of some turns, without the time that model and tool need themselves.
async fn turn_time(bytes: usize) -> Duration {
    let output: Arc<str> = "a line of output 1234\n".repeat(bytes / 22).into();
    let spent = Arc::new(std::sync::Mutex::new((None::<Instant>, Vec::new())));
    let (made, asked) = (spent.clone(), spent.clone());
    let tool = ClosureTool::new("look", move |arguments: &Value| {
        let text = format!("{}{output}", arguments["path"]);
        made.lock().unwrap().0 = Some(Instant::now());
        Ok(ToolReply::Text(text))
    });
    let count = std::sync::atomic::AtomicUsize::new(0);
    let model = ScriptedModel::new().with_limits(ModelLimits::new(10_000_000, 8_000)).forever(move |_| {
        let mut asked = asked.lock().unwrap();
        let began = asked.0.take();
        asked.1.extend(began.map(|began| began.elapsed()));
        let path = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
        let call = ToolCall { id: path.clone(), ..tool_call("look", &json!({ "path": path })) };
        Ok(ModelReply::calls(vec![call]))
    });
    let desk = Desk::new().limits(AgentLimits::default().with_turns(8).with_tokens(u64::MAX, u64::MAX));
    desk.run(&model, &[&tool, &submit()]).await;
    let times = spent.lock().unwrap().1.clone();
    times.into_iter().min().unwrap()
}
