//! A tool failed and the final answer does not say so (catalogue 26).

use crate::diagnosis::FixKind;
use crate::quick::failure::clip;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::RuleInput;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::signal;
use crate::trace::SpanKind;

/// Words with which an answer admits that something did not work.
const ADMITS: [&str; 12] = [
    "error",
    "fail",
    "unable",
    "could not",
    "couldn't",
    "cannot",
    "can't",
    "sorry",
    "not available",
    "unavailable",
    "problem",
    "issue",
];

pub(super) const RULE: Rule = Rule {
    id: "tool_error_ignored",
    version: 1,
    number: Some(26),
    generic: false,
    reads: &[Reads::Output],
    explains: Explains::Nothing,
    detect,
};

fn detect(input: &RuleInput<'_>) -> Vec<Finding> {
    let Some(root) = input.trace.root().filter(|root| !root.is_failed()) else { return Vec::new() };
    let Some(answer) = input.facts_of(root.span_id).map(|facts| facts.output.plain().to_lowercase()) else {
        return Vec::new();
    };
    if answer.trim().is_empty() || ADMITS.iter().any(|word| answer.contains(word)) {
        return Vec::new();
    }
    let ignored = |failure: &crate::quick::failure::Failure<'_>| {
        failure.span.kind == SpanKind::Tool && !failure.recovered && !failure.soft
    };
    let mut found = Vec::new();
    for (number, failure) in input.failures().filter(|(_, failure)| ignored(failure)).take(3) {
        let name = clip(failure.span.tool_name().unwrap_or("?"), 60);
        let cause = format!(
            "The tool `{name}` failed with {}, and the final answer does not say so",
            failure.title()
        );
        let description = "Hand the error of a tool to the model as an error, and say in the prompt that an answer must not hide it.";
        found.push(
            Finding::new(
                failure.span.span_id,
                cause,
                Remedy::change(FixKind::Prompt, description, Vec::new()),
            )
            .of_failure(number)
            .with_strength(0.8)
            .with_evidence(signal::evidence(failure, "", "The tool failed"))
            .cite(root.span_id, "/output", "", "The final answer"),
        );
    }
    found
}
