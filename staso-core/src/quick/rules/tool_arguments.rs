//! The arguments of a tool call break the tool's schema (catalogue 1).

use serde_json::Value;

use crate::code::RepoPath;
use crate::diagnosis::FixKind;
use crate::id::SpanId;
use crate::quick::failure::clip;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::{Facts, RuleInput};
use crate::quick::language_model::{ToolDefinition, tool_definitions, tool_requests};
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::schema;
use crate::trace::JsonPointer;

/// The most calls that are reported.
const MAX_FINDINGS: usize = 5;
/// The most calls that are checked.
const MAX_CALLS: usize = 500;

pub(super) const RULE: Rule = Rule {
    id: "tool_arguments_violate_schema",
    version: 1,
    number: Some(1),
    generic: false,
    reads: &[Reads::ToolSchema, Reads::ToolArguments],
    explains: Explains::These(&[
        "user_code_exception",
        "key_missing",
        "none_access",
        "type_mismatch",
        "exact_loop",
        "max_iterations",
        "tool_error_ignored",
        "error_as_success",
    ]),
    detect,
};

fn detect(input: &RuleInput<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut offered: Vec<ToolDefinition> = Vec::new();
    let mut asked: Vec<(String, Value)> = Vec::new();
    for facts in input.facts.iter().take(20 * MAX_CALLS) {
        if facts.span.model.is_some() {
            let tools = tool_definitions(facts);
            offered = if tools.is_empty() { offered } else { tools };
            for request in tool_requests(&facts.output).into_iter().take(MAX_CALLS) {
                if let Ok(arguments) = request.arguments {
                    found.extend(explain(
                        input,
                        facts,
                        &offered,
                        &request.name,
                        &arguments,
                        &request.arguments_pointer,
                    ));
                    asked.push((request.name, arguments));
                }
            }
        } else if let (Some(name), Some(arguments)) = (facts.span.tool_name(), facts.input.json()) {
            // A call that a model was seen to ask for has been checked there.
            if !asked.iter().any(|(known, value)| known == name && value == arguments) {
                found.extend(explain(input, facts, &offered, name, arguments, &facts.input.pointer()));
            }
        }
        if found.len() >= MAX_FINDINGS || asked.len() >= MAX_CALLS {
            break;
        }
    }
    found
}

fn explain(
    input: &RuleInput<'_>,
    facts: &Facts<'_>,
    offered: &[ToolDefinition],
    name: &str,
    arguments: &Value,
    pointer: &JsonPointer,
) -> Option<Finding> {
    let tool = offered.iter().find(|tool| tool.name == name)?;
    let violations = schema::violations(&tool.schema, arguments);
    let first = violations.first()?;
    let shown = clip(name, 60);
    let cause = format!("The arguments for the tool `{shown}` break its schema: {}", first.what);
    let description = format!(
        "Describe the argument in the schema of `{shown}` with an example, or accept and convert what the model sends: {}.",
        first.what
    );
    let id = facts.span.span_id;
    let (failed, number) = outcome(input, id, name);
    let below: Vec<String> = pointer.parts().into_iter().chain(first.pointer.parts()).collect();
    let text_arguments = input.trace.text_at(id, &JsonPointer::from_parts(&below)).is_none();
    let pointer = if text_arguments { pointer.clone() } else { JsonPointer::from_parts(&below) };
    let mut finding =
        Finding::new(id, cause, Remedy::change(FixKind::Prompt, description, files_naming(input, name)))
            .with_strength(if failed { 1.0 } else { 0.6 })
            .cite(id, pointer, "", "These arguments were passed")
            .decided_by(format!(
                "Check the recorded arguments against the schema of `{shown}`: they do not fit."
            ));
    if facts.span.model.is_some() {
        finding = finding.cite(id, "/tool_definitions", name, "The schema that was offered");
    }
    if violations.len() > 1 {
        let list: Vec<String> = violations.iter().map(|violation| format!("- {}", violation.what)).collect();
        finding = finding.with_detail(list.join("\n"));
    }
    Some(match number {
        Some(number) => finding.of_failure(number),
        None => finding,
    })
}

/// Whether the call failed, and with which error.
fn outcome(input: &RuleInput<'_>, asked_at: SpanId, name: &str) -> (bool, Option<usize>) {
    let from = input.trace.position(asked_at).unwrap_or_default();
    let call = input.failures().find(|(_, failure)| {
        failure.span.tool_name() == Some(name)
            && input.trace.position(failure.span.span_id).is_some_and(|at| at >= from)
    });
    (call.is_some(), call.map(|(number, _)| number))
}

/// Files that name the tool, tests last.
pub(super) fn files_naming(input: &RuleInput<'_>, tool: &str) -> Vec<RepoPath> {
    let Some(code) = input.code.as_ref().filter(|_| tool.len() >= 3) else { return Vec::new() };
    let mut files: Vec<RepoPath> = code
        .snapshot
        .files()
        .filter(|(_, file)| file.text.contains(tool))
        .map(|(path, _)| path.clone())
        .collect();
    files.sort_by_key(|path| path.components().any(|part| part.starts_with("test")));
    files.truncate(5);
    files
}
