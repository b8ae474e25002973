//! Who is asked when the rules are not sure, and which fixer's change is kept.

use std::sync::Arc;

use async_trait::async_trait;
use staso_core::diagnosis::{DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis};
use staso_core::fix::{FixCandidate, FixError, FixRequest, Fixer};
use staso_core::heal::StoppingPoint;
use staso_core::run::{BudgetExhausted, EventKind, OutcomeState, RunContext};
use staso_core::testing::{FixedDiagnoser, MemorySandbox, MemorySink, ReplacingFixer, ScriptedExec};

use super::ended;
use super::world::{World, diagnosis, path, receipt, request, sandbox, tests};

/// A diagnosis that can be told from the others by its number of labelled cases.
pub(crate) fn marked(support: u32, confidence: f64) -> Diagnosis {
    let mut made = diagnosis();
    made.support = support;
    made.cap(confidence, "as the test asks");
    made
}

#[derive(Debug)]
struct Fails(fn() -> DiagnoseError);

#[async_trait]
impl Diagnoser for Fails {
    fn name(&self) -> &'static str {
        "fails"
    }

    async fn diagnose(&self, _: &DiagnoseRequest<'_>, _: &RunContext) -> Result<Diagnosis, DiagnoseError> {
        Err((self.0)())
    }
}

pub(crate) fn unsure() -> World {
    let mut world = World::new();
    world.diagnosis.cap(0.4, "as the test asks");
    world
}

#[tokio::test]
async fn triage_comes_first_and_deep_only_when_triage_is_unsure() {
    for (triage, expected) in [(0.7, 1), (0.5, 2)] {
        let deep = FixedDiagnoser::new(marked(2, 0.65));
        let healer = unsure()
            .builder()
            .await
            .with_triage(Arc::new(FixedDiagnoser::new(marked(1, triage))))
            .with_deep(Arc::new(deep.clone()))
            .build();
        let artifact = healer.heal(request()).await;
        let diagnosis = artifact.diagnosis.unwrap();
        assert_eq!(diagnosis.support, expected);
        assert_eq!(deep.asked().len(), usize::from(expected == 2));
        assert!(diagnosis.escalated_because.unwrap().contains("below 0.60"));
    }
}

#[tokio::test]
async fn the_stopping_point_keeps_deep_from_opening_a_sandbox() {
    for (until, asked) in [
        (StoppingPoint::Diagnose, 0),
        (StoppingPoint::Propose, 0),
        (StoppingPoint::Verify, 1),
        (StoppingPoint::Publish, 1),
    ] {
        let deep = FixedDiagnoser::new(marked(2, 0.65));
        let healer = unsure().builder().await.with_deep(Arc::new(deep.clone())).build();
        healer.heal(request().until(until)).await;
        assert_eq!(deep.asked().len(), asked, "{until}");
    }
    let mut world = unsure();
    world.policy = world.policy.with_deep_from(StoppingPoint::Diagnose);
    let deep = FixedDiagnoser::new(marked(2, 0.65));
    let healer = world.builder().await.with_deep(Arc::new(deep.clone())).build();
    healer.heal(request().until(StoppingPoint::Diagnose)).await;
    assert_eq!(deep.asked().len(), 1, "the host allows it");
}

#[tokio::test]
async fn a_deeper_answer_without_evidence_does_not_replace_one_with_evidence() {
    let mut invented = marked(2, 0.9);
    invented.receipts = vec![receipt("'never said'")];
    let healer = unsure().builder().await.with_deep(Arc::new(FixedDiagnoser::new(invented.clone()))).build();
    let kept = healer.heal(request()).await.diagnosis.unwrap();
    assert_eq!(kept.support, 0);
    assert!(kept.missing.iter().any(|missing| missing.what.contains("better supported")));

    let mut world = unsure();
    world.diagnosis.receipts.clear();
    let healer = world.builder().await.with_deep(Arc::new(FixedDiagnoser::new(invented))).build();
    let artifact = healer.heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::NotEnoughEvidence, "no_cause_found"));
    assert!(artifact.fix.is_none(), "no fixer was asked");
    let receipts = artifact.diagnosis.unwrap().receipts;
    assert!(matches!(receipts.as_slice(), [only] if !only.is_verified()), "the refused one stays");
}

#[tokio::test]
async fn without_a_deeper_answer_the_quick_one_stands_and_says_so() {
    let error = || DiagnoseError::Backend {
        provider: "test",
        operation: "asking",
        source: "no route to the model".into(),
    };
    let sink = MemorySink::default();
    let healer = unsure().builder().await.with_deep(Arc::new(Fails(error))).build();
    let artifact = healer.heal(request().with_sink(Arc::new(sink.clone()))).await;
    let diagnosis = artifact.diagnosis.unwrap();
    assert_eq!(diagnosis.confidence.value(), 0.4);
    assert!(diagnosis.missing.iter().any(|missing| missing.how_to_get.contains("no route to the model")));
    assert!(sink.events().iter().any(|event| matches!(event.event, EventKind::Warning { .. })));
}

#[tokio::test]
async fn a_budget_that_ends_the_search_is_the_end_of_the_run_when_too_little_was_found() {
    let error = || DiagnoseError::Budget(BudgetExhausted { resource: "turns", limit: 20 });
    for (confidence, state) in [(0.2, OutcomeState::BudgetExhausted), (0.4, OutcomeState::FixRejected)] {
        let mut world = World::new();
        world.diagnosis.cap(confidence, "as the test asks");
        let artifact = world.builder().await.with_deep(Arc::new(Fails(error))).build().heal(request()).await;
        assert_eq!(artifact.outcome.state, state, "{}", artifact.outcome.reason);
    }
}

#[tokio::test]
async fn cancelling_a_deeper_search_ends_the_run() {
    let healer = unsure().builder().await.with_deep(Arc::new(Fails(|| DiagnoseError::Cancelled))).build();
    assert_eq!(healer.heal(request()).await.outcome.state, OutcomeState::Cancelled);
}

/// A second fixer that replaces `'old'`, and says what it was told.
#[derive(Debug)]
struct Second(ReplacingFixer, bool);

#[async_trait]
impl Fixer for Second {
    fn name(&self) -> &'static str {
        "second"
    }

    async fn propose(
        &self,
        request: &FixRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Vec<FixCandidate>, FixError> {
        let told = request.checkout.is_some() && request.tests.is_some() && request.reproduction.is_some();
        assert_eq!(told, self.1, "what was found out is handed on");
        let candidates = self.0.propose(request, ctx).await?;
        if candidates.is_empty() {
            return Err(FixError::NothingMade { fixer: "second", reason: "it gave up".to_owned() });
        }
        Ok(candidates)
    }
}

fn second(candidates: &[&'static str], told: bool) -> Arc<Second> {
    Arc::new(Second(ReplacingFixer::new(path("tools.py"), "'old'", candidates.to_vec()), told))
}

#[tokio::test]
async fn the_next_fixer_is_asked_only_when_no_change_of_the_first_is_proven() {
    for (first, author) in [("'new'", "replacing:'new'"), ("'old' ", "replacing:'newer'")] {
        let mut world = World::new();
        world.candidates = vec![first];
        let builder = world.builder().await.with_sandbox(Arc::new(sandbox()), tests());
        let artifact = builder.with_fixer(second(&["'newer'"], true)).build().heal(request()).await;
        assert_eq!(
            ended(&artifact),
            (OutcomeState::Completed, "fix_published"),
            "{}",
            artifact.outcome.reason
        );
        assert_eq!(artifact.fix.unwrap().author, author);
        let proof = artifact.verification.unwrap();
        assert!(proof.checks.iter().all(|check| check.ok == Some(true)), "failed trials are not its proof");
    }
}

/// A fixer that has nothing to offer without a checkout, as one that works in a sandbox.
#[derive(Debug)]
struct InASandbox(ReplacingFixer);

#[async_trait]
impl Fixer for InASandbox {
    fn name(&self) -> &'static str {
        "in-a-sandbox"
    }

    async fn propose(
        &self,
        request: &FixRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Vec<FixCandidate>, FixError> {
        if request.checkout.is_none() { Ok(Vec::new()) } else { self.0.propose(request, ctx).await }
    }
}

#[tokio::test]
async fn a_fixer_that_works_in_a_sandbox_may_be_the_only_one() {
    let world = World::new();
    let fixer = InASandbox(ReplacingFixer::new(path("tools.py"), "'old'", vec!["'new'"]));
    let builder = world.without_fixer().await.with_sandbox(Arc::new(sandbox()), tests());
    let artifact = builder.with_fixer(Arc::new(fixer)).build().heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::Completed, "fix_published"), "{}", artifact.outcome.reason);
}

#[tokio::test]
async fn what_came_furthest_is_kept_as_a_suggestion() {
    for (first, second_try, code, author) in [
        ("'broken'", "'old' ", "tests_fail_with_fix", Some("replacing:'broken'")),
        ("'old' ", "'broken'", "tests_fail_with_fix", Some("replacing:'broken'")),
        ("'old' ", "'old'  ", "no_candidate_passed", None),
    ] {
        let mut world = World::new();
        world.candidates = vec![first];
        let builder = world.builder().await.with_sandbox(Arc::new(sandbox()), tests());
        let artifact = builder.with_fixer(second(&[second_try], true)).build().heal(request()).await;
        assert_eq!(ended(&artifact), (OutcomeState::FixRejected, code));
        assert_eq!(artifact.fix.map(|fix| fix.author).as_deref(), author);
    }
}

#[tokio::test]
async fn a_failure_that_does_not_happen_again_still_gets_the_last_fixers_suggestion() {
    let world = World::new();
    let files = [(path("tools.py"), b"'other'".to_vec())].into();
    let elsewhere = MemorySandbox::new(files).with_answer(|_| true, ScriptedExec::new(0, ""));
    let builder = world.builder().await.with_sandbox(Arc::new(elsewhere), tests());
    let artifact = builder.with_fixer(second(&["'newer'"], false)).build().heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::NotReproduced, "not_reproduced"));
    assert_eq!(artifact.fix.unwrap().author, "replacing:'newer'");
}
