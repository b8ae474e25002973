//! The model called a tool that it was not offered (catalogue 2).

use std::collections::BTreeSet;

use crate::diagnosis::FixKind;
use crate::quick::failure::clip;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::RuleInput;
use crate::quick::language_model::{tool_definitions, tool_requests};
use crate::quick::names::{nearest, similarity};
use crate::quick::rule::{Explains, Reads, Rule};

/// The most calls that are reported.
const MAX_FINDINGS: usize = 5;

pub(super) const RULE: Rule = Rule {
    id: "unknown_tool",
    version: 1,
    number: Some(2),
    generic: false,
    reads: &[Reads::ToolSchema, Reads::Output],
    explains: Explains::These(&[
        "user_code_exception",
        "key_missing",
        "exact_loop",
        "max_iterations",
        "tool_error_ignored",
        "error_as_success",
        "none_access",
    ]),
    detect,
};

fn detect(input: &RuleInput<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for facts in input.model_calls() {
        let offered: BTreeSet<String> = tool_definitions(facts).into_iter().map(|tool| tool.name).collect();
        if offered.is_empty() {
            continue;
        }
        for request in
            tool_requests(&facts.output).into_iter().filter(|request| !offered.contains(&request.name))
        {
            let near = nearest(&request.name, offered.iter().map(String::as_str));
            let name = clip(&request.name, 60);
            let mut cause = format!("The model called the tool `{name}`, which it was not offered");
            if let Some(meant) = near.first().filter(|other| similarity(&request.name, other) >= 0.5) {
                cause.push_str(&format!("; `{}` is the nearest", clip(meant, 60)));
            }
            let list: Vec<String> =
                near.iter().take(10).map(|tool| format!("`{}`", clip(tool, 40))).collect();
            let description = format!(
                "Say in the prompt that only these tools exist: {}. Answer a call of another tool with that list, or accept `{name}` as another name.",
                list.join(", ")
            );
            let id = facts.span.span_id;
            let files = super::tool_arguments::files_naming(
                input,
                near.first().map(String::as_str).unwrap_or_default(),
            );
            let finding = Finding::new(id, cause, Remedy::change(FixKind::Prompt, description, files))
                .cite(
                    id,
                    request.name_pointer.clone(),
                    request.name.as_str(),
                    "The model asked for this tool",
                )
                .cite(id, "/tool_definitions", "", "These tools were offered")
                .decided_by(format!(
                    "Ask again with the list of tools in the prompt: `{name}` is no longer called."
                ));
            if found.len() < MAX_FINDINGS {
                found.push(finding);
            }
        }
    }
    found
}
