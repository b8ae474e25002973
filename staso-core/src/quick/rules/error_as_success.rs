//! A tool reported an error as if it were a result (catalogue 27).

use std::ops::ControlFlow;

use serde_json::Value;

use crate::diagnosis::FixKind;
use crate::quick::document::prefix;
use crate::quick::failure::clip;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::{Facts, RuleInput};
use crate::quick::rule::{Explains, Reads, Rule};
use crate::trace::{JsonPointer, SpanKind};

/// The most results that are reported.
const MAX_FINDINGS: usize = 5;

pub(super) const RULE: Rule = Rule {
    id: "error_as_success",
    version: 1,
    number: Some(27),
    generic: false,
    reads: &[Reads::Output],
    explains: Explains::Nothing,
    detect: |input| {
        let called = input
            .facts
            .iter()
            .filter(|facts| matches!(facts.span.kind, SpanKind::Tool | SpanKind::Retriever));
        called
            .filter(|facts| !facts.span.is_failed())
            .filter_map(|facts| explain(input, facts))
            .take(MAX_FINDINGS)
            .collect()
    },
};

fn explain(input: &RuleInput<'_>, facts: &Facts<'_>) -> Option<Finding> {
    let (pointer, text) = reported_error(facts)?;
    let name = clip(facts.span.tool_name().unwrap_or(&facts.span.name), 60);
    let cause =
        format!("The tool `{name}` reported an error as a normal result: `{}`", clip(text.trim(), 100));
    let description =
        format!("Let `{name}` raise or mark the error, and say in the prompt what to do when it fails.");
    let files = super::tool_arguments::files_naming(input, facts.span.tool_name().unwrap_or_default());
    let id = facts.span.span_id;
    Some(
        Finding::new(id, cause, Remedy::change(FixKind::Code, description, files))
            .with_strength(if input.run_failed() { 0.8 } else { 0.65 })
            .cite(id, pointer, prefix(text.trim(), 120), "The result says that the call failed")
            .decided_by(format!(
                "Call `{name}` with the recorded arguments: it returns an error text instead of failing."
            )),
    )
}

fn reported_error(facts: &Facts<'_>) -> Option<(JsonPointer, String)> {
    if let Some(Value::Object(map)) = facts.output.json() {
        let failed = ["success", "ok"].iter().any(|key| map.get(*key) == Some(&Value::Bool(false)))
            || map
                .get("status")
                .and_then(Value::as_str)
                .is_some_and(|status| matches!(status, "error" | "failed" | "failure"));
        let stated = ["error", "error_message", "exception"].iter().find_map(|key| {
            let text = match map.get(*key)? {
                Value::String(text) if !text.trim().is_empty() => text.clone(),
                Value::Object(inner) if !inner.is_empty() => map.get(*key)?.to_string(),
                _ => return None,
            };
            Some((JsonPointer::from_parts(["output", key]), text))
        });
        return stated.or_else(|| failed.then(|| (facts.output.pointer(), String::new())));
    }
    let mut found = None;
    facts.output.texts(|path, text| {
        let start = prefix(text.trim_start(), 60);
        if ["Error:", "ERROR:", "Exception:", "Traceback (most recent", "Error executing"]
            .iter()
            .any(|word| start.starts_with(word))
        {
            let line = text.trim().lines().last().unwrap_or(text).to_owned();
            found = Some((facts.output.pointer_to(path), line));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    found
}
