//! The model that is asked for does not exist, or no more (catalogue 14).

use std::collections::BTreeSet;

use crate::diagnosis::{FailureOracle, FixKind, RepairHint};
use crate::quick::failure::{Failure, clip};
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::RuleInput;
use crate::quick::names::similarity;
use crate::quick::oracle;
use crate::quick::pattern::pattern;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::settings::{self, Setting};
use crate::quick::signal::{Hit, Signal};

const SIGNAL: Signal = Signal {
    kinds: &["ModelNotFoundError"],
    statuses: &[],
    words: &[
        "model_not_found",
        "model not found",
        "model_decommissioned",
        "decommissioned",
        "has been deprecated",
        "model_deprecated",
        "has been retired",
        "was retired",
        "is retired",
        "is no longer available",
        "is no longer supported",
        "unknown model",
        "no such model",
        "unsupported model",
        "invalid model",
        "is not a valid model",
        "not_found_error",
    ],
};

/// The most values that are proposed.
const MAX_PROPOSALS: usize = 8;

pattern!(
    ABSENT = r#"(?i)\bmodel:?\s+[`'"]?([\w./:@-]+)[`'"]?\s+(?:does not exist|is not found|not found|is not available)"#
);
pattern!(NAMED = r#"(?i)\bmodel\b(?:_name|_id)?[`'"]?\s*[:=]?\s*[`'"]?([A-Za-z][\w./:@-]*\d[\w./:@-]*)"#);
pattern!(
    INSTEAD_BEFORE = r#"(?i)(?:use|switch to|migrate to|upgrade to|try|replaced by|recommend(?:ed)?(?: replacement)?(?: is|:)?|did you mean|successor(?: is|:)?)\s+(?:the\s+)?(?:model\s+)?[`'"]?([A-Za-z][\w./:@-]*\d[\w./:@-]*|[a-z][a-z]*(?:-[a-z0-9.]+)+)"#
);
pattern!(
    FURTHER = r#"^[`'"]?(?:\s*,\s*(?:or\s+)?|\s+or\s+|\s+and\s+)[`'"]?([A-Za-z][\w./:@-]*[\d-][\w./:@-]*)"#
);
pattern!(AVAILABLE = r"(?i)(?:available|supported|valid|allowed)(?: models?)?(?: are| is)?\s*[:=]\s*(.+)");
pattern!(MODEL_NAME = r"\b([A-Za-z][A-Za-z0-9]*(?:[-./:@_][A-Za-z0-9.]+)+)");

pub(super) const RULE: Rule = Rule {
    id: "retired_model",
    version: 1,
    number: Some(14),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::Everything,
    detect: |input| {
        let mut hits = SIGNAL.hits(input);
        for (number, failure) in input.failures() {
            let known = hits.iter().any(|hit| hit.number == number);
            if !known && let Some(found) = ABSENT.captures(&failure.message).and_then(|found| found.get(0)) {
                hits.push(Hit { number, failure, words: found.as_str().to_owned() });
            }
        }
        hits.iter().filter_map(|hit| explain(input, hit)).collect()
    },
};

fn explain(input: &RuleInput<'_>, hit: &Hit<'_, '_>) -> Option<Finding> {
    let failure = hit.failure;
    let model = asked_for(failure)?;
    let places = places(input, &model);
    let proposed = proposals(input, failure, &model);
    let shown = clip(&model, 80);
    let at =
        places.first().map(|place| format!(" (set at `{}:{}`)", place.path, place.line)).unwrap_or_default();
    let cause = format!("The model `{shown}` does not exist or was retired{at}");
    let description = match proposed.first() {
        Some(best) => {
            format!("Replace the model `{shown}` by one that is served, such as `{}`.", clip(best, 80))
        }
        None => format!("Replace the model `{shown}` by one that the provider serves."),
    };
    let files = places.iter().map(|place| place.path.clone()).collect();
    let hints: Vec<RepairHint> =
        places.iter().take(3).map(|place| place.hint(proposed.iter().cloned())).collect();
    let mut finding = Finding::new(
        failure.span.span_id,
        cause,
        Remedy::change(FixKind::Config, description, files)
            .with_hints(hints)
            .with_oracle(oracle(input, failure, &model)),
    )
    .of_failure(hit.number)
    .with_evidence(hit.evidence("The provider does not know the model"));
    if failure.span.model.as_ref().is_some_and(|info| info.requested.as_deref() == Some(model.as_str())) {
        finding = finding.cite(
            failure.span.span_id,
            "/requested_model",
            model.as_str(),
            "This model was asked for",
        );
    }
    for place in places.iter().take(2) {
        finding = finding.cite_line(&place.path, place.line, "The model is set here");
    }
    let strength = if failure.soft { 0.85 } else { 1.0 };
    Some(
        finding
            .with_strength(strength)
            .decided_by("Ask for another model of the same provider: the call succeeds."),
    )
}

/// Without the message when that names the model: another model that does not exist would change it.
fn oracle(input: &RuleInput<'_>, failure: &Failure<'_>, model: &str) -> Option<FailureOracle> {
    let mut found = oracle::raises(input, failure)?;
    if let FailureOracle::Raises { message_contains, .. } = &mut found {
        message_contains.take_if(|text| text.contains(model));
    }
    Some(found)
}

/// The model that was asked for. Without one in the error or the call, the words may mean anything.
fn asked_for(failure: &Failure<'_>) -> Option<String> {
    let message = failure.message.as_str();
    let recorded =
        failure.span.model.as_ref().and_then(|model| model.requested.clone()).filter(|name| !name.is_empty());
    recorded
        .or_else(|| ABSENT.first(message).map(str::to_owned))
        .or_else(|| NAMED.first(message).map(str::to_owned))
        .map(|name| name.trim_end_matches(['.', ':', ',']).to_owned())
}

fn places(input: &RuleInput<'_>, model: &str) -> Vec<Setting> {
    let Some(code) = &input.code else { return Vec::new() };
    settings::find(code.snapshot, |text| text.contains(model), |setting| setting.bare() == model)
}

/// Other models: named by the error, then used with success in this run, then named in the repository.
fn proposals(input: &RuleInput<'_>, failure: &Failure<'_>, model: &str) -> Vec<String> {
    let message = failure.message.as_str();
    let mut found: Vec<String> =
        INSTEAD_BEFORE.all(message).flat_map(|found| named_after(message, found.get(1))).collect();
    if let Some(list) = AVAILABLE.first(message) {
        found.extend(MODEL_NAME.all(list).filter_map(|found| Some(found.get(1)?.as_str().to_owned())));
    }
    for facts in input.model_calls().filter(|facts| !facts.span.is_failed()) {
        found.extend(
            facts
                .span
                .model
                .as_ref()
                .and_then(|used| used.requested.clone().or_else(|| used.answered.clone())),
        );
    }
    found.extend(in_repository(input, model));
    let mut seen = BTreeSet::from([model.to_owned()]);
    found
        .into_iter()
        .map(|name| name.trim_end_matches(['.', ':', ',', ')']).to_owned())
        .filter(|name| !name.is_empty() && name.len() <= 128 && seen.insert(name.clone()))
        .take(MAX_PROPOSALS)
        .collect()
}

/// A name and those that follow it in a list: `a`, `b` or `c`.
fn named_after(message: &str, first: Option<regex::Match<'_>>) -> Vec<String> {
    let Some(first) = first else { return Vec::new() };
    let mut names = vec![first.as_str().to_owned()];
    let mut rest = message.get(first.end()..).unwrap_or_default();
    while names.len() < MAX_PROPOSALS
        && let Some(next) = FURTHER.captures(rest).and_then(|found| found.get(1))
    {
        names.push(next.as_str().to_owned());
        rest = rest.get(next.end()..).unwrap_or_default();
    }
    names
}

/// Values of other settings about models, the most alike first.
fn in_repository(input: &RuleInput<'_>, model: &str) -> Vec<String> {
    let Some(code) = &input.code else { return Vec::new() };
    let about_models =
        |text: &str| text.contains("model") || text.contains("MODEL") || text.contains("Model");
    let named = |setting: &Setting| {
        setting.key.to_ascii_lowercase().contains("model")
            && MODEL_NAME.first(setting.bare()) == Some(setting.bare())
    };
    let mut names: Vec<String> = settings::find(code.snapshot, about_models, named)
        .into_iter()
        .map(|setting| setting.bare().to_owned())
        .collect();
    names.sort_by(|a, b| similarity(model, b).total_cmp(&similarity(model, a)).then(a.cmp(b)));
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_compiles() {
        assert!(
            [&ABSENT, &NAMED, &INSTEAD_BEFORE, &FURTHER, &AVAILABLE, &MODEL_NAME]
                .iter()
                .all(|pattern| pattern.is_valid())
        );
    }

    #[test]
    fn suggestions_are_read_out_of_the_message() {
        let instead = |text| INSTEAD_BEFORE.first(text);
        assert_eq!(instead("gpt-4-0613 was retired, use gpt-4o instead"), Some("gpt-4o"));
        assert_eq!(instead("please migrate to `claude-sonnet-4-5`."), Some("claude-sonnet-4-5"));
        assert_eq!(instead("use another one"), None);
        let message = "retired; use `relay-2-mini` or `relay-2`.";
        let first = INSTEAD_BEFORE.captures(message).and_then(|found| found.get(1));
        assert_eq!(named_after(message, first), ["relay-2-mini", "relay-2"]);
    }
}
