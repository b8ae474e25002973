//! The model's answer was cut at the limit of output tokens (catalogue 8).

use crate::diagnosis::{FixKind, RepairHint};
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::{Facts, RuleInput};
use crate::quick::language_model::{finish_reasons, output_limit, reply};
use crate::quick::names::similarity;
use crate::quick::oracle;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::settings::{self, Setting};

const REASONS: [&str; 5] = ["length", "max_tokens", "max_output_tokens", "model_length", "token_limit"];
const FACTORS: [f64; 5] = [2.0, 4.0, 8.0, 16.0, 32.0];

pub(super) const RULE: Rule = Rule {
    id: "output_truncated",
    version: 1,
    number: Some(8),
    generic: false,
    reads: &[Reads::Output, Reads::Code],
    explains: Explains::These(&[
        "output_not_json",
        "json_in_markdown_fence",
        "tool_arguments_not_json",
        "tool_arguments_violate_schema",
        "user_code_exception",
        "key_missing",
        "none_access",
        "type_mismatch",
        "wrong_result",
        "max_iterations",
        "exact_loop",
        "error_as_success",
        "unknown_tool",
    ]),
    detect: |input| input.model_calls().filter_map(|facts| explain(input, facts)).collect(),
};

fn explain(input: &RuleInput<'_>, facts: &Facts<'_>) -> Option<Finding> {
    let (reason, pointer) = finish_reasons(facts).into_iter().find(|(reason, _)| is_cut(reason))?;
    let id = facts.span.span_id;
    let limit = output_limit(facts);
    let used = facts
        .span
        .model
        .as_ref()
        .and_then(|model| model.usage)
        .map(|usage| usage.output_tokens)
        .filter(|used| *used > 0);
    let value = limit.as_ref().map(|(limit, _)| *limit).or(used);
    let places = places(input, value);
    let size = value.map(|value| format!(" of {value} tokens")).unwrap_or_default();
    let at = places
        .first()
        .map(|place| format!(" (`{}` at `{}:{}`)", place.key, place.path, place.line))
        .unwrap_or_default();
    let cause = format!("The model's answer was cut at the output limit{size}{at}");
    let description = match places.first() {
        Some(place) => format!(
            "Raise `{}` in `{}` so that a whole answer fits, or ask for a shorter one.",
            place.key, place.path
        ),
        None => "Raise the limit of output tokens so that a whole answer fits, or ask for a shorter one."
            .to_owned(),
    };
    let files = places.iter().map(|place| place.path.clone()).collect();
    let hints: Vec<RepairHint> = places.iter().take(3).map(|place| place.multiplied(&FACTORS)).collect();
    let mut finding = Finding::new(
        id,
        cause,
        Remedy::change(FixKind::Config, description, files).with_hints(hints).with_oracle(
            input
                .failures
                .iter()
                .find(|failure| failure.ended_run)
                .and_then(|failure| oracle::raises_enclosing(input, failure, id)),
        ),
    )
    .with_strength(strength(input, facts))
    .cite(id, pointer, reason, "The model stopped because of the limit");
    if let Some((limit, pointer)) = limit {
        finding = finding.cite(id, pointer, limit.to_string(), "The request allowed this many tokens");
    }
    for place in places.iter().take(2) {
        finding = finding.cite_line(&place.path, place.line, "The limit is set here");
    }
    if let Some((pointer, text)) = reply(&facts.output) {
        let end = text
            .char_indices()
            .rev()
            .take(60)
            .last()
            .map_or("", |(at, _)| text.get(at..).unwrap_or_default());
        finding = finding.cite(id, pointer, end, "The answer ends here");
    }
    Some(finding.decided_by("Ask again with a higher limit: the answer is whole."))
}

fn is_cut(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    let words: Vec<&str> =
        reason.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    words.iter().any(|word| REASONS.contains(word))
}

/// A cut answer is the likelier cause the closer it stands before the error.
fn strength(input: &RuleInput<'_>, facts: &Facts<'_>) -> f64 {
    let id = facts.span.span_id;
    let Some(failure) = input.failures.iter().find(|failure| failure.ended_run) else {
        return if input.run_failed() { 1.0 } else { 0.8 };
    };
    let last = input
        .before(failure.span)
        .find(|before| before.span.model.is_some())
        .map(|before| before.span.span_id);
    if last == Some(id) || failure.span.span_id == id { 1.0 } else { 0.75 }
}

/// Settings for output tokens with this value, the one whose name fits best first.
fn places(input: &RuleInput<'_>, value: Option<u64>) -> Vec<Setting> {
    let (Some(code), Some(value)) = (&input.code, value) else { return Vec::new() };
    let about_tokens = |text: &str| {
        let text = text.to_ascii_lowercase();
        ["token", "num_predict", "max_output", "max_length"].iter().any(|word| text.contains(word))
    };
    let fits = |setting: &Setting| {
        let wanted = u32::try_from(value).map(f64::from).ok();
        about_tokens(&setting.key) && setting.number().is_some() && setting.number() == wanted
    };
    let mut found = settings::find(code.snapshot, about_tokens, fits);
    // `sort_by` is stable: files keep their order among equals.
    found.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    found
}

fn likeness(setting: &Setting) -> f64 {
    if setting.key.to_ascii_lowercase().contains("tokens") {
        1.0
    } else {
        similarity(&setting.key, "max_tokens")
    }
}
