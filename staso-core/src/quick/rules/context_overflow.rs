//! The request was longer than the model's window (catalogue 6).

use crate::diagnosis::{FixKind, RepairHint};
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::RuleInput;
use crate::quick::oracle;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::settings::{self, Setting};
use crate::quick::signal::{Hit, Signal};

const SIGNAL: Signal = Signal {
    kinds: &["ContextWindowExceededError", "ContextLengthExceeded"],
    statuses: &[413],
    words: &[
        "context_length_exceeded",
        "maximum context length",
        "prompt is too long",
        "context window",
        "input is too long",
        "too many tokens",
        "exceeds the maximum number of tokens",
    ],
};

pub(super) const RULE: Rule = Rule {
    id: "context_overflow",
    version: 1,
    number: Some(6),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::Everything,
    detect: |input| SIGNAL.hits(input).iter().map(|hit| explain(input, hit)).collect(),
};

fn explain(input: &RuleInput<'_>, hit: &Hit<'_, '_>) -> Finding {
    let places = places(input);
    let description = match places.first() {
        Some(place) => format!(
            "Keep less history or fewer documents (`{}` in `{}`), or use a model with a larger window.",
            place.key, place.path
        ),
        None => "Trim the history or the documents before the call, or use a model with a larger window."
            .to_owned(),
    };
    let files = places.iter().map(|place| place.path.clone()).collect();
    let hints: Vec<RepairHint> = places.iter().take(3).map(|place| place.multiplied(&[0.5, 0.25])).collect();
    let cause = "The request was longer than the model's context window".to_owned();
    let kind = if places.is_empty() { FixKind::Code } else { FixKind::Config };
    let mut finding = Finding::new(
        hit.failure.span.span_id,
        cause,
        Remedy::change(kind, description, files)
            .with_hints(hints)
            .with_oracle(oracle::raises(input, hit.failure)),
    )
    .of_failure(hit.number)
    .with_evidence(hit.evidence("The model refused the length of the request"));
    for place in places.iter().take(2) {
        finding = finding.cite_line(&place.path, place.line, "This decides how much is sent");
    }
    finding.decided_by("Send the same request with half of its history: it is accepted.")
}

fn places(input: &RuleInput<'_>) -> Vec<Setting> {
    let Some(code) = &input.code else { return Vec::new() };
    let about_size = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["top_k", "max_history", "history_limit", "max_messages", "max_documents", "window_size"]
            .iter()
            .any(|word| text.contains(word))
    };
    settings::find(code.snapshot, about_size, |setting| {
        about_size(&setting.key) && setting.number().is_some_and(|number| number >= 2.0)
    })
}
