//! Working for ever.

use serde_json::json;
use staso_core::agent::{ModelReply, ToolCall};
use staso_core::run::OutcomeState::{BudgetExhausted, FixRejected, NotEnoughEvidence};
use staso_core::testing::{ScriptedModel, tool_call};

use super::attack::Attack;
use super::stage::Stage;

/// A model that never submits: `reply` makes its next reply from the number of the request.
fn endless(reply: impl Fn(usize) -> ModelReply + Send + Sync + 'static) -> ScriptedModel {
    ScriptedModel::new().forever(move |request| Ok(reply(request.messages.len())))
}

fn ways() -> Vec<(&'static str, ScriptedModel)> {
    let another =
        |at: usize| ModelReply::calls(vec![tool_call("bash", &json!({"command": format!("echo {at}")}))]);
    let forged =
        |at: usize| ToolCall { id: String::new(), name: "bash".to_owned(), arguments: format!("{{{at}") };
    let repeated: Vec<_> = (0..50).map(|_| tool_call("list_files", &json!({}))).collect();
    vec![
        ("another command each time", endless(another)),
        ("the same call", endless(|_| ModelReply::calls(vec![tool_call("list_files", &json!({}))]))),
        ("fifty calls at once", endless(move |_| ModelReply::calls(repeated.clone()))),
        ("talk", endless(|at| ModelReply::text(format!("I redirect myself, {at}")))),
        ("calls that cannot be read", endless(move |at| ModelReply::calls(vec![forged(at)]))),
        (
            "tools that are not there",
            endless(|at| ModelReply::calls(vec![tool_call("loop", &json!({"n": at}))])),
        ),
        ("nothing", endless(|_| ModelReply::text(""))),
        ("very much", endless(|at| ModelReply::text(format!("{at} {}", "word ".repeat(40_000))))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_investigator_without_end_is_ended() {
    let stage = Stage::new().await.with_turns(6);
    for (name, model) in ways() {
        let aftermath = stage.suffer_models(Attack::new(name), model, ScriptedModel::new()).await;
        aftermath.assert_nothing_published();
        let state = aftermath.artifact.outcome.state;
        assert!(matches!(state, NotEnoughEvidence | BudgetExhausted), "{name}: {state:?}");
        assert!(aftermath.requests[0].len() <= 8, "{name}: {} requests", aftermath.requests[0].len());
        assert!(aftermath.requests[1].is_empty(), "{name}: a fixer was asked without a diagnosis");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixer_without_end_is_ended() {
    let stage = Stage::new().await.with_turns(6);
    for (name, model) in ways() {
        let attack = Attack::new(name);
        let investigator = attack.investigator();
        let aftermath = stage.suffer_models(attack, investigator, model).await;
        aftermath.assert_nothing_published();
        assert_eq!(aftermath.artifact.outcome.state, FixRejected, "{name}");
        assert!(aftermath.requests[1].len() <= 8, "{name}: {} requests", aftermath.requests[1].len());
    }
}
