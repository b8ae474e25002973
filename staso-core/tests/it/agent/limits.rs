//! Every limit holds, and the answer keeps its reserve.

use serde_json::json;
use staso_core::agent::{AgentEnd, AgentLimits, ModelReply};
use staso_core::testing::{ScriptedModel, SeenToolChoice, tool_call};

use super::desk::{Desk, look, submit};

#[tokio::test]
async fn the_last_turn_is_announced_and_forced() {
    let endless =
        ScriptedModel::new().forever(|_| Ok(ModelReply::calls(vec![tool_call("look", &json!({}))])));
    let (look, submit) = (look(), submit());
    let desk = Desk::new().limits(AgentLimits::default().with_turns(4));
    let run = desk.run(&endless, &[&look, &submit]).await;
    assert!(matches!(run.end, AgentEnd::Exhausted { resource: "turns", limit: 4 }), "{:?}", run.end);
    let requests = endless.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[2].said().last(), Some(&"2 turns left; submit with submit."));
    assert_eq!(requests[3].said().last(), Some(&"This is the last turn: submit with submit now."));
    assert_eq!(requests[2].tool_choice, SeenToolChoice::Auto);
    assert_eq!(requests[3].tool_choice, SeenToolChoice::Named("submit".to_owned()));
}
