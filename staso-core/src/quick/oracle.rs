//! How to make a recorded failure happen again: calls of functions in the repository with recorded arguments.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::document::Document;
use super::failure::Failure;
use super::frames::function_of;
use super::functions::Function;
use super::input::RuleInput;
use super::pattern::pattern;
use super::tree::outward;
use crate::diagnosis::{FailureOracle, RecordedCall, contains_secret};
use crate::id::SpanId;
use crate::trace::Span;

/// How many enclosing steps are looked at.
const MAX_STEPS: usize = 200;
/// The most calls that are offered.
const MAX_CALLS: usize = 8;
/// Larger arguments are not repeated in a diagnosis, in bytes.
const MAX_ARGUMENT_BYTES: usize = 64 * 1024;

pattern!(
    UNSTABLE = r"0x[0-9a-fA-F]+|(?:[A-Za-z]:)?[/\\][^\s'\x22]*|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{12,}\b|\d{4}-\d\d-\d\d[T ][\d:.+Z-]*|(?:^|[\s=(:])\d[\d.,]*"
);

/// The failing step's call and the calls around it, raising the same class of exception.
pub(super) fn raises(input: &RuleInput<'_>, failure: &Failure<'_>) -> Option<FailureOracle> {
    let exception = failure.kind.clone()?;
    let calls = calls_around(input, failure.span);
    if calls.is_empty() || failure.soft {
        return None;
    }
    Some(FailureOracle::Raises { exception, message_contains: stable_part(&failure.message), calls })
}

/// Only those calls around the failing step that also make the blamed step happen again: a call that is handed what the
/// blamed step made would fail whatever is changed there.
pub(super) fn raises_enclosing(
    input: &RuleInput<'_>,
    failure: &Failure<'_>,
    blamed: SpanId,
) -> Option<FailureOracle> {
    let exception = failure.kind.clone()?;
    let place = input.trace.position(blamed)?;
    let encloses = |step: &&Span| {
        let at = input.trace.position(step.span_id);
        step.span_id == blamed || at.is_some_and(|at| input.tree.is_inside(place, at))
    };
    let steps = std::iter::once(failure.span).chain(outward(input.trace, failure.span).take(MAX_STEPS));
    let calls = calls_of(input, steps.filter(encloses));
    (!calls.is_empty() && !failure.soft).then(|| FailureOracle::Raises {
        exception,
        message_contains: stable_part(&failure.message),
        calls,
    })
}

/// The calls that build a text with an unfilled variable in it.
pub(super) fn unfilled(input: &RuleInput<'_>, span: &Span, placeholder: &str) -> Option<FailureOracle> {
    let calls = calls_around(input, span);
    (!calls.is_empty()).then(|| FailureOracle::Unfilled { placeholder: placeholder.to_owned(), calls })
}

/// The recorded call of a step, then those of the enclosing steps up to the root.
fn calls_around(input: &RuleInput<'_>, span: &Span) -> Vec<RecordedCall> {
    calls_of(input, std::iter::once(span).chain(outward(input.trace, span).take(MAX_STEPS)))
}

fn calls_of<'s>(input: &RuleInput<'_>, steps: impl Iterator<Item = &'s Span>) -> Vec<RecordedCall> {
    let mut calls: Vec<RecordedCall> = Vec::new();
    for call in steps.filter_map(|step| recorded_call(input, step)) {
        if calls.len() < MAX_CALLS && !calls.contains(&call) {
            calls.push(call);
        }
    }
    calls
}

fn recorded_call(input: &RuleInput<'_>, span: &Span) -> Option<RecordedCall> {
    let code = input.code.as_ref()?;
    let place = span.code.as_ref()?;
    let path = code.snapshot.resolve_recorded_path(&place.path)?.clone();
    let known = function_of(span, code);
    // Only a function that stands in the file: the name in the trace could be anything that Python can look up.
    let function = known?.qualified.clone();
    let document = &input.facts_of(span.span_id)?.input;
    let arguments = arguments(document, known)?;
    let class = |kind: &String| kind.rsplit(['.', ':']).next().unwrap_or(kind).to_owned();
    let raised = span.error.as_ref().and_then(|error| error.kind.as_ref()).map(class);
    Some(RecordedCall { path, function, arguments, raised })
}

/// A recorded JSON object, by name; `{"args": […], "kwargs": {…}}` is matched with the parameters of the function.
fn arguments(document: &Document<'_>, function: Option<&Function>) -> Option<BTreeMap<String, Value>> {
    if document.raw().len() > MAX_ARGUMENT_BYTES || contains_secret(document.raw()) {
        return None;
    }
    let object = document.json()?.as_object()?;
    let positional = object.get("args").and_then(Value::as_array);
    let named = object.get("kwargs").and_then(Value::as_object);
    let wrapped = object.keys().all(|key| key == "args" || key == "kwargs")
        && (positional.is_some() || named.is_some());
    let mut arguments = if wrapped { named.cloned().unwrap_or_default() } else { object.clone() };
    if wrapped {
        place_positional(&mut arguments, positional?, function)?;
    }
    arguments.remove("self");
    Some(arguments.into_iter().collect())
}

fn place_positional(
    named: &mut Map<String, Value>,
    positional: &[Value],
    function: Option<&Function>,
) -> Option<()> {
    if positional.is_empty() {
        return Some(());
    }
    let parameters = &function?.parameters;
    if parameters.len() < positional.len() {
        return None;
    }
    for (name, value) in parameters.iter().zip(positional) {
        named.insert(name.clone(), value.clone());
    }
    Some(())
}

/// The longest part of the message's first line without paths, addresses, ids, times and numbers: a change that only
/// changes the number in the message has not removed the failure.
fn stable_part(message: &str) -> Option<String> {
    let line = message.lines().next()?.trim();
    if contains_secret(line) {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    let mut from = 0;
    for unstable in UNSTABLE.all(line).filter_map(|found| found.get(0)) {
        parts.extend(line.get(from..unstable.start()));
        from = unstable.end();
    }
    parts.extend(line.get(from..));
    let longest = parts.into_iter().map(str::trim).rev().max_by_key(|part| part.len())?;
    let kept: String = longest.chars().take(200).collect();
    (kept.chars().filter(|c| c.is_alphanumeric()).count() >= 2).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_between_machines_is_left_out() {
        assert_eq!(stable_part("'total'").as_deref(), Some("'total'"));
        assert_eq!(
            stable_part("cannot read /srv/app/x.json: no such order 1234567").as_deref(),
            Some("no such order")
        );
        assert_eq!(stable_part("<Order object at 0x7f00aa> is bad").as_deref(), Some("<Order object at"));
        assert_eq!(stable_part("/tmp/x"), None);
        assert_eq!(
            stable_part("got 359 characters, more than limit = 100").as_deref(),
            Some("characters, more than limit =")
        );
        assert_eq!(stable_part("'line_2'").as_deref(), Some("'line_2'"));
        assert!(UNSTABLE.is_valid());
    }
}
