//! What every [`RunStore`] must do.

use std::collections::BTreeMap;

use crate::id::{ConversationId, Digest, RunId, TraceId, WorkspaceId};
use crate::run::{
    ARTIFACT_SCHEMA_VERSION, Budget, BudgetReport, BudgetUse, ContextSummary, EngineInfo, Outcome,
    OutcomeState, RunArtifact, RunStore, SourceRecord, StoreError, Subject,
};
use crate::trace::Timestamp;

/// Runs every check. The store must not have seen runs of ids that repeat one byte.
///
/// # Panics
/// When the store breaks the contract.
pub async fn all(store: &dyn RunStore) {
    what_was_put_comes_back(store).await;
    a_second_put_replaces_the_first(store).await;
    runs_of_a_trace_come_newest_first(store).await;
    unknown_runs_are_not_found(store).await;
}

/// An artifact comes back as it was put.
///
/// # Panics
/// When it does not.
pub async fn what_was_put_comes_back(store: &dyn RunStore) {
    let artifact = artifact(1, Subject::TraceId(trace_id(1)), 10);
    put(store, &artifact).await;
    assert_eq!(get(store, 1).await, artifact, "the artifact changed on its way");
}

/// A run has one artifact, the last one.
///
/// # Panics
/// When it has the first, or several.
pub async fn a_second_put_replaces_the_first(store: &dyn RunStore) {
    let mut artifact = artifact(2, Subject::TraceId(trace_id(2)), 10);
    put(store, &artifact).await;
    artifact.outcome.state = OutcomeState::Cancelled;
    artifact.subject = Subject::TraceId(trace_id(3));
    put(store, &artifact).await;
    assert_eq!(get(store, 2).await, artifact, "the first artifact of a run stayed");
    assert_eq!(find(store, 2).await, [], "a replaced artifact is still found by its old trace");
    assert_eq!(find(store, 3).await, [run_id(2)], "a replaced artifact is not found by its new trace");
}

/// The runs about a trace come newest first, at most 100.
///
/// # Panics
/// When they do not.
pub async fn runs_of_a_trace_come_newest_first(store: &dyn RunStore) {
    for n in 100..=205_u8 {
        put(store, &artifact(n, Subject::TraceId(trace_id(4)), i64::from(n))).await;
    }
    let conversation = ConversationId::new("conv").map(Subject::ConversationId);
    let Ok(conversation) = conversation else { panic!("a conversation id was refused") };
    put(store, &artifact(5, conversation, 1)).await;
    let wanted: Vec<_> = (106..=205).rev().map(run_id).collect();
    assert_eq!(find(store, 4).await, wanted, "not the newest 100 runs, newest first");
}

/// Asking for what is not there is an answer, not a failure.
///
/// # Panics
/// When it is something else.
pub async fn unknown_runs_are_not_found(store: &dyn RunStore) {
    let result = store.get(run_id(255)).await;
    assert!(matches!(result, Err(StoreError::NotFound { .. })), "expected NotFound, got {result:?}");
    assert_eq!(find(store, 255).await, [], "runs of an unknown trace were found");
}

/// A small artifact of a run that found nothing.
#[must_use]
pub fn artifact(run: u8, subject: Subject, started: i64) -> RunArtifact {
    let Ok(workspace) = WorkspaceId::new("conformance") else { panic!("a workspace id was refused") };
    RunArtifact {
        schema_version: ARTIFACT_SCHEMA_VERSION,
        run_id: run_id(run),
        engine: EngineInfo {
            version: "0.0.0".to_owned(),
            rules_digest: Digest::of("rules"),
            calibrator: "none".to_owned(),
            parts: Vec::new(),
            models: Vec::new(),
            prompts: std::collections::BTreeMap::new(),
        },
        workspace,
        subject,
        trace_digest: None,
        started_at: Timestamp::from_nanos(started),
        source: SourceRecord::default(),
        outcome: Outcome {
            state: OutcomeState::NotEnoughEvidence,
            code: "nothing_failed".to_owned(),
            reason: "No span failed; ä, \"quotes\" and \u{0} stay as they are.".to_owned(),
        },
        diagnosis: None,
        fix: None,
        verification: None,
        proposal: None,
        isolation: None,
        sandbox_disabled: None,
        budget: BudgetReport { used: BudgetUse::default(), wall_ms: 1, limits: Budget::default() },
        timings_ms: BTreeMap::from([("load".to_owned(), 1)]),
        context: ContextSummary::default(),
        events_digest: Digest::of("events"),
    }
}

async fn put(store: &dyn RunStore, artifact: &RunArtifact) {
    if let Err(error) = store.put(artifact).await {
        panic!("an artifact was refused: {error:?}");
    }
}

async fn get(store: &dyn RunStore, run: u8) -> RunArtifact {
    match store.get(run_id(run)).await {
        Ok(artifact) => artifact,
        Err(error) => panic!("an artifact that was put cannot be read: {error:?}"),
    }
}

async fn find(store: &dyn RunStore, trace: u8) -> Vec<RunId> {
    match store.find_by_trace(trace_id(trace)).await {
        Ok(found) => found,
        Err(error) => panic!("a listing failed: {error:?}"),
    }
}

const fn run_id(n: u8) -> RunId {
    RunId::from_bytes([n; 16])
}

const fn trace_id(n: u8) -> TraceId {
    TraceId::from_bytes([n; 16])
}
