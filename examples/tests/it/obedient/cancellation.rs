//! Ending a run in the middle of anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use staso_core::id::Digest;
use staso_core::run::{EventKind, OutcomeState, RunArtifact, verify_transcript};

use super::attack::{Attack, bash, read_file, search_code};
use super::bystanders::{assert_nothing_runs, sessions};
use super::stage::Stage;
use crate::processes::{marked, soon};

/// Moments that are tried; more on request.
const MOMENTS: usize = 20;
/// Longest time from a cancellation to the artifact, on a machine that has much else to do.
const HARD_BOUND: Duration = Duration::from_secs(5);
/// What the fraction of the run that lies before a moment is counted in.
const PARTS: u32 = 1_000;

/// A course with something in every phase. `mark` is in the environment of what it runs.
fn course(mark: &str) -> Attack {
    let busy = |seconds: f32| {
        bash(format!("export {mark}=1; sleep {seconds} & trap '' TERM; sleep {seconds}; echo done"))
    };
    Attack::new("cancelled")
        .investigating(vec![read_file("shop.py"), search_code("."), busy(0.3)])
        .fixing(vec![busy(0.2), read_file("test_shop.py")])
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only setting of this test; nothing of the product reads it"
)]
fn moments() -> usize {
    std::env::var("STASO_CANCEL_MOMENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(MOMENTS)
}

/// Parts of a whole run, from a seed. Every fourth is near the end, where a branch is being made.
fn random_parts(seed: &str, count: usize) -> Vec<u32> {
    let draw = |at: usize| {
        let part = u32::from_str_radix(&Digest::of(format!("{seed}:{at}")).hex()[..7], 16).unwrap() % PARTS;
        if at % 4 == 3 { PARTS - part / 8 } else { part }
    };
    (0..count).map(draw).collect()
}

/// The run, cancelled after `delay` when there is one. How long it took to end from then, and what it left.
async fn run(stage: &Stage, attack: &Attack, delay: Option<Duration>) -> (Duration, RunArtifact) {
    let handle = stage.healer(&attack.investigator(), &attack.fixer()).start(stage.request());
    let Some(delay) = delay else {
        let begun = Instant::now();
        let artifact = handle.artifact().await.unwrap();
        return (begun.elapsed(), artifact);
    };
    // No synchronisation: the moment itself is what is tried.
    tokio::time::sleep(delay).await;
    let cancelled = Instant::now();
    handle.cancel();
    let artifact = handle.artifact().await.unwrap();
    (cancelled.elapsed(), artifact)
}

async fn check(stage: &Stage, artifact: &RunArtifact, moment: &str) {
    let branch = stage.bystanders.check(&stage.project, moment).await;
    assert_eq!(branch.is_some(), artifact.proposal.is_some(), "{moment}: half a proposal");
    let cancelled = artifact.outcome.state == OutcomeState::Cancelled;
    let published = artifact.outcome.code == "fix_published";
    assert!(cancelled || (published && branch.is_some()), "{moment}: {}", artifact.outcome.reason);
    let directory = stage.files.directory(artifact.run_id);
    let kept: RunArtifact =
        serde_json::from_slice(&std::fs::read(directory.join("run.json")).unwrap()).unwrap();
    assert_eq!(&kept, artifact, "{moment}");
    let transcript = std::fs::read_to_string(directory.join("transcript.jsonl")).unwrap();
    verify_transcript(&transcript, &artifact.events_digest).unwrap();
    assert_nothing_runs(&stage.secret, moment).await;
    stage.host.assert_untouched(moment);
    if let Some(branch) = branch {
        stage.forget_proposal(&branch).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_soon_whenever_it_is_cancelled() {
    let stage = Arc::new(Stage::new().await);
    let mark = format!("MARK_CANCEL_{}", stage.host.tcp_port());
    let attack = course(&mark);
    let (whole, artifact) = run(&stage, &attack, None).await;
    assert_eq!(artifact.outcome.code, "fix_published", "{}", artifact.outcome.reason);
    stage.forget_proposal(artifact.proposal.as_ref().unwrap().branch.as_str()).await;
    let seed = artifact.run_id.to_string();
    let mut took = Vec::new();
    for (at, part) in random_parts(&seed, moments()).into_iter().enumerate() {
        let delay = whole * part / PARTS;
        let moment = format!("seed {seed}, moment {at}, after {delay:?} of {whole:?}");
        let (ended, artifact) = run(&stage, &attack, Some(delay)).await;
        assert!(ended < HARD_BOUND, "{moment}: it took {ended:?} to end");
        check(&stage, &artifact, &moment).await;
        took.push(ended);
    }
    assert!(soon(|| marked(&mark).is_empty()).await, "processes outlive their runs");
    took.sort();
    let at = |percent: usize| took[(took.len() * percent).div_ceil(100).max(1) - 1];
    let count = took.len();
    let figures = format!(
        "seed {seed}: {count} moments in {whole:?}: p50 {:?}, p99 {:?}, max {:?}",
        at(50),
        at(99),
        at(100)
    );
    std::io::Write::write_all(&mut std::io::stderr(), format!("{figures}\n").as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_seen_while_they_run() {
    let stage = Stage::new().await;
    let attack = Attack::new("seen").investigating(vec![bash("sleep 5")]);
    let mut handle = stage.healer(&attack.investigator(), &attack.fixer()).start(stage.request());
    while let Some(event) = handle.next_event().await {
        if matches!(&event.event, EventKind::ToolCalled { tool, .. } if tool == "bash") {
            break;
        }
    }
    assert!(soon(|| !sessions(&stage.secret).is_empty()).await, "the check sees sessions");
    handle.cancel();
    let artifact = handle.artifact().await.unwrap();
    check(&stage, &artifact, "seen").await;
}
