//! Findings about errors that no change of the repository would help.

use crate::quick::failure::Failure;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::RuleInput;
use crate::quick::signal::Signal;

/// Findings for errors that no change of the repository would help.
pub(super) fn no_change(
    input: &RuleInput<'_>,
    signal: &Signal,
    fits: impl Fn(&Failure<'_>) -> bool,
    cause: impl Fn(&str) -> String,
    why: &str,
    claim: &str,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for hit in signal.hits(input).into_iter().filter(|hit| fits(hit.failure)) {
        // A stack in a result that does not touch the repository is mostly that of code that the agent wrote.
        let strength = match (hit.failure.soft, hit.failure.frames.is_empty()) {
            (false, _) => 1.0,
            (true, false) => 0.85,
            (true, true) => 0.3,
        };
        let sentence = capitalised(&cause(&hit.who()));
        found.push(
            Finding::new(hit.failure.span.span_id, sentence, Remedy::Nothing(why.to_owned()))
                .of_failure(hit.number)
                .with_strength(strength)
                .with_evidence(hit.evidence(claim))
                .decided_by("Make the same call again later, with nothing changed: it succeeds."),
        );
    }
    found
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
