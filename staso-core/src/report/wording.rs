//! The words that card and pull request share. Parts from strangers are not yet neutralised.

use super::proof;
use crate::diagnosis::{Causality, Diagnosis, FixKind, Hypothesis, HypothesisState, Propagation};
use crate::run::{BudgetReport, CheckSubject, RunArtifact, Subject};
use crate::sandbox::IsolationTier;
use crate::trace::Timestamp;

/// How many labelled cases stand behind a confidence.
pub(super) fn support(diagnosis: &Diagnosis) -> String {
    match diagnosis.support {
        0 => "prior only, no labelled cases yet".to_owned(),
        1 => "1 labelled case behind it".to_owned(),
        n => format!("{n} labelled cases behind it"),
    }
}

pub(super) const fn fix_kind(kind: FixKind) -> &'static str {
    match kind {
        FixKind::Prompt => "prompt",
        FixKind::Code => "code",
        FixKind::Config => "configuration",
    }
}

pub(super) const fn causality(causality: Causality) -> &'static str {
    match causality {
        Causality::Primary => "primary cause",
        Causality::Secondary => "secondary cause",
        Causality::Tertiary => "tertiary cause",
    }
}

pub(super) const fn effect(propagation: Propagation) -> &'static str {
    match propagation {
        Propagation::TaskTermination => "It ended the run.",
        Propagation::QualityDegradation => "The run went on with a worse result.",
        Propagation::IncorrectPath => "The run went on in the wrong direction.",
        Propagation::StateCorruption => "It left wrong data behind.",
        Propagation::NoPropagation => "It had no effect on the result.",
    }
}

pub(super) const fn state(state: HypothesisState) -> &'static str {
    match state {
        HypothesisState::Validated => "a test spoke for it",
        HypothesisState::Invalidated => "a test spoke against it",
        HypothesisState::Inconclusive => "undecided",
    }
}

/// A rival explanation with its state and what would decide.
pub(super) fn rival(hypothesis: &Hypothesis) -> String {
    let test = hypothesis.deciding_test.as_deref().unwrap_or("nothing known would decide it");
    format!(
        "{} ({}, {}; to decide: {})",
        hypothesis.cause.trim_end_matches('.'),
        hypothesis.score,
        state(hypothesis.state),
        test.trim_end_matches('.')
    )
}

pub(super) fn subject(artifact: &RunArtifact) -> String {
    match &artifact.subject {
        Subject::TraceId(id) => format!("trace {id}"),
        Subject::ConversationId(id) => format!("conversation {id}"),
    }
}

pub(super) const fn at(subject: CheckSubject, patched: bool) -> &'static str {
    match (subject, patched) {
        (CheckSubject::FailingCommit, false) => "failing commit",
        (CheckSubject::FailingCommit, true) => "failing commit, patched",
        (CheckSubject::BaseTip, false) => "base tip",
        (CheckSubject::BaseTip, true) => "base tip, patched",
    }
}

pub(super) fn isolation(artifact: &RunArtifact) -> String {
    let Some(isolation) = &artifact.isolation else {
        let off = artifact.sandbox_disabled.is_some();
        return if off { "sandboxes are off; nothing was run" } else { "nothing was run" }.to_owned();
    };
    let tier = match isolation.tier {
        IsolationTier::Full => "full (own namespaces, no network)",
        IsolationTier::Container => "container without network",
        IsolationTier::LandlockOnly => {
            "file and system-call filter only; processes and network are the host's"
        }
        IsolationTier::None => "none: a plain process",
    };
    match isolation.missing.len() {
        0 => tier.to_owned(),
        n => format!("{tier}; {n} protections missing"),
    }
}

/// Turns, tokens, money and time. What no model was asked for is not shown as zero tokens.
pub(super) fn cost(budget: &BudgetReport) -> String {
    let used = &budget.used;
    let time = proof::seconds(budget.wall_ms);
    if used.turns == 0 {
        return format!("no model used, {time}");
    }
    let about = if used.estimated { "about " } else { "" };
    let money = match (used.cost_micro_usd, budget.limits.cost_micro_usd) {
        (0, None) => "price unknown".to_owned(),
        (cost, _) => format!("{about}${}.{:04}", cost / 1_000_000, cost % 1_000_000 / 100),
    };
    format!(
        "{} model turns, {about}{} tokens read, {about}{} written, {money}, {time}",
        used.turns, used.input_tokens, used.output_tokens
    )
}

/// What a reader must not take for checked, one phrase each, most important first.
pub(super) fn not_checked(artifact: &RunArtifact) -> Vec<String> {
    let checks = artifact.verification.as_ref().map(|record| record.checks.as_slice()).unwrap_or_default();
    let mut found = Vec::new();
    if checks.is_empty() {
        found.push("nothing was run".to_owned());
    }
    for check in checks.iter().filter(|check| check.ok.is_none()) {
        found.push(format!("{} at {}: {}", check.name, at(check.at, check.patched), check.detail));
    }
    let source = &artifact.source;
    if source.dirty == Some(true) {
        found.push("the uncommitted changes of the failing run, which its commit does not hold".to_owned());
    }
    let moved = source.base_tip.is_some() && source.base_tip != source.commit;
    if moved && !checks.iter().any(|check| check.at == CheckSubject::BaseTip && check.ok.is_some()) {
        found.push("the base tip, which differs from the failing commit".to_owned());
    }
    let hunks = artifact.fix.as_ref().map(|fix| fix.hunks.as_slice()).unwrap_or_default();
    if hunks.iter().any(|hunk| hunk.needed_by.is_none()) {
        found.push("whether every part of the change is needed".to_owned());
    }
    if !checks.iter().any(|check| check.name.starts_with("past")) {
        found.push("other recorded runs, which were not replayed".to_owned());
    }
    if let Some(isolation) = &artifact.isolation {
        found.extend(isolation.missing.iter().cloned());
    }
    for missing in artifact.diagnosis.iter().flat_map(|diagnosis| &diagnosis.missing) {
        if !found.contains(&missing.what) {
            found.push(missing.what.clone());
        }
    }
    if !artifact.context.suppressed.is_empty() {
        found.push(format!("what the capture policy withheld: {}", artifact.context.suppressed.join(", ")));
    }
    found
}

/// That the proof does not decide between the change and others, when that is so.
pub(super) fn also_passed(run: &RunArtifact) -> Option<String> {
    let others = run.verification.as_ref().map_or(0, |proof| proof.also_passed.len());
    let what = match others {
        0 => return None,
        1 => "1 other change was tried that passes".to_owned(),
        n => format!("{n} other changes were tried that pass"),
    };
    Some(format!("{what} the same proof: judge whether this one says what is meant."))
}

/// The time without fractions of a second.
pub(super) const fn to_the_second(time: Timestamp) -> Timestamp {
    const SECOND: i64 = 1_000_000_000;
    let nanos = time.as_nanos();
    Timestamp::from_nanos(nanos.saturating_sub(nanos.rem_euclid(SECOND)))
}
