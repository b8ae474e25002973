//! Models that do not come to a good end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use staso_core::agent::{AgentLimits, ModelError, ModelReply};
use staso_core::fix::{AgentFixer, FixCandidate, FixError};
use staso_core::run::RunContext;
use staso_core::sandbox::{Sandbox, SandboxCapabilities, SandboxError, SandboxSession, SandboxSpec};
use staso_core::testing::{SandboxCall, ScriptedModel, tool_call};
use tokio_util::sync::CancellationToken;

use super::world::{World, edits, mends};

fn edited() -> ScriptedModel {
    edits(ScriptedModel::new(), "tools.py", "'old'", "'new'")
}

/// The only candidate, which was not handed in.
async fn kept(world: &World, model: &ScriptedModel, limits: AgentLimits) -> FixCandidate {
    let fixer = world.fixer(model).with_limits(limits);
    let mut candidates = world.propose(&fixer).await.unwrap();
    assert_eq!(candidates.len(), 1);
    let candidate = candidates.remove(0);
    assert!(candidate.why.starts_with("The agent stopped before it was done: "), "{}", candidate.why);
    assert!(candidate.score < 0.5);
    assert_eq!(candidate.title, "Mend: A key is read that the data does not have");
    candidate
}

#[tokio::test]
async fn a_working_change_outlives_the_budget() {
    let model = edited().forever(|_| Ok(ModelReply::calls(vec![tool_call("reproduce", &json!({}))])));
    let candidate = kept(&World::new(), &model, AgentLimits::default().with_turns(3)).await;
    assert!(candidate.why.contains("was reached"), "{}", candidate.why);
}

#[tokio::test]
async fn a_working_change_outlives_circles_and_noise() {
    let circles = edited().forever(|_| Ok(ModelReply::calls(vec![tool_call("reproduce", &json!({}))])));
    let candidate = kept(&World::new(), &circles, AgentLimits::default()).await;
    assert!(candidate.why.contains("went round in circles"), "{}", candidate.why);
    let mut broken = tool_call("edit_file", &json!({}));
    broken.arguments = "{\"path".to_owned();
    let noise = edited().forever(move |_| Ok(ModelReply::calls(vec![broken.clone()])));
    let candidate = kept(&World::new(), &noise, AgentLimits::default()).await;
    assert!(candidate.why.contains("could not be read any more"), "{}", candidate.why);
}

#[tokio::test]
async fn edits_that_would_not_parse_are_no_malformed_calls() {
    let mut model = ScriptedModel::new();
    for broken in ["'new'](", "'new')", "'new'[("] {
        model = edits(model, "tools.py", "'old'", broken);
    }
    let model = super::world::submits(edits(model, "tools.py", "'old'", "'new'"));
    let candidates = World::new().mend(&model).await.unwrap();
    assert_eq!((candidates.len(), model.steps_left()), (1, 0));
    assert!(model.requests()[3].last_result().contains("syntax error"));
}

#[tokio::test]
async fn a_working_change_outlives_the_model() {
    let model = edited().then_with(|_| Err(ModelError::Auth { status: Some(401) }));
    let candidate = kept(&World::new(), &model, AgentLimits::default()).await;
    assert!(candidate.why.contains("refused the credentials"), "{}", candidate.why);
}

#[tokio::test]
async fn nothing_made_says_why() {
    let model = ScriptedModel::new().forever(|_| Ok(ModelReply::text("Hm.")));
    let error = World::new().mend(&model).await.unwrap_err();
    assert!(matches!(&error, FixError::NothingMade { fixer: "agent", .. }), "{error:?}");
    assert!(error.to_string().ends_with("and no file has changed"), "{error}");
}

#[tokio::test]
async fn a_model_that_fails_is_an_error_without_its_words() {
    let model = ScriptedModel::new().then_with(|_| Err(ModelError::RateLimited { retry_after: None }));
    let error = World::new().mend(&model).await.unwrap_err();
    assert!(matches!(&error, FixError::Backend { provider: "agent", .. }), "{error:?}");
    assert_eq!(error.to_string(), "asking the model failed in fixer agent");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_limit_on_money_needs_a_price() {
    let world = World::new();
    let fixer = world.fixer(&mends()).with_limits(AgentLimits::default().with_cost_micro_usd(1));
    let error = world.propose(&fixer).await.unwrap_err();
    assert!(error.to_string().contains("there is no price for model"), "{error}");
}

#[tokio::test]
async fn a_refused_change_is_not_kept() {
    let ci = json!({ "path": ".github/workflows/x.yml", "content": "on: push\n" });
    let model = edited().then_call("write_file", &ci).then_with(|_| Err(ModelError::ContentFilter));
    let error = World::new().mend(&model).await.unwrap_err();
    assert!(matches!(error, FixError::Backend { .. }), "{error:?}");
}

#[tokio::test]
async fn one_failing_attempt_does_not_spoil_the_others() {
    let world = World::new();
    let model = ScriptedModel::new().then_with(|_| Err(ModelError::ContentFilter));
    let model = super::world::submits(edits(model, "tools.py", "'old'", "'new'"));
    let fixer = world.fixer(&model).with_samples(2);
    assert_eq!(world.propose(&fixer).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_work_and_its_session() {
    let mut world = World::new();
    let token = CancellationToken::new();
    world.ctx = staso_core::testing::test_context().with_cancellation(token.clone());
    let model = edited().then_hang();
    let fixer = world.fixer(&model);
    let cancel = async {
        while model.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
        token.cancel();
    };
    let both = async { tokio::join!(world.propose(&fixer), cancel).0 };
    let ended = tokio::time::timeout(Duration::from_secs(2), both).await.unwrap();
    assert!(matches!(ended, Err(FixError::Cancelled)), "{ended:?}");
    assert_eq!(world.sandbox.calls().last(), Some(&SandboxCall::Close));
}

/// A machine that cannot isolate anything.
#[derive(Debug)]
struct Nowhere;

#[async_trait::async_trait]
impl Sandbox for Nowhere {
    async fn capabilities(&self, _ctx: &RunContext) -> Result<SandboxCapabilities, SandboxError> {
        Err(SandboxError::Closed)
    }

    async fn open(
        &self,
        _spec: &SandboxSpec,
        _ctx: &RunContext,
    ) -> Result<Box<dyn SandboxSession>, SandboxError> {
        Err(SandboxError::Closed)
    }
}

#[tokio::test]
async fn without_a_session_the_model_is_not_asked() {
    let (world, model) = (World::new(), mends());
    let fixer = AgentFixer::new(Arc::new(model.clone()), Arc::new(Nowhere));
    let error = world.propose(&fixer).await.unwrap_err();
    assert_eq!(error.to_string(), "working in a sandbox session failed in fixer agent");
    assert_eq!(model.requests().len(), 0);
}
