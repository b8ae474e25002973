//! What happens in a turn: calls, nudges, malformed calls, circles, redirections.

use serde_json::json;
use staso_core::agent::{
    AgentEnd, AgentError, AgentLimits, Message, ModelError, ModelId, ModelReply, StopReason, ToolCall,
    ToolError, ToolReply,
};
use staso_core::run::EventKind;
use staso_core::sandbox::SandboxError;
use staso_core::testing::{ScriptedModel, tool_call};

use super::desk::{ClosureTool, Desk, look, strict_submit, submit};

#[tokio::test]
async fn a_submission_ends_the_work_and_nothing_behind_it_is_carried_out() {
    let model = ScriptedModel::new().then_call("look", &json!({ "path": "a.py" })).then_calls(vec![
        tool_call("look", &json!({ "path": "b.py" })),
        tool_call("submit", &json!({})),
        tool_call("look", &json!({ "path": "c.py" })),
    ]);
    let (look, submit, desk) = (look(), submit(), Desk::new());
    let run = desk.run(&model, &[&look, &submit]).await;
    assert!(matches!(run.end, AgentEnd::Submitted));
    assert_eq!((run.turns, look.calls(), submit.calls(), model.steps_left()), (2, 2, 1, 0));
    let labels: Vec<&str> = run.shown.outputs().iter().map(|output| output.label.as_str()).collect();
    assert_eq!(labels, ["t1", "t2", "t3"]);
    assert_eq!(run.shown.output("t2").unwrap().text, "[t2] look 2: b.py");
    let Some(Message::Tool { results }) = run.messages.last() else { panic!("results come last") };
    assert_eq!(results.len(), 3, "every call has a result");
    assert!(results[2].content.starts_with("not carried out"));
    assert_eq!(model.requests()[1].last_result(), "[t1] look 1: a.py");
}

#[tokio::test]
async fn of_two_tools_with_one_name_the_first_is_offered_and_used() {
    let model = ScriptedModel::new().then_call("look", &json!({})).then_call("submit", &json!({}));
    let (first, second, submit) = (look(), look(), submit());
    Desk::new().run(&model, &[&first, &second, &submit]).await;
    assert_eq!((first.calls(), second.calls()), (1, 0));
    let offered: Vec<String> = model.requests()[0].tools.iter().map(|tool| tool.name.clone()).collect();
    assert_eq!(offered, ["look", "submit"]);
}

#[tokio::test]
async fn outputs_are_cited_by_the_number_of_their_event() {
    let model = ScriptedModel::new().then_call("look", &json!({})).then_call("submit", &json!({}));
    let (look, submit, desk) = (look(), submit(), Desk::new());
    let run = desk.run(&model, &[&look, &submit]).await;
    let notes = desk.ctx.notes();
    assert_eq!(notes.models.iter().map(ModelId::as_str).collect::<Vec<_>>(), ["scripted/model"]);
    assert_eq!(notes.tools.iter().collect::<Vec<_>>(), ["look", "submit"]);
    for output in run.shown.outputs() {
        let event = desk.sink.events().into_iter().find(|event| Some(event.id) == output.event).unwrap();
        let EventKind::ToolOutput { call, tool, text } = event.event else { panic!("{event:?}") };
        assert_eq!((&call, &tool, &text), (&output.label, &output.tool, &output.text));
    }
}

#[tokio::test]
async fn a_wrong_stop_reason_changes_nothing() {
    for stop in [StopReason::End, StopReason::Length, StopReason::Refusal, StopReason::Other] {
        let calls = vec![tool_call("submit", &json!({}))];
        let model = ScriptedModel::new()
            .then(ModelReply::text("done?").with_stop(StopReason::ToolCalls))
            .then(ModelReply::calls(calls).with_stop(stop));
        let submit = submit();
        let run = Desk::new().run(&model, &[&submit]).await;
        assert!(matches!(run.end, AgentEnd::Submitted), "{stop:?}");
        assert_eq!(run.turns, 2);
    }
}

#[tokio::test]
async fn text_without_a_call_is_nudged_twice_and_then_ends() {
    let long = ModelReply::text("I think and think").with_stop(StopReason::Length);
    let model = ScriptedModel::new().then_text("I think").then(long).then_text("so I am");
    let submit = submit();
    let run = Desk::new().run(&model, &[&submit]).await;
    let AgentEnd::Stuck { how } = run.end else { panic!("{:?}", run.end) };
    assert_eq!(how, "3 replies in a row without a tool call");
    assert_eq!(run.turns, 3);
    let requests = model.requests();
    assert_eq!(requests[1].said(), ["Find out why.", "Use a tool, or submit with submit."]);
    assert!(requests[2].said()[2].contains("be shorter"));
}

#[tokio::test]
async fn malformed_calls_are_answered_with_help_and_three_replies_of_them_end() {
    let broken = ToolCall { id: "x".into(), name: "look".into(), arguments: "{\"path\": \"a".into() };
    let list = ToolCall { id: "y".into(), name: "look".into(), arguments: "[1]".into() };
    let model = ScriptedModel::new()
        .then(ModelReply::calls(vec![broken]).with_stop(StopReason::Length))
        .then_calls(vec![list])
        .then_call("grep", &json!({}));
    let (look, submit) = (look(), submit());
    let run = Desk::new().run(&model, &[&look, &submit]).await;
    assert!(matches!(run.end, AgentEnd::Malformed));
    assert_eq!((run.turns, look.calls()), (3, 0));
    let outputs: Vec<&str> = run.shown.outputs().iter().map(|output| output.text.as_str()).collect();
    assert!(outputs[0].contains("not JSON") && outputs[0].contains("be shorter"), "{}", outputs[0]);
    assert!(outputs[0].contains("additionalProperties"), "{}", outputs[0]);
    assert!(outputs[1].contains("not a JSON object"), "{}", outputs[1]);
    assert!(outputs[2].contains("there is no tool grep") && outputs[2].contains("look, submit"));
    assert_eq!(run.used.turns, 3, "they were billed");
}

#[tokio::test]
async fn a_good_call_forgives_malformed_ones() {
    let mut model = ScriptedModel::new();
    for _ in 0..3 {
        model = model.then_call("no", &json!({})).then_call("no", &json!({})).then_call("look", &json!({}));
    }
    let (look, submit) = (look(), submit());
    let run = Desk::new().run(&model.then_call("submit", &json!({})), &[&look, &submit]).await;
    assert!(matches!(run.end, AgentEnd::Submitted));
    assert_eq!((run.turns, look.calls()), (10, 3));
}

#[tokio::test]
async fn only_so_many_calls_of_a_reply_are_carried_out() {
    let calls = (0..11).map(|number| tool_call("look", &json!({ "path": number.to_string() }))).collect();
    let model = ScriptedModel::new().then_calls(calls).then_call("submit", &json!({}));
    let (look, submit) = (look(), submit());
    let run = Desk::new().run(&model, &[&look, &submit]).await;
    assert_eq!(look.calls(), 8);
    let refused = run.shown.outputs().iter().filter(|output| output.text.contains("at most 8 calls")).count();
    assert_eq!(refused, 3);
    assert_eq!(model.requests()[1].results().len(), 11);
}

#[tokio::test]
async fn the_same_call_with_the_same_result_is_refused_and_then_ends() {
    let same = ClosureTool::new("same", |_| Ok(ToolReply::Text("same".to_owned())));
    let model = ScriptedModel::new()
        .forever(|_| Ok(ModelReply::calls(vec![tool_call("same", &json!({ "path": "a", "b": 1 }))])));
    let submit = submit();
    let run = Desk::new().run(&model, &[&same, &submit]).await;
    assert!(matches!(run.end, AgentEnd::Stuck { .. }), "{:?}", run.end);
    assert_eq!((run.turns, same.calls()), (5, 3));
    assert!(run.shown.output("t4").unwrap().text.contains("\"repeated\""));
}

#[tokio::test]
async fn going_back_and_forth_ends() {
    let same = ClosureTool::new("same", |arguments| Ok(ToolReply::Text(arguments.to_string())));
    let both = vec![tool_call("same", &json!({ "path": "a" })), tool_call("same", &json!({ "path": "b" }))];
    let model = ScriptedModel::new().forever(move |_| Ok(ModelReply::calls(both.clone())));
    let submit = submit();
    let run = Desk::new().run(&model, &[&same, &submit]).await;
    let AgentEnd::Stuck { how } = run.end else { panic!("{:?}", run.end) };
    assert!(how.contains("back and forth"));
    assert_eq!((run.turns, same.calls()), (3, 6));
}

#[tokio::test]
async fn the_same_failure_three_times_ends() {
    let model =
        ScriptedModel::new().forever(|_| Ok(ModelReply::calls(vec![tool_call("submit", &json!({}))])));
    let submit = strict_submit(usize::MAX);
    let run = Desk::new().run(&model, &[&submit]).await;
    let AgentEnd::Stuck { how } = run.end else { panic!("{:?}", run.end) };
    assert!(how.contains("failed three times"));
    assert_eq!(submit.calls(), 3);
}

#[tokio::test]
async fn problems_of_the_sandbox_are_read_and_its_end_is_the_end() {
    let path = || staso_core::code::RepoPath::new("a.py").unwrap();
    let read = ClosureTool::new("look", move |arguments| {
        Err(ToolError::Sandbox(match arguments["path"].as_str().unwrap() {
            "missing" => SandboxError::NotFound { path: path() },
            "denied" => SandboxError::Denied { path: path(), reason: "a link".to_owned() },
            "large" => SandboxError::TooLarge { what: "a.py".to_owned(), limit_bytes: 1 },
            "slow" => SandboxError::Timeout { operation: "reading", limit_ms: 5 },
            "odd" => SandboxError::InvalidRequest { operation: "read", reason: "odd".to_owned() },
            _ => SandboxError::Closed,
        }))
    });
    let asked = ["missing", "denied", "large", "slow", "odd", "gone"];
    let mut model = ScriptedModel::new();
    for path in asked {
        model = model.then_call("look", &json!({ "path": path }));
    }
    let (submit, desk) = (submit(), Desk::new());
    let ended = desk.try_run(&model, &[&read, &submit]).await;
    assert!(matches!(ended, Err(AgentError::Sandbox(SandboxError::Closed))), "{ended:?}");
    let last = model.requests().pop().unwrap();
    let codes = ["no_match", "denied", "too_large", "timeout", "bad_args"];
    for (result, code) in last.results().iter().zip(codes) {
        assert!(result.content.contains(&format!("\"code\":\"{code}\"")), "{}", result.content);
        assert!(!result.ok);
    }
    assert_eq!(last.results().len(), 5);
}

#[tokio::test]
async fn the_host_can_say_something_in_mid_run() {
    let desk = Desk::new();
    let redirections = desk.ctx.redirections().clone();
    let look = ClosureTool::new("look", move |_| {
        redirections.send("Look at b.py, key ghp_0123456789abcdefghij0123456789abcdef").unwrap();
        Ok(ToolReply::Text("nothing".to_owned()))
    });
    let model = ScriptedModel::new().then_call("look", &json!({})).then_call("submit", &json!({}));
    let submit = submit();
    let run = desk.run(&model, &[&look, &submit]).await;
    let heard = "Look at b.py, key [secret]";
    assert_eq!(model.requests()[1].said(), ["Find out why.", heard]);
    assert!(desk.events().contains(&EventKind::Redirected { text: heard.to_owned() }));
    assert!(run.shown.texts().any(|text| text == heard));
}

#[tokio::test]
async fn a_model_that_fails_ends_the_work_with_its_error() {
    let model = ScriptedModel::new()
        .then_call("look", &json!({}))
        .then_with(|_| Err(ModelError::Network { what: "reset" }));
    let (look, submit) = (look(), submit());
    let run = Desk::new().run(&model, &[&look, &submit]).await;
    assert!(matches!(run.end, AgentEnd::Model(ModelError::Network { .. })));
    assert_eq!(run.turns, 1, "only replies count");
    let over = Desk::new().run(&model, &[&look, &submit]).await;
    let AgentEnd::Model(error) = over.end else { panic!("{:?}", over.end) };
    assert!(error.to_string().contains("after the end of the script"), "{error}");
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_sent_once_more_with_less() {
    let large = ClosureTool::new("look", |arguments| {
        Ok(ToolReply::Text(format!("{}{}", arguments["path"], "x".repeat(500))))
    });
    let mut model = ScriptedModel::new();
    for number in 0..4 {
        model = model.then_call("look", &json!({ "path": number.to_string() }));
    }
    let model = model.then_with(|_| Err(ModelError::ContextLength)).then_with(|request| {
        let pointers = request.results().iter().filter(|result| result.content.contains("left out")).count();
        assert_eq!(pointers, 2);
        Err(ModelError::ContextLength)
    });
    let (submit, desk) = (submit(), Desk::new().limits(AgentLimits::default()));
    let run = desk.run(&model, &[&large, &submit]).await;
    assert!(matches!(run.end, AgentEnd::Model(ModelError::ContextLength)));
    assert_eq!((run.turns, model.requests().len()), (4, 6));
    let masked = desk.events().into_iter().filter_map(|event| match event {
        EventKind::ModelRequested { masked, turn, .. } => Some((turn, masked)),
        _ => None,
    });
    assert_eq!(masked.collect::<Vec<_>>(), [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (5, 2)]);
}
