//! A step ran out of time (catalogue 16).

use crate::diagnosis::{FixKind, RepairHint};
use crate::quick::failure::{Failure, clip};
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::RuleInput;
use crate::quick::oracle;
use crate::quick::pattern::pattern;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::settings::{self, Setting};
use crate::quick::signal::Signal;
use crate::trace::{SpanKind, SpanStatus};

const SIGNAL: Signal = Signal {
    kinds: &[
        "TimeoutError",
        "Timeout",
        "ReadTimeout",
        "ConnectTimeout",
        "APITimeoutError",
        "TimeoutException",
        "DeadlineExceeded",
        "TimeoutExpired",
    ],
    statuses: &[408],
    words: &["timed out", "deadline exceeded", "timeout of", "request timeout", "read timeout"],
};

const FACTORS: [f64; 4] = [2.0, 4.0, 8.0, 16.0];

pattern!(NUMBER = r"\b(\d+(?:\.\d+)?)\b");
pattern!(SECONDS = r"(?i)([\d.]+)\s*(ms|milliseconds|s\b|sec|seconds)");

pub(super) const RULE: Rule = Rule {
    id: "tool_timeout",
    version: 1,
    number: Some(16),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::These(&["user_code_exception", "exact_loop", "max_iterations", "tool_error_ignored"]),
    detect: |input| find(input, |kind| !matches!(kind, SpanKind::Llm | SpanKind::Embedding)),
};

/// Errors of time at steps of some kinds.
pub(super) fn find(input: &RuleInput<'_>, of_kind: impl Fn(SpanKind) -> bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, failure) in input.failures().filter(|(_, failure)| of_kind(failure.span.kind)) {
        let words = SIGNAL.matches(failure);
        if words.is_none() && failure.span.status != SpanStatus::Timeout {
            continue;
        }
        let words = words.unwrap_or_default();
        found.push(explain(input, number, failure, &words));
    }
    found
}

fn explain(input: &RuleInput<'_>, number: usize, failure: &Failure<'_>, words: &str) -> Finding {
    let places = places(input, failure);
    let seconds =
        duration_seconds(failure).map(|seconds| format!(" after {seconds:.1} s")).unwrap_or_default();
    let at = places
        .first()
        .map(|place| format!(" (`{}` at `{}:{}`)", place.key, place.path, place.line))
        .unwrap_or_default();
    let who = if failure.span.kind == SpanKind::Llm { "model call" } else { "step" };
    let name = clip(failure.span.tool_name().unwrap_or(&failure.span.name), 60);
    let cause = format!("The {who} `{name}` ran out of time{seconds}{at}");
    let description = match places.first() {
        Some(place) => {
            format!("Raise `{}` in `{}`, or make the step ask for less at once.", place.key, place.path)
        }
        None => format!("Give `{name}` more time, or make it ask for less at once."),
    };
    let files = places.iter().map(|place| place.path.clone()).collect();
    let hints: Vec<RepairHint> = places.iter().take(3).map(|place| place.multiplied(&FACTORS)).collect();
    let mut finding = Finding::new(
        failure.span.span_id,
        cause,
        Remedy::change(FixKind::Config, description, files)
            .with_hints(hints)
            .with_oracle(oracle::raises(input, failure)),
    )
    .of_failure(number)
    .with_strength(if places.is_empty() { 0.85 } else { 1.0 })
    .with_evidence(crate::quick::signal::evidence(failure, words, "The step ran out of time"));
    if failure.span.status == SpanStatus::Timeout {
        finding =
            finding.cite(failure.span.span_id, "/status", "timeout", "The step is recorded as timed out");
    }
    for place in places.iter().take(2) {
        finding = finding.cite_line(&place.path, place.line, "The limit is set here");
    }
    finding.decided_by("Run the step again with more time: it ends.")
}

fn duration_seconds(failure: &Failure<'_>) -> Option<f64> {
    let nanos = failure.span.duration_ns?;
    Some(std::time::Duration::from_nanos(nanos).as_secs_f64())
}

/// Settings about time whose name stands in the message, or whose value is what the message says or what the step took.
fn places(input: &RuleInput<'_>, failure: &Failure<'_>) -> Vec<Setting> {
    let Some(code) = &input.code else { return Vec::new() };
    let about_time = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("timeout") || text.contains("deadline") || text.contains("time_limit")
    };
    let said: Vec<f64> = SECONDS
        .all(&failure.message)
        .filter_map(|found| in_seconds(found.get(1)?.as_str(), found.get(2)?.as_str()))
        .collect();
    let took = duration_seconds(failure);
    let near = |a: f64, b: f64| a > 0.0 && (a - b).abs() <= 0.15 * a.max(b);
    let fits = |setting: &Setting| {
        let Some(number) = setting.number().filter(|_| about_time(&setting.key)) else { return false };
        let named = setting.key.len() >= 6 && failure.message.contains(&setting.key);
        let readings = [number, number / 1000.0];
        named
            || readings.iter().any(|reading| {
                said.iter().any(|said| near(*said, *reading)) || took.is_some_and(|took| near(took, *reading))
            })
    };
    let mut found = settings::find(code.snapshot, about_time, fits);
    prefer(&mut found, |setting| setting.key.len() >= 6 && failure.message.contains(&setting.key));
    let numbers: Vec<f64> =
        NUMBER.all(&failure.message).filter_map(|found| found.get(1)?.as_str().parse().ok()).collect();
    prefer(&mut found, |setting| setting.number().is_some_and(|number| numbers.contains(&number)));
    found
}

/// Keeps those that fit, unless none does.
fn prefer(settings: &mut Vec<Setting>, fits: impl Fn(&Setting) -> bool) {
    if settings.iter().any(&fits) {
        settings.retain(fits);
    }
}

fn in_seconds(number: &str, unit: &str) -> Option<f64> {
    let number: f64 = number.parse().ok()?;
    Some(if unit.to_ascii_lowercase().starts_with('m') { number / 1000.0 } else { number })
}
