//! Every limit holds, and the answer keeps its reserve.

use std::time::Duration;

use serde_json::json;
use staso_core::agent::{
    AgentEnd, AgentError, AgentLimits, AgentRun, ModelError, ModelId, ModelLimits, ModelReply, Price,
    PriceTable, TokenUsage, ToolReply,
};
use staso_core::run::{Budget, EventKind};
use staso_core::testing::{ScriptedModel, SeenToolChoice, test_context, tool_call};

use super::desk::{ClosureTool, Desk, look, strict_submit, submit};

/// Calls a tool for ever; every reply has this usage.
fn endless(usage: TokenUsage) -> ScriptedModel {
    ScriptedModel::new().forever(move |_| {
        Ok(ModelReply::calls(vec![tool_call("look", &json!({ "path": "a" }))]).with_usage(usage))
    })
}

/// Looks on until it is forced to submit.
fn obedient(usage: TokenUsage) -> ScriptedModel {
    ScriptedModel::new().forever(move |request| {
        let forced = request.tool_choice == SeenToolChoice::Named("submit".to_owned());
        let call = tool_call(if forced { "submit" } else { "look" }, &json!({}));
        let usage = TokenUsage::new(usage.input, usage.output.min(request.max_output_tokens));
        Ok(ModelReply::calls(vec![call]).with_usage(usage))
    })
}

fn prices(input: f64, output: f64) -> Option<PriceTable> {
    let id = ModelId::new("scripted/model").unwrap();
    Some(PriceTable::default().with(id, Price { input, output, cached_input: None }))
}

#[track_caller]
fn assert_exhausted(run: &AgentRun, wanted: &str, limit: u64) {
    let AgentEnd::Exhausted { resource, limit: found } = run.end else { panic!("{:?}", run.end) };
    assert_eq!((resource, found), (wanted, limit));
}

#[tokio::test]
async fn the_last_turn_is_announced_and_forced() {
    let endless = endless(TokenUsage::new(100, 10));
    let (look, submit) = (look(), submit());
    let desk = Desk::new().limits(AgentLimits::default().with_turns(4));
    let run = desk.run(&endless, &[&look, &submit]).await;
    assert_exhausted(&run, "turns", 4);
    let requests = endless.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[1].said().len(), 1);
    assert_eq!(requests[2].said().last(), Some(&"2 turns left; submit with submit."));
    assert_eq!(requests[3].said().last(), Some(&"This is the last turn: submit with submit now."));
    assert_eq!(requests[2].tool_choice, SeenToolChoice::Auto);
    assert_eq!(requests[3].tool_choice, SeenToolChoice::Named("submit".to_owned()));
}

#[tokio::test]
async fn an_endless_model_stops_at_each_limit_of_tokens() {
    for (usage, resource, limit) in [
        (TokenUsage::new(50_000, 10), "input tokens", 400_000),
        (TokenUsage::new(100, 6_000), "output tokens", 32_000),
        (TokenUsage::new(u64::MAX, u64::MAX), "input tokens", 400_000),
    ] {
        let model = endless(usage);
        let (look, submit, desk) = (look(), submit(), Desk::new());
        let run = desk.run(&model, &[&look, &submit]).await;
        assert_exhausted(&run, resource, limit);
        let huge = usage.input == u64::MAX;
        assert!(huge || run.used.input_tokens <= 400_000, "{:?}", run.used);
        let asked = model.requests().iter().map(|request| request.max_output_tokens).max();
        assert!(asked <= Some(8_192));
        assert_eq!(desk.ctx.budget().used(), run.used);
    }
}

#[tokio::test]
async fn no_more_is_asked_for_than_may_still_be_written() {
    let model = endless(TokenUsage::new(10, 900));
    let desk = Desk::new().limits(AgentLimits::default().with_tokens(100_000, 4_000));
    let run = desk.run(&model, &[&look(), &submit()]).await;
    assert_exhausted(&run, "output tokens", 4_000);
    let asked: Vec<u64> = model.requests().iter().map(|request| request.max_output_tokens).collect();
    // A quarter is kept for the answer, which may use all that is left.
    assert_eq!(asked, [3_000, 2_100, 1_200, 1_300]);
}

#[tokio::test]
async fn a_model_that_obeys_answers_within_every_limit() {
    let cases = [
        (TokenUsage::new(50_000, 10), AgentLimits::default()),
        (TokenUsage::new(100, 3_000), AgentLimits::default()),
        (TokenUsage::new(100, 10), AgentLimits::default()),
        (TokenUsage::new(100, 10), AgentLimits::default().with_turns(1)),
        (TokenUsage::new(1_000, 100), AgentLimits::default().with_cost_micro_usd(20_000)),
    ];
    for (usage, limits) in cases {
        let mut desk = Desk::new().limits(limits.clone());
        desk.prices = prices(1.0, 2.0);
        let run = desk.run(&obedient(usage), &[&look(), &submit()]).await;
        assert!(matches!(run.end, AgentEnd::Submitted), "{usage:?} {limits:?} {:?}", run.end);
        assert!(
            run.used.input_tokens <= limits.input_tokens && run.used.output_tokens <= limits.output_tokens
        );
        assert!(limits.cost_micro_usd.is_none_or(|limit| run.used.cost_micro_usd <= limit), "{:?}", run.used);
    }
}

#[tokio::test]
async fn the_budget_of_the_run_holds_beside() {
    let mut cases: Vec<(&str, u64, Budget)> = Vec::new();
    let mut budget = Budget::default();
    budget.turns = 3;
    cases.push(("turns", 3, budget));
    let mut budget = Budget::default();
    budget.input_tokens = 9_000;
    cases.push(("input tokens", 9_000, budget));
    let mut budget = Budget::default();
    budget.output_tokens = 500;
    cases.push(("output tokens", 500, budget));
    let mut budget = Budget::default();
    budget.cost_micro_usd = Some(5_000);
    cases.push(("millionths of a US dollar", 5_000, budget));
    for (resource, limit, budget) in cases {
        let mut desk = Desk::with(test_context().with_budget(budget.clone()));
        desk.prices = prices(0.5, 1.0);
        let run = desk.run(&endless(TokenUsage::new(1_000, 100)), &[&look(), &submit()]).await;
        assert_exhausted(&run, resource, limit);
        let used = desk.ctx.budget().used();
        assert!(used.turns <= budget.turns && used.input_tokens <= budget.input_tokens);
        assert!(used.output_tokens <= budget.output_tokens);
        assert!(budget.cost_micro_usd.is_none_or(|limit| used.cost_micro_usd <= limit));
    }
}

#[tokio::test]
async fn what_others_of_the_run_used_counts() {
    let mut budget = Budget::default();
    budget.turns = 5;
    let desk = Desk::with(test_context().with_budget(budget));
    let usage = TokenUsage::new(10, 10);
    let first = desk.run(&obedient(usage), &[&look(), &submit()]).await;
    assert!(matches!(first.end, AgentEnd::Submitted));
    assert_eq!(first.turns, 5);
    let model = obedient(usage);
    let second = desk.run(&model, &[&look(), &submit()]).await;
    assert_exhausted(&second, "turns", 5);
    assert_eq!((second.turns, model.requests().len()), (0, 0));
}

#[tokio::test]
async fn a_limit_on_money_needs_a_price() {
    let limits = AgentLimits::default().with_cost_micro_usd(1);
    let mut budget = Budget::default();
    budget.cost_micro_usd = Some(1);
    for desk in [Desk::new().limits(limits), Desk::with(test_context().with_budget(budget))] {
        let model = endless(TokenUsage::new(1, 1));
        let ended = desk.try_run(&model, &[&look(), &submit()]).await;
        assert!(
            matches!(&ended, Err(AgentError::NoPrice { model }) if model == "scripted/model"),
            "{ended:?}"
        );
        assert!(model.requests().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn wall_time_ends_the_work_and_leaves_time_for_the_answer() {
    let slow = ClosureTool::hanging("look");
    let model = ScriptedModel::new().forever(|request| {
        let forced = request.tool_choice != SeenToolChoice::Auto;
        Ok(ModelReply::calls(vec![tool_call(if forced { "submit" } else { "look" }, &json!({}))]))
    });
    let limits = AgentLimits::default().with_wall(Duration::from_secs(100)).with_tool_wall(Duration::MAX);
    let started = tokio::time::Instant::now();
    let run = Desk::new().limits(limits).run(&model, &[&slow, &submit()]).await;
    assert!(matches!(run.end, AgentEnd::Submitted), "{:?}", run.end);
    assert!(started.elapsed() <= Duration::from_secs(100), "{:?}", started.elapsed());
    assert!(run.shown.output("t1").unwrap().text.contains("took longer than 90s"));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_hangs_ends_at_its_timeout_or_with_the_wall() {
    let desk = Desk::new();
    let run = desk.run(&ScriptedModel::new().then_hang(), &[&submit()]).await;
    assert!(matches!(run.end, AgentEnd::Model(ModelError::Timeout { limit_ms: 120_000 })), "{:?}", run.end);
    let desk = Desk::new().limits(AgentLimits::default().with_wall(Duration::from_secs(50)));
    let run = desk.run(&ScriptedModel::new().then_hang(), &[&submit()]).await;
    assert_exhausted(&run, "ms of wall time", 50_000);
    let budget = Budget::default().with_wall(Duration::from_secs(40));
    let desk = Desk::with(test_context().with_budget(budget));
    let run = desk.run(&ScriptedModel::new().then_hang(), &[&submit()]).await;
    assert_exhausted(&run, "ms of wall time", 40_000);
}

#[tokio::test(start_paused = true)]
async fn tools_share_their_time_and_then_the_answer_is_due() {
    let (slow, submit) = (ClosureTool::hanging("look"), strict_submit(1));
    let model = ScriptedModel::new()
        .then_calls(vec![tool_call("look", &json!({})), tool_call("look", &json!({ "path": "b" }))])
        .then_call("submit", &json!({}))
        .then_call("submit", &json!({ "path": "repaired" }));
    let limits = AgentLimits::default().with_tool_wall(Duration::from_secs(10));
    let run = Desk::new().limits(limits).run(&model, &[&slow, &submit]).await;
    assert!(matches!(run.end, AgentEnd::Submitted), "{:?}", run.end);
    assert_eq!(slow.calls(), 1, "the second finds no time");
    assert!(run.shown.output("t1").unwrap().text.contains("took longer than 10s"));
    assert!(run.shown.output("t2").unwrap().text.contains("time for tools is used up"));
    assert_eq!(
        model.requests()[1].said().last(),
        Some(&"The limit on ms of tool time is nearly reached: submit with submit now.")
    );
}

#[tokio::test]
async fn a_forced_submission_may_be_repaired_twice() {
    let model = endless(TokenUsage::new(1, 5_000));
    let submitting = ScriptedModel::new().forever(|request| {
        let path = request.messages.len().to_string();
        let call = tool_call("submit", &json!({ "path": path }));
        Ok(ModelReply::calls(vec![call]).with_usage(TokenUsage::new(1, 80)))
    });
    let limits = AgentLimits::default().with_tokens(100_000, 400);
    let desk = Desk::new().limits(limits.clone());
    let submit = strict_submit(usize::MAX);
    // 400 tokens, 100 of them kept back: the answer is due after 300.
    let run = desk.run(&submitting, &[&look(), &submit]).await;
    assert_exhausted(&run, "output tokens", 400);
    assert!(submit.calls() <= 5);
    let run = Desk::new().limits(limits).run(&model, &[&look(), &submit]).await;
    assert_exhausted(&run, "output tokens", 400);
    assert_eq!(run.turns, 1);
}

#[tokio::test]
async fn usage_that_is_not_reported_is_estimated() {
    let model = ScriptedModel::new().then_text("a".repeat(400)).then_call("submit", &json!({}));
    let desk = Desk::new();
    let run = desk.run(&model, &[&submit()]).await;
    assert!(run.used.estimated && run.used.output_tokens >= 100, "{:?}", run.used);
    let updates: Vec<_> = desk
        .events()
        .into_iter()
        .filter_map(|event| match event {
            EventKind::BudgetUpdated { used } => Some(used),
            _ => None,
        })
        .collect();
    assert_eq!(updates.len(), 2);
    assert_eq!(updates[1], run.used);
}

#[tokio::test]
async fn old_observations_make_room_and_the_rest_stays() {
    let large = ClosureTool::new("look", |arguments| {
        let path = arguments["path"].as_str().unwrap_or_default();
        Ok(ToolReply::Text(format!("{path} {}", "x".repeat(2_000))))
    });
    let mut model = ScriptedModel::new().with_limits(ModelLimits::new(4_000, 500));
    for number in 0..12 {
        model = model.then_call("look", &json!({ "path": format!("file {number}") }));
    }
    let model = model.then_call("submit", &json!({}));
    let mut limits = AgentLimits::default();
    limits.kept_observations = 3;
    let desk = Desk::new().limits(limits);
    let run = desk.run(&model, &[&large, &submit()]).await;
    assert!(matches!(run.end, AgentEnd::Submitted));
    let last = model.requests().pop().unwrap();
    let contents: Vec<&str> = last.results().iter().map(|result| result.content.as_str()).collect();
    assert_eq!(contents[0], "[t1] output of look left out to save room; call it again if needed");
    assert!(contents[9..].iter().all(|content| content.len() > 2_000));
    assert_eq!(last.said()[0], "Find out why.");
    assert!(last.everything().contains("file 0"), "the agent's own calls stay");
    assert!(run.shown.output("t1").unwrap().text.contains("file 0 xxx"), "what was shown is known");
    for request in model.requests() {
        let bytes: usize = request.messages.iter().map(staso_core::agent::Message::text_bytes).sum();
        assert!(bytes / 4 < 4_000, "{bytes}");
    }
}

#[tokio::test]
async fn large_outputs_do_not_eat_the_reserve_of_the_answer() {
    let large = ClosureTool::new("look", |arguments| {
        Ok(ToolReply::Text(format!("{} {}", arguments["path"], "x y ".repeat(4_000))))
    });
    let usage = |request: &staso_core::testing::SeenRequest| {
        let bytes: usize = request.messages.iter().map(staso_core::agent::Message::text_bytes).sum();
        TokenUsage::new(u64::try_from(bytes / 4 + 100).unwrap(), 50)
    };
    let model = ScriptedModel::new().forever(move |request| {
        let forced = request.tool_choice != SeenToolChoice::Auto;
        let calls = (0..8).map(|number| {
            let path = format!("{}/{number}", request.messages.len());
            tool_call(if forced { "submit" } else { "look" }, &json!({ "path": path }))
        });
        Ok(ModelReply::calls(calls.collect()).with_usage(usage(request)))
    });
    for tokens in [20_000, 40_000, 60_000, 80_000, 100_000, 200_000] {
        let desk = Desk::new().limits(AgentLimits::default().with_tokens(tokens, 32_000));
        let run = desk.run(&model, &[&large, &submit()]).await;
        assert!(matches!(run.end, AgentEnd::Submitted), "{tokens}: {:?}", run.end);
        assert!(run.used.input_tokens <= tokens, "{tokens}: {:?}", run.used);
    }
}

/// What a tool says is cut on its way in, and nothing of the rest is kept.
#[tokio::test]
async fn giant_outputs_stay_small_and_cheap() {
    let giant = "a line of output\n".repeat(10_000_000 / 17);
    let tool = ClosureTool::new("look", move |arguments| {
        Ok(ToolReply::Text(format!("{} {giant}", arguments["path"])))
    });
    let mut model = ScriptedModel::new().with_limits(ModelLimits::new(1_000_000, 8_000));
    for number in 0..15 {
        model = model.then_call("look", &json!({ "path": number.to_string() }));
    }
    let desk = Desk::new().limits(AgentLimits::default().with_tokens(10_000_000, 100_000));
    let run = desk.run(&model.clone().then_call("submit", &json!({})), &[&tool, &submit()]).await;
    assert!(matches!(run.end, AgentEnd::Submitted));
    for output in run.shown.outputs() {
        assert!(output.text.len() <= 16 << 10);
    }
    assert!(run.shown.output("t1").unwrap().text.contains("bytes left out"));
    let kept: usize = run.messages.iter().map(staso_core::agent::Message::text_bytes).sum();
    assert!(kept < 16 * (17 << 10), "{kept}");
    assert!(desk.sink.transcript().len() < 40 * (17 << 10));
}
