//! The orchestrator: every terminal state, the stopping points, cancellation and budgets.

mod escalation;
mod kept;
mod published;
mod switch;
mod world;

use std::sync::Arc;
use std::time::Duration;

use staso_core::heal::StoppingPoint;
use staso_core::id::BranchName;
use staso_core::run::{
    Budget, EventKind, EventSink, OutcomeState, Phase, RunArtifact, RunEvent, RunStore as _,
    verify_transcript,
};
use staso_core::sandbox::{IsolationTier, SandboxError};
use staso_core::testing::{FixedDiagnoser, MemorySandbox, MemorySink, SandboxCall, memory_commit};
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::{ProposalAction, VcsError};
use staso_core::verify::VerifyLimits;
use tokio_util::sync::CancellationToken;
use world::{World, receipt, request, sandbox, tests, url};

fn ended(artifact: &RunArtifact) -> (OutcomeState, &str) {
    (artifact.outcome.state, &artifact.outcome.code)
}

#[tokio::test]
async fn a_proven_fix_is_published_once() {
    let world = World::new();
    let healer = world.healer().await;
    let artifact = healer.heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::Completed, "fix_published"), "{}", artifact.outcome.reason);
    let proof = artifact.verification.as_ref().unwrap();
    let checks: Vec<_> = proof.checks.iter().map(|check| (&*check.name, check.patched, check.ok)).collect();
    let expected = [("reproduction", false), ("tests", false), ("reproduction", true), ("tests", true)];
    assert!(proof.verified && checks.iter().zip(expected).all(|(a, b)| (a.0, a.1) == b && a.2 == Some(true)));
    assert_eq!(artifact.isolation.as_ref().unwrap().tier, IsolationTier::Full);
    let first = artifact.proposal.unwrap();
    assert!(first.branch.as_str().starts_with("fix/staso-"));

    let again = healer.heal(request()).await.proposal.unwrap();
    assert_eq!((again.branch, again.action), (first.branch, ProposalAction::Reused));
    assert_eq!(world.vcs.repository(&url()).unwrap().proposals().len(), 1);
}

#[tokio::test]
async fn the_best_candidate_wins_however_many_are_tried_at_a_time() {
    let mut world = World::new();
    world.candidates = vec!["'old' ", "'broken'", "'first'", "'second'", "'broken' ", "'third'"];
    for lanes in [1, 2, 8] {
        world.policy = world.policy.with_verify(VerifyLimits::default().with_parallel_trials(lanes));
        let artifact = world.healer().await.heal(request().until(StoppingPoint::Verify)).await;
        assert_eq!(ended(&artifact), (OutcomeState::Completed, "verified_fix"));
        assert_eq!(artifact.fix.unwrap().author, "replacing:'first'", "{lanes} lanes");
        let rivals = artifact.verification.unwrap().also_passed;
        assert_eq!(
            rivals,
            [
                "replacing:'second': Write 'second' instead of 'old'",
                "replacing:'third': Write 'third' instead of 'old'",
            ],
            "{lanes} lanes"
        );
    }
}

#[tokio::test]
async fn every_candidate_has_a_session_of_its_own_and_every_session_is_closed() {
    let mut world = World::new();
    world.candidates = vec!["'broken'", "'old' ", "'new'"];
    let sandbox = sandbox();
    let healer = world.builder().await.with_sandbox(Arc::new(sandbox.clone()), tests()).build();
    healer.heal(request().until(StoppingPoint::Verify)).await;
    let calls = sandbox.calls();
    let count = |wanted: fn(&SandboxCall) -> bool| calls.iter().filter(|call| wanted(call)).count();
    let opened = count(|call| matches!(call, SandboxCall::Open(_)));
    assert_eq!(opened, 1 + 3 + 1, "reproduction, three candidates, confirmation");
    assert_eq!(count(|call| matches!(call, SandboxCall::Close)), opened);
}

#[tokio::test]
async fn a_run_stops_where_it_is_told_to() {
    let world = World::new();
    for (until, code, fix, proof) in [
        (StoppingPoint::Diagnose, "diagnosed", false, false),
        (StoppingPoint::Propose, "fix_proposed", true, false),
        (StoppingPoint::Verify, "verified_fix", true, true),
    ] {
        let artifact = world.healer().await.heal(request().until(until)).await;
        assert_eq!(ended(&artifact), (OutcomeState::Completed, code));
        assert_eq!((artifact.fix.is_some(), artifact.verification.is_some()), (fix, proof), "{until}");
        assert!(artifact.proposal.is_none());
        let unproven = artifact.diagnosis.unwrap().confidence.value() <= 0.5;
        assert_eq!(unproven, fix && !proof, "a change that is not proven lowers the confidence");
    }
}

#[tokio::test]
async fn the_word_of_a_diagnoser_is_checked() {
    let mut world = World::new();
    world.diagnosis.receipts = vec![receipt("'old'"), receipt("'never said'")];
    let artifact = world.healer().await.heal(request().until(StoppingPoint::Diagnose)).await;
    let diagnosis = artifact.diagnosis.as_ref().unwrap();
    assert_eq!((diagnosis.verified_receipts(), diagnosis.confidence.value()), ((1, 2), 0.45));

    world.diagnosis.receipts.remove(0);
    let artifact = world.healer().await.heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::NotEnoughEvidence, "no_cause_found"));
}

#[tokio::test]
async fn diagnoses_that_carry_no_fix_end_the_run_with_a_reason() {
    let mut world = World::new();
    world.diagnosis.no_fix_reason = Some("the provider was down".to_owned());
    let artifact = world.healer().await.heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::NoCodeFix, "no_code_fix"));
    assert_eq!(artifact.outcome.reason, "the provider was down");

    let mut world = World::new();
    world.diagnosis.cap(0.2, "a guess");
    let artifact = world.healer().await.heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::NotEnoughEvidence, "low_confidence"));

    let mut world = World::new();
    world.candidates = Vec::new();
    assert_eq!(
        ended(&world.healer().await.heal(request()).await),
        (OutcomeState::FixRejected, "no_candidate")
    );
}

#[tokio::test]
async fn a_deeper_diagnoser_is_asked_only_when_the_quick_one_is_unsure() {
    for (confidence, asked) in [(0.8, false), (0.5, true)] {
        let mut world = World::new();
        world.diagnosis.cap(confidence, "as the test asks");
        let mut deep = world::diagnosis();
        deep.support = 99;
        let healer = world.builder().await.with_deep(Arc::new(FixedDiagnoser::new(deep))).build();
        let artifact = healer.heal(request()).await;
        assert_eq!(artifact.diagnosis.unwrap().support == 99, asked);
        assert_eq!(artifact.timings_ms.contains_key("deep"), asked);
    }
}

#[tokio::test]
async fn changes_that_the_policy_refuses_are_never_tried() {
    let mut world = World::new();
    (world.file, world.replaced) = (".github/workflows/ci.yml", "push");
    let sandbox = sandbox();
    let healer = world.builder().await.with_sandbox(Arc::new(sandbox.clone()), tests()).build();
    let artifact = healer.heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::FixRejected, "policy_denied"));
    assert!(artifact.outcome.reason.contains("ci-files"), "{}", artifact.outcome.reason);
    assert!(sandbox.calls().is_empty());
}

#[tokio::test]
async fn a_failure_that_does_not_happen_again_is_not_fixed() {
    for (dirty, code) in [(false, "not_reproduced"), (true, "dirty_revision")] {
        let mut world = World::new();
        world.dirty = dirty;
        let files = [(world::path("tools.py"), b"'other'".to_vec())].into();
        let elsewhere =
            MemorySandbox::new(files).with_answer(|_| true, staso_core::testing::ScriptedExec::new(0, ""));
        let healer = world.builder().await.with_sandbox(Arc::new(elsewhere), tests()).build();
        let artifact = healer.heal(request()).await;
        assert_eq!(ended(&artifact), (OutcomeState::NotReproduced, code));
        assert!(artifact.fix.is_some() && !artifact.verification.unwrap().verified, "kept as a suggestion");
        assert!(world.vcs.repository(&url()).unwrap().proposals().is_empty());
    }
}

#[tokio::test]
async fn candidates_that_break_tests_or_never_end_are_refused() {
    let mut world = World::new();
    world.candidates = vec!["'broken'"];
    let artifact = world.healer().await.heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::FixRejected, "tests_fail_with_fix"));
    world.candidates = vec!["'old' "];
    let artifact = world.healer().await.heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::FixRejected, "no_candidate_passed"));
    assert!(artifact.fix.is_none());
}

#[tokio::test]
async fn without_repository_or_sandbox_a_run_goes_as_far_as_it_can() {
    let world = World::new();
    let artifact = world.builder().await.build().heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::FixRejected, "no_sandbox"));
    assert!(artifact.fix.is_some(), "the suggestion stays");

    let errors: [fn() -> VcsError; 3] = [
        || VcsError::NoCommit,
        || VcsError::CommitNotFound { commit: memory_commit(9), url: url() },
        || VcsError::RepositoryNotFound { url: url() },
    ];
    for (error, code) in errors.into_iter().zip(["no_commit", "unknown_commit", "no_repository"]) {
        world.vcs.fail_next("resolve", error());
        let artifact = world.healer().await.heal(request()).await;
        assert_eq!(ended(&artifact), (OutcomeState::Failed, code));
        assert!(!artifact.diagnosis.unwrap().missing.is_empty(), "the trace is diagnosed all the same");
        world.vcs.fail_next("resolve", error());
        let artifact = world.healer().await.heal(request().until(StoppingPoint::Diagnose)).await;
        assert_eq!(ended(&artifact), (OutcomeState::Completed, "diagnosed"));
    }
}

#[tokio::test]
async fn what_publishing_runs_into_is_named() {
    let world = World::new();
    let branch = BranchName::new("main").unwrap();
    let conflict = VcsError::Conflict { branch, paths: vec![world::path("tools.py")] };
    for (error, state, code) in [
        (conflict, OutcomeState::FixRejected, "base_conflict"),
        (VcsError::NothingToPropose, OutcomeState::NoCodeFix, "already_fixed"),
        (VcsError::Archived { url: url() }, OutcomeState::Failed, "archived_repository"),
    ] {
        world.vcs.fail_next("propose", error);
        let artifact = world.healer().await.heal(request()).await;
        assert_eq!(ended(&artifact), (state, code));
        assert!(artifact.verification.unwrap().verified, "the proof is not lost");
    }
}

/// Cancels the run when it enters a phase.
#[derive(Debug)]
struct CancelAt(Phase, CancellationToken);

impl EventSink for CancelAt {
    fn emit(&self, event: &RunEvent) {
        if event.event == (EventKind::PhaseChanged { phase: self.0 }) {
            self.1.cancel();
        }
    }
}

#[tokio::test]
async fn a_run_that_is_cancelled_leaves_one_whole_artifact() {
    let phases = [
        Phase::Load,
        Phase::Resolve,
        Phase::Quick,
        Phase::Fix,
        Phase::Reproduce,
        Phase::Verify,
        Phase::Publish,
    ];
    for phase in phases {
        let world = World::new();
        let token = CancellationToken::new();
        let sink = MemorySink::default();
        let request = request()
            .with_sink(Arc::new(sink.clone()))
            .with_sink(Arc::new(CancelAt(phase, token.clone())))
            .with_cancellation(token);
        let artifact = world.healer().await.heal(request).await;
        assert_eq!(artifact.outcome.state, OutcomeState::Cancelled, "{phase:?}");
        assert_eq!(world.runs.get(artifact.run_id).await.unwrap(), artifact);
        let events = verify_transcript(&sink.transcript(), &artifact.events_digest).unwrap();
        assert!(matches!(events.last().unwrap().event, EventKind::RunCancelled { .. }), "{phase:?}");
        assert!(artifact.proposal.is_none());
        assert!(world.vcs.repository(&url()).unwrap().proposals().is_empty(), "{phase:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_never_ends_is_ended_by_its_budget() {
    let mut world = World::new();
    world.candidates = vec!["'hang'"; 1];
    world.policy =
        world.policy.with_verify(VerifyLimits::default().with_call_timeout(Duration::from_secs(9_000)));
    let files = [(world::path("tools.py"), b"'hang'".to_vec())].into();
    let hanging =
        MemorySandbox::new(files).with_answer(|_| true, staso_core::testing::ScriptedExec::hanging());
    let healer = world.builder().await.with_sandbox(Arc::new(hanging), tests()).build();
    let budget = Budget::default().with_wall(Duration::from_secs(60));
    let artifact = healer.heal(request().with_budget(budget)).await;
    assert_eq!(ended(&artifact), (OutcomeState::BudgetExhausted, "wall_time_exhausted"));
    assert_eq!(artifact.budget.wall_ms, 60_000);
}

#[tokio::test]
async fn a_handle_streams_events_and_dropping_it_cancels() {
    let world = World::new();
    let healer = world.healer().await;
    let mut run = healer.start(request());
    let mut last = None;
    while let Some(event) = run.next_event().await {
        last = Some(event.event);
    }
    assert!(matches!(last, Some(EventKind::RunCompleted { .. })));
    let artifact = run.artifact().await.unwrap();
    assert_eq!(artifact.outcome.state, OutcomeState::Completed);

    let run = healer.start(request());
    let id = run.run_id();
    drop(run);
    let artifact = loop {
        tokio::task::yield_now().await;
        if let Ok(artifact) = world.runs.get(id).await {
            break artifact;
        }
    };
    assert_eq!(artifact.outcome.state, OutcomeState::Cancelled);
}

#[tokio::test]
async fn a_sandbox_that_cannot_isolate_runs_nothing() {
    #[derive(Debug)]
    struct Refuses;
    #[async_trait::async_trait]
    impl staso_core::sandbox::Sandbox for Refuses {
        async fn capabilities(
            &self,
            _: &staso_core::run::RunContext,
        ) -> Result<staso_core::sandbox::SandboxCapabilities, SandboxError> {
            Err(SandboxError::Closed)
        }
        async fn open(
            &self,
            _: &staso_core::sandbox::SandboxSpec,
            _: &staso_core::run::RunContext,
        ) -> Result<Box<dyn staso_core::sandbox::SandboxSession>, SandboxError> {
            let (reason, remedy) = ("no namespaces".to_owned(), "switch them on".to_owned());
            Err(SandboxError::Unavailable { wanted: IsolationTier::Full, reason, remedy })
        }
    }
    let world = World::new();
    let healer = world.builder().await.with_sandbox(Arc::new(Refuses), tests()).build();
    let artifact = healer.heal(request()).await;
    assert_eq!(ended(&artifact), (OutcomeState::FixRejected, "sandbox_unavailable"));
    assert!(artifact.outcome.reason.contains("switch them on"));
    let other: RepositoryUrl = "https://example.com/other/repo".parse().unwrap();
    let artifact = healer.heal(request().with_repository(other)).await;
    assert_eq!(artifact.outcome.state, OutcomeState::Failed);
}

#[tokio::test]
async fn the_doubles_keep_the_contracts_they_stand_in_for() {
    use staso_core::conformance::{event_sink, test_runner};
    use staso_core::sandbox::{Sandbox as _, SandboxSpec};
    use staso_core::testing::{ContentTests, test_context};
    use staso_core::verify::TestRunner as _;

    event_sink::all(&(Arc::new(MemorySink::default()) as Arc<dyn EventSink>));
    let session = sandbox().open(&SandboxSpec::new("/"), &test_context()).await.unwrap();
    let code = world::code();
    let command = tests().detect(&code).unwrap();
    let fixture = test_runner::Fixture {
        session: &*session,
        code: &code,
        passing: &command,
        failing: &command,
        endless: None,
    };
    test_runner::detects_the_same_twice(&*tests(), &code);
    test_runner::stops_when_cancelled(&*tests(), fixture).await;
    let failing = ContentTests::new(world::path("tools.py"), "'old'");
    for (runner, passes) in [(&*tests(), true), (&failing, false)] {
        let report = runner.run(&*session, &command, Duration::from_secs(9), &test_context()).await.unwrap();
        assert_eq!(report.passed(), passes);
    }
}
