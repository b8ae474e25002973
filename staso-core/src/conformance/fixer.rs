//! What every [`Fixer`] keeps to.
//!
//! [`keeps_the_contract`] runs all checks of the contract on one request; [`sample`] makes a request for it.
//! [`is_deterministic`] is for fixers that claim to give the same candidates every time.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::code::{CodeSnapshot, RepoPath, SourceFile};
use crate::diagnosis::{
    Confidence, Depth, DetectionTiming, Diagnosis, FixKind, FrameRef, Propagation, RepairHint, SuggestedFix,
    Summary,
};
use crate::fix::{FixCandidate, FixError, FixRequest, Fixer};
use crate::id::{BlobId, CommitId, TraceId};
use crate::testing::test_context;

/// How long a fixer may go on after cancellation.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);

/// A small Python program that reads a wrong key, and the diagnosis that says so.
///
/// # Panics
/// Never: the parts are valid.
#[must_use]
pub fn sample() -> (Diagnosis, CodeSnapshot) {
    let text = "def status_of(order):\n    return order[\"state\"].lower()\n";
    let valid = "the sample is valid";
    let Ok(path) = RepoPath::new("support/orders.py") else { panic!("{valid}") };
    let Ok(commit) = CommitId::new("c".repeat(40)) else { panic!("{valid}") };
    let Ok(blob) = BlobId::new("b".repeat(40)) else { panic!("{valid}") };
    let mut code = CodeSnapshot::new(commit, Vec::new(), false);
    code.insert(path.clone(), SourceFile { blob, text: text.into(), executable: false });
    let frames = vec![FrameRef { path, line: 2, function: Some("status_of".to_owned()) }];
    let available = vec!["status".to_owned(), "id".to_owned()];
    let hint = RepairHint::WrongKey { used: "state".to_owned(), available, frames };
    (diagnosis_with(vec![hint]), code)
}

/// A diagnosis that says nothing but the hints.
#[must_use]
pub fn diagnosis_with(hints: Vec<RepairHint>) -> Diagnosis {
    Diagnosis {
        trace_id: TraceId::from_bytes([1; 16]),
        summary: Summary::new("A key is read that the data does not have"),
        explanation_md: String::new(),
        suggested_fix: Some(SuggestedFix {
            kind: FixKind::Code,
            description: "Read the key that the data has".to_owned(),
            target_files: Vec::new(),
            hints,
            oracle: None,
        }),
        no_fix_reason: None,
        confidence: Confidence::new(0.8),
        raw_score: 0.8,
        calibrator: "none".to_owned(),
        caps: Vec::new(),
        support: 0,
        depth: Depth::Quick,
        escalated_because: None,
        root_cause: None,
        chain: Vec::new(),
        propagation: Propagation::TaskTermination,
        detection_timing: DetectionTiming::Immediately,
        hypotheses: Vec::new(),
        receipts: Vec::new(),
        missing: Vec::new(),
    }
}

/// All checks of the contract.
///
/// # Panics
/// With a sentence that names the broken promise.
pub async fn keeps_the_contract(fixer: &dyn Fixer, request: &FixRequest<'_>) {
    assert!(!fixer.name().is_empty(), "a fixer has a name");
    let candidates = proposals(fixer, request).await;
    are_real_changes(request, &candidates);
    come_best_first(&candidates);
    say_what_they_do(&candidates);
    respects_the_limit(fixer, request).await;
    stops_when_cancelled(fixer, request).await;
    needs_a_suggestion(fixer, request).await;
}

/// The same request gives the same candidates.
///
/// # Panics
/// When it does not.
pub async fn is_deterministic(fixer: &dyn Fixer, request: &FixRequest<'_>) {
    let (first, second) = (proposals(fixer, request).await, proposals(fixer, request).await);
    assert!(first == second, "{} gives other candidates the second time", fixer.name());
}

async fn proposals(fixer: &dyn Fixer, request: &FixRequest<'_>) -> Vec<FixCandidate> {
    match fixer.propose(request, &test_context()).await {
        Ok(candidates) => candidates,
        Err(error) => panic!("{} fails: {error}", fixer.name()),
    }
}

fn are_real_changes(request: &FixRequest<'_>, candidates: &[FixCandidate]) {
    let mut seen = BTreeSet::new();
    for candidate in candidates {
        let title = &candidate.title;
        let mut contents = Vec::new();
        for (path, file) in candidate.patch.files() {
            assert!(file.before() != file.after(), "{title:?} leaves {path} as it is");
            let known = request.code.file(path);
            let listed = request.code.listed(path).map(|listed| &listed.blob);
            assert!(
                known.map(|known| &known.blob).or(listed) == file.blob()
                    && known.is_none_or(|known| *known.text == *file.before())
                    && (!file.is_new() || file.before().is_empty()),
                "{title:?} changes another {path} than the snapshot holds"
            );
            contents.push((path.clone(), file.after().to_owned()));
        }
        assert!(!contents.is_empty(), "{title:?} changes no file");
        assert!(seen.insert(contents), "{title:?} is proposed twice");
    }
}

fn come_best_first(candidates: &[FixCandidate]) {
    for candidate in candidates {
        assert!(
            (0.0..=1.0).contains(&candidate.score),
            "{:?} has score {}",
            candidate.title,
            candidate.score
        );
    }
    for pair in candidates.windows(2) {
        if let [first, second] = pair {
            assert!(first.score >= second.score, "{:?} comes before a better one", first.title);
        }
    }
}

fn say_what_they_do(candidates: &[FixCandidate]) {
    for candidate in candidates {
        let title = &candidate.title;
        let count = title.chars().count();
        assert!((1..=72).contains(&count), "the title {title:?} has {count} characters");
        for text in [title, &candidate.why, &candidate.author] {
            assert!(!text.is_empty(), "{title:?} has an empty text");
            assert!(!text.chars().any(char::is_control), "{text:?} holds a control character");
        }
    }
}

async fn respects_the_limit(fixer: &dyn Fixer, request: &FixRequest<'_>) {
    for max in [0, 1] {
        let found = proposals(fixer, &request.with_max_candidates(max)).await.len();
        assert!(found <= max, "{} gives {found} candidates where {max} were asked for", fixer.name());
    }
}

async fn stops_when_cancelled(fixer: &dyn Fixer, request: &FixRequest<'_>) {
    let token = CancellationToken::new();
    token.cancel();
    let ctx = test_context().with_cancellation(token);
    let ended = tokio::time::timeout(CANCEL_LIMIT, fixer.propose(request, &ctx)).await;
    assert!(
        matches!(ended, Ok(Err(FixError::Cancelled))),
        "{} goes on in a run that was cancelled before",
        fixer.name()
    );
    let token = CancellationToken::new();
    let ctx = test_context().with_cancellation(token.clone());
    let cancel = async {
        tokio::task::yield_now().await;
        token.cancel();
    };
    let both = async { tokio::join!(fixer.propose(request, &ctx), cancel).0 };
    match tokio::time::timeout(CANCEL_LIMIT, both).await {
        Ok(Ok(_) | Err(FixError::Cancelled)) => {}
        Ok(Err(error)) => panic!("{} fails when it is cancelled: {error}", fixer.name()),
        Err(_) => panic!("{} goes on after it was cancelled", fixer.name()),
    }
}

/// Without a suggested fix there is nothing to propose, and that is no error.
async fn needs_a_suggestion(fixer: &dyn Fixer, request: &FixRequest<'_>) {
    let diagnosis = Diagnosis { suggested_fix: None, ..request.diagnosis.clone() };
    let request = FixRequest::new(&diagnosis, request.code);
    match fixer.propose(&request, &test_context()).await {
        Ok(candidates) => {
            assert!(candidates.is_empty(), "{} repairs without a diagnosis", fixer.name());
        }
        Err(error) => panic!("{} takes a missing suggestion for an error: {error}", fixer.name()),
    }
}
