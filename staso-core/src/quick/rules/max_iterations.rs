//! The agent ran into a limit that a setting names: turns, steps, length (catalogue 24).

use crate::diagnosis::{FixKind, RepairHint};
use crate::quick::failure::{Failure, clip};
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::RuleInput;
use crate::quick::oracle;
use crate::quick::pattern::pattern;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::settings::{self, Setting};
use crate::quick::signal::Signal;

const SIGNAL: Signal = Signal {
    kinds: &[
        "GraphRecursionError",
        "MaxIterationsError",
        "MaxTurnsExceeded",
        "MaxStepsError",
        "RecursionError",
    ],
    statuses: &[],
    words: &[
        "maximum iterations",
        "max iterations",
        "max_iterations",
        "recursion limit",
        "max turns",
        "max_turns",
        "maximum number of turns",
        "iteration limit",
        "max steps",
        "max_steps",
        "step limit",
        "too many iterations",
    ],
};

const FACTORS: [f64; 3] = [2.0, 4.0, 8.0];
/// Words with which a message says that a limit was passed.
const LIMIT_WORDS: [&str; 6] = ["more than", "exceed", "limit", "at most", "maximum", "no answer after"];

pattern!(NAMED_SETTING = r"\b([A-Za-z]\w*_\w+)\s*[=:]\s*(\d[\d_.]*)");
pattern!(NUMBER = r"\b(\d[\d_]*)\b");

pub(super) const RULE: Rule = Rule {
    id: "limit_reached",
    version: 1,
    number: Some(24),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::Nothing,
    detect: |input| {
        input.failures().filter_map(|(number, failure)| explain(input, number, failure)).collect()
    },
};

fn explain(input: &RuleInput<'_>, number: usize, failure: &Failure<'_>) -> Option<Finding> {
    let turns = SIGNAL.matches(failure);
    let named = named_settings(input, failure);
    let words = match (&turns, named.first()) {
        (Some(words), _) => words.clone(),
        (None, Some(place)) => place.key.clone(),
        (None, None) => return None,
    };
    let places = if named.is_empty() { turn_limits(input, failure) } else { named };
    let at = places
        .first()
        .map(|place| format!(" (`{}` at `{}:{}`)", place.key, place.path, place.line))
        .unwrap_or_default();
    let cause = format!("The run reached a limit{at}: {}", failure.title());
    let name = places.first().map(|place| format!("`{}` in `{}`", place.key, place.path));
    let description = format!(
        "Find out first why so much is needed: look for steps that repeat without progress. If all of them are needed, raise {}.",
        name.unwrap_or_else(|| "the limit".to_owned())
    );
    let files = places.iter().map(|place| place.path.clone()).collect();
    let hints: Vec<RepairHint> = places.iter().take(3).map(|place| place.multiplied(&FACTORS)).collect();
    let remedy = Remedy::change(FixKind::Config, description, files)
        .with_hints(hints)
        .with_oracle(oracle::raises(input, failure));
    let mut finding = Finding::new(failure.span.span_id, cause, remedy)
        .of_failure(number)
        .with_evidence(crate::quick::signal::evidence(failure, &words, "The limit was reached"));
    for place in places.iter().take(2) {
        finding = finding.cite_line(&place.path, place.line, "The limit is set here");
    }
    Some(finding.decided_by(format!(
        "Run again with a higher limit: `{}` does not come back.",
        clip(failure.kind.as_deref().unwrap_or("the error"), 60)
    )))
}

/// Settings that the message names with the value that the repository gives them.
fn named_settings(input: &RuleInput<'_>, failure: &Failure<'_>) -> Vec<Setting> {
    let Some(code) = &input.code else { return Vec::new() };
    let message = failure.message.as_str();
    let lower = message.to_ascii_lowercase();
    if !LIMIT_WORDS.iter().any(|word| lower.contains(word)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for named in NAMED_SETTING.all(message).take(5) {
        let (Some(key), Some(value)) = (named.get(1), named.get(2)) else { continue };
        let value: Option<f64> = value.as_str().trim_end_matches('.').replace('_', "").parse().ok();
        let fits =
            |setting: &Setting| setting.key == key.as_str() && value.is_some() && setting.number() == value;
        found.extend(settings::find(code.snapshot, |text| text.contains(key.as_str()), fits));
    }
    found
}

/// Settings about turns with a value that the message names, else all of them.
fn turn_limits(input: &RuleInput<'_>, failure: &Failure<'_>) -> Vec<Setting> {
    let Some(code) = &input.code else { return Vec::new() };
    let about_turns = |text: &str| {
        let text = text.to_ascii_lowercase();
        [
            "max_iterations",
            "max_turns",
            "recursion_limit",
            "max_steps",
            "max_rounds",
            "maxiterations",
            "maxturns",
            "maxsteps",
        ]
        .iter()
        .any(|word| text.contains(word))
    };
    let said: Vec<f64> = NUMBER
        .all(&failure.message)
        .filter_map(|found| found.get(1)?.as_str().replace('_', "").parse().ok())
        .collect();
    let all = settings::find(code.snapshot, about_turns, |setting| {
        about_turns(&setting.key) && setting.number().is_some()
    });
    let exact: Vec<Setting> = all
        .iter()
        .filter(|setting| setting.number().is_some_and(|number| said.contains(&number)))
        .cloned()
        .collect();
    if exact.is_empty() { all } else { exact }
}
