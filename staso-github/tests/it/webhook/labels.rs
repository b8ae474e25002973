//! From what became of a pull request to how sure the next diagnosis is.

use serde_json::{Value, json};
use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::conformance::run_store;
use staso_core::diagnosis::{Calibrator, CaseLabel, DiagnoseRequest, Diagnoser as _, Diagnosis};
use staso_core::id::{BlobId, CommitId, SpanId, TraceId};
use staso_core::quick::QuickDiagnoser;
use staso_core::run::{ProposalRecord, RunArtifact, Subject};
use staso_core::testing::test_context;
use staso_core::trace::{
    Captured, CodePlace, Payload, SourceRevision, Span, SpanError, SpanKind, SpanStatus, Timestamp, Trace,
    TraceLimits, TraceView,
};
use staso_core::vcs::{ProposalAction, ProposalState};
use staso_github::webhook::{FixWatch, ProposalOutcome};

use super::outcome::{APP, BRANCH, TRACE, merged, proposal, revert};
use super::payloads::{Changed, at};

const COMMIT: &str = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff";
const TOOLS: &str = "def total(order):\n    return order[\"total_amount\"]\n";

fn step(number: u64, kind: SpanKind, name: &str, output: Option<Value>) -> Span {
    let start = Timestamp::from_nanos(1_767_225_600_000_000_000 + i64::try_from(number).unwrap());
    let mut span = Span::new(SpanId::from_u64(number), name, kind, start);
    span.parent_span_id = (number > 1).then(|| SpanId::from_u64(1));
    match output {
        Some(output) => span.output = Captured::Present(Payload::new(output.to_string())),
        None => {
            span.status = SpanStatus::Error;
            span.error = Some(SpanError {
                kind: Some("KeyError".to_owned()),
                message: Captured::Present("'total_amount'".to_owned()),
                stack: Captured::Absent,
            });
        }
    }
    span
}

/// An agent whose tool reads a key that the order does not have.
fn trace() -> Trace {
    let mut failing = step(3, SpanKind::Tool, "total", None);
    failing.code = Some(CodePlace {
        path: "/srv/app/tools.py".to_owned(),
        line: Some(1),
        function: Some("total".to_owned()),
    });
    let order = step(2, SpanKind::Tool, "lookup", Some(json!({"id": "A-1", "total": 120})));
    let steps = vec![step(1, SpanKind::Agent, "support", None), order, failing];
    let source = SourceRevision { commit: Some(COMMIT.parse().unwrap()), ..SourceRevision::default() };
    Trace::new(TRACE.parse().unwrap(), source, steps, TraceLimits::default()).unwrap()
}

async fn diagnose(calibrator: &Calibrator) -> Diagnosis {
    let trace = trace();
    let mut code = CodeSnapshot::new(CommitId::new(COMMIT).unwrap(), Vec::new(), false);
    let blob = BlobId::new("b".repeat(40)).unwrap();
    let file = SourceFile { blob, text: TOOLS.into(), executable: false };
    code.insert(RepoPath::new("tools.py").unwrap(), file);
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view).with_code(Some(&code));
    let quick = QuickDiagnoser::new().with_calibrator(calibrator.clone());
    quick.diagnose(&request, &test_context()).await.unwrap()
}

/// What the run left that made the proposal, as it is read from a store.
fn artifact(diagnosis: Diagnosis) -> RunArtifact {
    let trace: TraceId = TRACE.parse().unwrap();
    let mut artifact = run_store::artifact(1, Subject::TraceId(trace), 0);
    artifact.diagnosis = Some(diagnosis);
    artifact.proposal = Some(ProposalRecord {
        branch: BRANCH.parse().unwrap(),
        base: "main".parse().unwrap(),
        head: COMMIT.parse().unwrap(),
        url: "https://github.com/Codertocat/Hello-World/pull/2".to_owned(),
        state: ProposalState::Draft,
        action: ProposalAction::Created,
        title: "Send the customer's key".to_owned(),
        body: String::new(),
        signature: None,
        warnings: Vec::new(),
    });
    serde_json::from_str(&serde_json::to_string(&artifact).unwrap()).unwrap()
}

fn outcome(payload: &Changed) -> ProposalOutcome {
    payload.event().proposal_outcome(APP).unwrap()
}

#[tokio::test]
async fn a_fix_that_held_makes_surer_and_one_that_was_reverted_less_sure() {
    let shipped = QuickDiagnoser::new().calibrator().clone();
    let before = diagnose(&shipped).await;
    assert_eq!((before.confidence.value(), before.raw_score, before.support), (0.855, 0.95, 0));
    let merge = outcome(&merged(proposal("closed")));
    for (events, label, confidence) in [
        (vec![], CaseLabel::Right, 0.95 * 10.0 / 11.0),
        (vec![outcome(&revert())], CaseLabel::Wrong, 0.95 * 9.0 / 11.0),
    ] {
        let mut watch = FixWatch::begin(&merge).unwrap();
        for event in &events {
            watch.tell_outcome(event);
        }
        let stored = artifact(before.clone());
        assert!(merge.is_of(&stored));
        assert_eq!(watch.status(at(14 * 24)).label(), Some(label));
        let mut calibrator = shipped.clone();
        assert!(calibrator.observe(&stored.diagnosis.unwrap(), label));
        let after = diagnose(&calibrator).await;
        assert!((after.confidence.value() - confidence).abs() < 1e-4, "{label:?}: {}", after.confidence);
        assert_eq!((after.support, after.raw_score), (1, before.raw_score));
    }
}

#[tokio::test]
async fn a_proposal_is_of_the_run_whose_trace_and_branch_it_has() {
    let stored = artifact(diagnose(QuickDiagnoser::new().calibrator()).await);
    let other = "<!-- staso:diagnosis=0198c3b2-0000-7000-8000-000000000000 -->";
    assert!(outcome(&proposal("closed")).is_of(&stored));
    assert!(!outcome(&proposal("closed").with("/pull_request/body", other)).is_of(&stored), "someone's edit");
    let second = proposal("closed").with("/pull_request/head/ref", "fix/staso-1a2b3c4d5e-2");
    assert!(!outcome(&second).is_of(&stored));
    assert!(!outcome(&revert()).is_of(&stored), "only the number tells");
    let trace = TRACE.parse().unwrap();
    assert!(!outcome(&revert()).is_of(&run_store::artifact(1, Subject::TraceId(trace), 0)));
}
