//! The code asks data for a key or an element that it does not have (catalogue 38).

use std::collections::BTreeSet;

use serde_json::Value;

use super::exception;
use crate::diagnosis::{FixKind, RepairHint};
use crate::quick::document::{Document, Part};
use crate::quick::failure::{Failure, clip};
use crate::quick::finding::{Evidence, Finding, Place};
use crate::quick::frames::quoted;
use crate::quick::input::RuleInput;
use crate::quick::names::{nearest, similarity};
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::signal;

/// Steps before the failure whose data is searched, latest first.
const MAX_STEPS: usize = 50;
/// Keys that are compared.
const MAX_KEYS: usize = 2_000;
/// A key less alike than this was hardly the one that was meant.
const ALIKE: f64 = 0.5;
/// A key must be this much more alike than the next to be called the one that was meant.
const CLEARLY: f64 = 0.1;

pub(super) const RULE: Rule = Rule {
    id: "key_missing",
    version: 1,
    number: Some(38),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Output, Reads::Code],
    explains: Explains::These(&["exact_loop", "max_iterations", "tool_error_ignored", "error_as_success"]),
    detect: |input| {
        exception::candidates(input).filter_map(|(number, failure)| explain(input, number, failure)).collect()
    },
};

fn explain(input: &RuleInput<'_>, number: usize, failure: &Failure<'_>) -> Option<Finding> {
    if failure.is_kind(&["IndexError"]) {
        return index(input, number, failure);
    }
    let key = missing_key(failure)?;
    let place = exception::place(failure);
    let known = known_keys(input, failure);
    let available = nearest(&key, known.iter().map(|known| known.key.as_str()));
    let meant = clearly_nearest(&key, &available);
    let shown = clip(&key, 60);
    let cause = match meant {
        Some(meant) => {
            format!("The code {place} asks for the key `{shown}`; the data has `{}`", clip(meant, 60))
        }
        None => format!(
            "The code {place} asks for the key `{shown}`, which the data does not have{}",
            near_keys(&key, &available)
        ),
    };
    let description = match meant {
        Some(meant) => {
            format!("Use the key `{}` that the data has instead of `{shown}` {place}.", clip(meant, 60))
        }
        None => format!("Handle data without the key `{shown}` {place}, or ask for a key that it has."),
    };
    let wrong = RepairHint::WrongKey {
        used: key.clone(),
        available: available.clone(),
        frames: failure.frames.clone(),
    };
    let mut remedy = exception::change(input, failure, FixKind::Code, description);
    if let crate::quick::finding::Remedy::Change(fix) = &mut remedy
        && !failure.frames.is_empty()
    {
        fix.hints.insert(0, wrong);
    }
    let seen = meant.and_then(|meant| known.iter().find(|known| known.key == *meant));
    let mut finding = exception::finding(input, number, cause, remedy)?;
    finding.evidence.splice(1..1, seen.map(|known| known.evidence.clone()));
    if !available.is_empty() {
        let list: Vec<String> =
            available.iter().take(10).map(|name| format!("`{}`", clip(name, 40))).collect();
        finding = finding.with_detail(format!(
            "Keys recorded before the failure, nearest spelling first: {}.",
            list.join(", ")
        ));
    }
    Some(finding)
}

/// The one key that was probably meant: alike, and clearly more so than the next.
fn clearly_nearest<'k>(key: &str, available: &'k [String]) -> Option<&'k String> {
    let best = available.first()?;
    let alike = similarity(key, best);
    let next = available.get(1).map_or(0.0, |name| similarity(key, name));
    (alike >= ALIKE && alike - next >= CLEARLY).then_some(best)
}

/// The keys that come nearest when none of them is the clear one.
fn near_keys(key: &str, available: &[String]) -> String {
    let near: Vec<String> = available
        .iter()
        .take(3)
        .filter(|name| similarity(key, name) >= ALIKE)
        .map(|name| format!("`{}`", clip(name, 40)))
        .collect();
    if near.is_empty() { String::new() } else { format!(" (nearest: {})", near.join(", ")) }
}

/// The key of a `KeyError`, whose message is the key as Python writes it.
fn missing_key(failure: &Failure<'_>) -> Option<String> {
    if !failure.is_kind(&["KeyError"]) {
        return None;
    }
    let message = failure.root_message.trim();
    let key = quoted(message).unwrap_or(message);
    (!key.is_empty() && key.len() <= 128 && !key.contains('\n')).then(|| key.to_owned())
}

/// A key that recorded data has.
struct Known {
    key: String,
    evidence: Evidence,
}

/// The keys of what the failing step was given and of what steps before returned, latest first.
fn known_keys(input: &RuleInput<'_>, failure: &Failure<'_>) -> Vec<Known> {
    let mut found: Vec<Known> = Vec::new();
    let mut seen = BTreeSet::new();
    let own = input.facts_of(failure.span.span_id).map(|facts| (facts.span.span_id, &facts.input));
    let earlier = input.before(failure.span).take(MAX_STEPS).map(|facts| (facts.span.span_id, &facts.output));
    for (span, document) in own.into_iter().chain(earlier) {
        document.objects(|path, object| {
            for key in object.keys() {
                if found.len() < MAX_KEYS && seen.insert(key.clone()) {
                    found.push(known(span, document, path, key));
                }
            }
        });
        nested(document, |path, key| {
            if found.len() < MAX_KEYS && seen.insert(key.to_owned()) {
                found.push(known(span, document, path, key));
            }
        });
    }
    found
}

fn known(span: crate::id::SpanId, document: &Document<'_>, path: &[Part<'_>], key: &str) -> Known {
    Known {
        key: key.to_owned(),
        evidence: Evidence {
            place: Place::Span(span, document.pointer_to(path)),
            needle: key.to_owned(),
            claim: "The data has this key".to_owned(),
        },
    }
}

/// Keys of JSON that stands as text inside JSON, as tools often return it.
fn nested(document: &Document<'_>, mut see: impl FnMut(&[Part<'_>], &str)) {
    document.texts(|path, text| {
        if text.trim_start().starts_with(['{', '['])
            && let Ok(value) = serde_json::from_str::<Value>(text)
        {
            let objects = match &value {
                Value::Array(list) => list.iter().take(50).filter_map(Value::as_object).collect(),
                other => Vec::from_iter(other.as_object()),
            };
            for key in objects.into_iter().flat_map(serde_json::Map::keys) {
                see(path, key);
            }
        }
        std::ops::ControlFlow::Continue(())
    });
}

fn index(input: &RuleInput<'_>, number: usize, failure: &Failure<'_>) -> Option<Finding> {
    let place = exception::place(failure);
    let cause = format!("The code {place} asks for an element beyond the end: {}", failure.title());
    let description =
        format!("Keep the index {place} inside the list, and handle a list that is shorter or empty.");
    let remedy = exception::change(input, failure, FixKind::Code, description);
    let words = signal::evidence(failure, "", "The list was shorter than the code expects");
    exception::finding(input, number, cause, remedy).map(|mut finding| {
        finding.evidence.splice(0..1, words.into_iter().take(1));
        finding
    })
}
