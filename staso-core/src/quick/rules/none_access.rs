//! The code uses something that is not there: `None`, `null`, `undefined`, nil (catalogue 37).

use super::exception;
use crate::diagnosis::FixKind;
use crate::quick::failure::Failure;
use crate::quick::finding::{Evidence, Finding, Place};
use crate::quick::input::RuleInput;
use crate::quick::rule::{Explains, Reads, Rule};

/// Steps before the failure whose results are searched for the missing value.
const MAX_STEPS: usize = 20;

pub(super) const RULE: Rule = Rule {
    id: "none_access",
    version: 1,
    number: Some(37),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::These(&["exact_loop", "max_iterations", "tool_error_ignored", "error_as_success"]),
    detect: |input| {
        exception::candidates(input).filter_map(|(number, failure)| explain(input, number, failure)).collect()
    },
};

fn explain(input: &RuleInput<'_>, number: usize, failure: &Failure<'_>) -> Option<Finding> {
    const WORDS: [&str; 7] = [
        "'NoneType'",
        "Cannot read properties of undefined",
        "Cannot read properties of null",
        "Cannot set properties of undefined",
        "nil pointer dereference",
        "on a `None` value",
        "is not a function",
    ];
    let word = WORDS.iter().find(|word| failure.root_message.contains(**word));
    if word.is_none() && !failure.is_kind(&["NullPointerException"]) {
        return None;
    }
    let place = exception::place(failure);
    let cause = format!("The code {place} uses a value that is not there: {}", failure.title());
    let description = format!("Handle the missing value {place}, or make the step before return one.");
    let remedy = exception::change(input, failure, FixKind::Code, description);
    let mut finding = exception::finding(input, number, cause, remedy)?;
    if let Some(evidence) = null_before(input, failure) {
        finding.evidence.insert(1, evidence);
    }
    Some(finding)
}

/// The latest step before the failure that returned nothing.
fn null_before(input: &RuleInput<'_>, failure: &Failure<'_>) -> Option<Evidence> {
    input.before(failure.span).take(MAX_STEPS).find_map(|facts| {
        let json = facts.output.json()?;
        let nothing = json.is_null()
            || json.as_object().is_some_and(|object| object.values().any(serde_json::Value::is_null));
        nothing.then(|| Evidence {
            place: Place::Span(facts.span.span_id, facts.output.pointer()),
            needle: "null".to_owned(),
            claim: "A step before returned nothing".to_owned(),
        })
    })
}
