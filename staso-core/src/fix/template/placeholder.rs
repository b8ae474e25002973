//! Variables in templates, as the usual template languages write them.

use std::ops::Range;

use super::affinity::affinity;
use crate::fix::Replacement;

/// Occurrences that are looked at.
const MAX_FOUND: usize = 32;

/// Whether a name can stand in any of the template languages without changing more than itself.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.chars().all(|c| c == '_' || c == '.' || c.is_ascii_alphanumeric())
}

/// Where a template names a variable: `{x}`, `{x:>8}`, `{x!r}`, `{{x}}`, `{{ x }}`, `$x`, `${x}`, `%(x)s`.
pub(crate) fn find(text: &str, name: &str) -> Vec<Range<usize>> {
    if name.is_empty() {
        return Vec::new();
    }
    let is_use = |at: &usize| {
        let before = text.get(..*at).unwrap_or_default();
        let after = text.get(at + name.len()..).unwrap_or_default();
        let opened =
            before.trim_end_matches(' ').ends_with('{') || before.ends_with("%(") || before.ends_with('$');
        let ends = after.chars().next().is_none_or(|c| c != '_' && !c.is_alphanumeric());
        let closed = if before.ends_with('$') {
            ends
        } else {
            after.trim_start_matches(' ').starts_with(['}', ')', ':', '!', '|', '[', '.'])
        };
        opened && closed
    };
    let starts = text.match_indices(name).map(|(at, _)| at);
    starts.filter(is_use).take(MAX_FOUND).map(|at| at..at + name.len()).collect()
}

/// The names that a template could ask for in place of another, with how well each fits, from 0 to 1. A template
/// seldom needs a name twice, so those that it asks for already come after others, unless only the spelling differs.
pub(crate) fn substitutes<'n>(template: &str, name: &str, available: &[&'n str]) -> Vec<(&'n str, f64)> {
    let names = available.iter().filter(|other| **other != name && is_plain_name(other)).take(MAX_NAMES);
    let mut rated: Vec<(&'n str, f64)> = names
        .enumerate()
        .map(|(rank, other)| {
            let near = affinity(name, other);
            let position = 1.0 / (1.0 + f64::from(u32::try_from(rank).unwrap_or(u32::MAX)) / 40.0);
            let spare = if near < ONLY_MISSPELT && !find(template, other).is_empty() { 0.5 } else { 1.0 };
            (*other, position * spare * (0.5 + 0.5 * near))
        })
        .collect();
    rated.sort_by(|a, b| b.1.total_cmp(&a.1));
    rated
}

/// Names that are tried.
const MAX_NAMES: usize = 24;
/// Names at least as near differ only in spelling.
const ONLY_MISSPELT: f64 = 0.8;

/// Doubles the braces around text that `str.format` took for a variable, and those nested in it, but not the braces
/// of the variables that are passed.
pub(crate) fn escape_braces(text: &str, name: &str, passed: &[&str]) -> Vec<Replacement> {
    let opening = format!("{{{name}");
    let Some(start) = text.match_indices(&opening).map(|(at, _)| at).find(|at| !is_doubled(text, *at)) else {
        return Vec::new();
    };
    let mut edits = Vec::new();
    let mut open: Vec<bool> = Vec::new();
    for (at, c) in text.get(start..).unwrap_or_default().char_indices().take(MAX_ESCAPED_CHARS) {
        let at = start + at;
        match c {
            '{' => {
                let rest = text.get(at + 1..).unwrap_or_default();
                let is_variable = passed.iter().any(|name| {
                    rest.strip_prefix(name).is_some_and(|rest| rest.starts_with(['}', ':', '!', '.', '[']))
                });
                open.push(is_variable);
                if !is_variable {
                    edits.push(Replacement { range: at..at, text: "{".to_owned() });
                }
            }
            '}' => match open.pop() {
                Some(false) => edits.push(Replacement { range: at..at, text: "}".to_owned() }),
                Some(true) => {}
                None => break,
            },
            _ => {}
        }
        if open.is_empty() {
            return edits;
        }
    }
    Vec::new()
}

/// Escaped text longer than this is left alone, in characters.
const MAX_ESCAPED_CHARS: usize = 8_000;

fn is_doubled(text: &str, at: usize) -> bool {
    text.get(..at).is_some_and(|head| head.ends_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_template_languages_are_found() {
        let text = "{x} {{ x }} ${x} $x. %(x)s {x:>3} {xy} x $xy {x!r}";
        assert_eq!(find(text, "x").len(), 7);
        assert!(find("", "").is_empty());
    }

    #[test]
    fn names_that_the_template_lacks_come_first() {
        let names = |template, name, available: &[&'static str]| {
            substitutes(template, name, available).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        let template = "It is {{current_date}}. {{question}} {{signature}}";
        assert_eq!(
            names(template, "current_date", &["question", "today", "tone"]),
            ["today", "tone", "question"]
        );
        assert_eq!(names(template, "signatur", &["tone", "signature"]), ["signature", "tone"]);
    }

    #[test]
    fn braces_are_doubled_around_variables_that_stay() {
        let text = "Answer as {\"id\": {order_id}, \"items\": [{\"n\": 1}]} now";
        let mut after = text.to_owned();
        for edit in escape_braces(text, "\"id\"", &["order_id"]).iter().rev() {
            after.replace_range(edit.range.clone(), &edit.text);
        }
        assert_eq!(after, "Answer as {{\"id\": {order_id}, \"items\": [{{\"n\": 1}}]}} now");
    }
}
