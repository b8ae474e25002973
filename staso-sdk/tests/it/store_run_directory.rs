//! The files of a run on disk.

use std::sync::Arc;

use staso::store::{RunDirectory, RunDirectoryError};
use staso_core::conformance::run_store::artifact;
use staso_core::diagnosis::FixKind;
use staso_core::id::{RunId, TraceId};
use staso_core::run::{
    EventKind, FixRecord, OutcomeState, RunArtifact, RunContext, Subject, verify_transcript,
};
use staso_core::testing::TestClock;

fn artifact_of(run: u8) -> RunArtifact {
    artifact(run, Subject::TraceId(TraceId::from_bytes([1; 16])), 1)
}

#[tokio::test]
async fn a_finished_run_can_be_verified_from_its_files() {
    let data = tempfile::tempdir().unwrap();
    let run_id = RunId::from_bytes([3; 16]);
    let directory = RunDirectory::create(data.path(), run_id).unwrap();
    let ctx =
        RunContext::new(run_id, Arc::new(TestClock::default())).with_sinks(vec![Arc::new(directory.clone())]);
    for n in 0..500 {
        ctx.emit(EventKind::Warning { message: format!("line {n}\nwith a break") });
    }
    ctx.emit(EventKind::RunCompleted { outcome: OutcomeState::Completed, reason: "done".to_owned() });
    let mut artifact = artifact_of(3);
    artifact.events_digest = ctx.events_digest();
    artifact.fix = Some(FixRecord {
        kind: FixKind::Code,
        title: "Read the right key".to_owned(),
        files: vec!["a.py".to_owned()],
        added: 1,
        removed: 1,
        diff: "--- a/a.py\n+++ b/a.py\n".to_owned(),
        hunks: Vec::new(),
        author: "test".to_owned(),
    });
    directory.finish(&artifact).await.unwrap();

    assert_eq!(directory.path(), data.path().join("runs").join(run_id.to_string()));
    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    let back: RunArtifact = serde_json::from_str(&read("run.json")).unwrap();
    assert_eq!(back, artifact);
    assert_eq!(verify_transcript(&read("transcript.jsonl"), &back.events_digest).unwrap().len(), 501);
    assert_eq!(read("patch.diff"), "--- a/a.py\n+++ b/a.py\n");
    let mut names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["patch.diff", "run.json", "transcript.jsonl"]);
}

#[tokio::test]
async fn a_run_without_a_fix_has_no_patch() {
    let data = tempfile::tempdir().unwrap();
    let directory = RunDirectory::create(data.path(), RunId::from_bytes([4; 16])).unwrap();
    directory.finish(&artifact_of(4)).await.unwrap();
    assert!(!directory.path().join("patch.diff").exists());
}

#[tokio::test]
async fn directories_and_artifacts_are_not_mixed_up() {
    let data = tempfile::tempdir().unwrap();
    let directory = RunDirectory::create(data.path(), RunId::from_bytes([5; 16])).unwrap();
    let error = directory.finish(&artifact_of(6)).await.unwrap_err();
    assert!(matches!(error, RunDirectoryError::OtherRun { .. }), "{error}");
    let error = RunDirectory::create(data.path(), RunId::from_bytes([5; 16])).unwrap_err();
    assert!(error.to_string().contains("transcript.jsonl"), "{error}");
}
