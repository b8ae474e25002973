//! Edits of prompt files: names of variables and braces, in whatever format the file has.

use super::family::Family;
use super::mutation::{Mutation, code};
use super::placeholder::{escape_braces, find, is_plain_name, substitutes};
use crate::fix::Replacement;

/// Names that are tried.
const MAX_NAMES: usize = 12;

/// Proposes edits of a template that asks for a name that is not passed.
pub(crate) fn propose(text: &str, name: &str, available: &[&str]) -> Vec<Mutation> {
    let mut mutations = Vec::new();
    let is_text = name.contains(['"', '\'', '{', '}', ':', ',']) || name.contains(char::is_control);
    let found = if is_text { Vec::new() } else { find(text, name) };
    for (other, closeness) in substitutes(text, name, available).into_iter().take(MAX_NAMES) {
        let edit =
            |range: &std::ops::Range<usize>| Replacement { range: range.clone(), text: other.to_owned() };
        let mut renames: Vec<Vec<Replacement>> = Vec::new();
        if found.len() > 1 {
            renames.push(found.iter().map(edit).collect());
        }
        renames.extend(found.iter().map(|range| vec![edit(range)]));
        for (index, parts) in renames.into_iter().enumerate() {
            let all = index == 0;
            mutations.push(Mutation {
                family: Family::Template,
                is_backed: false,
                line: line_of(text, &parts),
                closeness: if all { closeness } else { closeness * 0.7 },
                title: format!("Ask for {}, which is passed, and not {}", code(other), code(name)),
                why: Some(format!("The program passes {} and nothing called {}.", code(other), code(name))),
                parts,
            });
        }
    }
    let parts = escape_braces(text, name, available);
    if !parts.is_empty() {
        let closeness = if is_plain_name(name) { 0.4 } else { 1.0 };
        mutations.push(braces(line_of(text, &parts), parts, closeness));
    }
    mutations
}

/// An edit that doubles braces.
pub(crate) fn braces(line: u32, parts: Vec<Replacement>, closeness: f64) -> Mutation {
    Mutation {
        family: Family::Braces,
        is_backed: false,
        line,
        closeness,
        title: "Escape the braces that are meant as text".to_owned(),
        why: Some("The template language takes the text between these braces for a variable.".to_owned()),
        parts,
    }
}

fn line_of(text: &str, parts: &[Replacement]) -> u32 {
    let at = parts.first().map_or(0, |part| part.range.start);
    let lines = text.get(..at).unwrap_or_default().matches('\n').count();
    u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1)
}
