//! A search found nothing (catalogue 28).

use serde_json::Value;

use crate::diagnosis::FixKind;
use crate::quick::failure::clip;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::rule::{Explains, Reads, Rule};
use crate::trace::SpanKind;

/// The most searches that are reported.
const MAX_FINDINGS: usize = 3;

pub(super) const RULE: Rule = Rule {
    id: "empty_retrieval",
    version: 1,
    number: Some(28),
    generic: false,
    reads: &[Reads::Output],
    explains: Explains::These(&["none_access", "key_missing", "user_code_exception"]),
    detect: |input| {
        let mut found = Vec::new();
        let searches = input
            .facts
            .iter()
            .filter(|facts| facts.span.kind == SpanKind::Retriever && !facts.span.is_failed());
        for facts in searches.filter(|facts| facts.output.json().is_some_and(is_empty)).take(MAX_FINDINGS) {
            let name = clip(&facts.span.name, 60);
            let cause = format!("The search `{name}` found nothing, and the run went on without");
            let description =
                format!("Check index, filter and query of `{name}`, and add a branch for an empty result.");
            let id = facts.span.span_id;
            found.push(
                Finding::new(id, cause, Remedy::change(FixKind::Code, description, Vec::new()))
                    .with_strength(if input.run_failed() { 0.75 } else { 0.6 })
                    .cite(id, facts.output.pointer(), "", "The result is empty")
                    .decided_by("Repeat the recorded query against the index: it returns nothing."),
            );
        }
        found
    },
};

fn is_empty(output: &Value) -> bool {
    match output {
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => ["documents", "results", "matches", "docs", "chunks", "hits"]
            .iter()
            .filter_map(|key| map.get(*key))
            .any(is_empty),
        _ => false,
    }
}
