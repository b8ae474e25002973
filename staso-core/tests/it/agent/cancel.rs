//! Cancelling ends an agent at once, wherever it waits.

use std::time::Duration;

use serde_json::json;
use staso_core::agent::{AgentError, ModelReply};
use staso_core::testing::{ScriptedModel, tool_call};

use super::desk::{ClosureTool, Desk, look, submit};

/// Cancels after a while of paused time, and says how long the agent went on.
async fn time_after_cancel(
    desk: &Desk,
    model: &ScriptedModel,
    tool: &ClosureTool,
) -> (Result<(), AgentError>, Duration) {
    let token = desk.ctx.cancellation().clone();
    let submit = submit();
    let cancel = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        token.cancel();
        tokio::time::Instant::now()
    };
    let tools: [&dyn staso_core::agent::Tool; 2] = [tool, &submit];
    let work = async { (desk.try_run(model, &tools).await.map(drop), tokio::time::Instant::now()) };
    let ((ended, at), cancelled) = tokio::join!(work, cancel);
    (ended, at.saturating_duration_since(cancelled))
}

#[tokio::test(start_paused = true)]
async fn a_model_that_ignores_cancellation_is_left_behind() {
    let model = ScriptedModel::new().then_hang();
    let (ended, time) = time_after_cancel(&Desk::new(), &model, &look()).await;
    assert!(matches!(ended, Err(AgentError::Cancelled)));
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_ignores_cancellation_is_left_behind() {
    let model = ScriptedModel::new().then_call("slow", &json!({}));
    let (ended, time) = time_after_cancel(&Desk::new(), &model, &ClosureTool::hanging("slow")).await;
    assert!(matches!(ended, Err(AgentError::Cancelled)));
    assert!(time < Duration::from_secs(2), "{time:?}");
}

#[tokio::test]
async fn nothing_begins_in_a_run_that_was_cancelled() {
    let desk = Desk::new();
    desk.ctx.cancellation().cancel();
    let model = ScriptedModel::new().then_call("look", &json!({}));
    let ended = desk.try_run(&model, &[&look(), &submit()]).await;
    assert!(matches!(ended, Err(AgentError::Cancelled)));
    assert!(model.requests().is_empty() && desk.events().is_empty());
}

#[tokio::test]
async fn cancelled_between_model_and_tool_nothing_is_carried_out() {
    let desk = Desk::new();
    let token = desk.ctx.cancellation().clone();
    let model = ScriptedModel::new().then_with(move |_| {
        token.cancel();
        Ok(ModelReply::calls(vec![tool_call("look", &json!({}))]))
    });
    let look = look();
    let ended = desk.try_run(&model, &[&look, &submit()]).await;
    assert!(matches!(ended, Err(AgentError::Cancelled)));
    assert_eq!(look.calls(), 0);
}

#[tokio::test]
async fn cancelled_between_two_tools_the_second_is_not_carried_out() {
    let desk = Desk::new();
    let token = desk.ctx.cancellation().clone();
    let first = ClosureTool::new("first", move |_| {
        token.cancel();
        Ok(staso_core::agent::ToolReply::Text("done".to_owned()))
    });
    let model =
        ScriptedModel::new().then_calls(vec![tool_call("first", &json!({})), tool_call("look", &json!({}))]);
    let look = look();
    let ended = desk.try_run(&model, &[&first, &look, &submit()]).await;
    assert!(matches!(ended, Err(AgentError::Cancelled)));
    assert_eq!(look.calls(), 0);
}
