//! The arguments of a tool call are no JSON (catalogue 3).

use crate::diagnosis::FixKind;
use crate::quick::document::prefix;
use crate::quick::failure::clip;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::language_model::tool_requests;
use crate::quick::rule::{Explains, Reads, Rule};

/// The most calls that are reported.
const MAX_FINDINGS: usize = 5;

pub(super) const RULE: Rule = Rule {
    id: "tool_arguments_not_json",
    version: 1,
    number: Some(3),
    generic: false,
    reads: &[Reads::Output],
    explains: Explains::These(&[
        "user_code_exception",
        "output_not_json",
        "tool_arguments_violate_schema",
        "exact_loop",
    ]),
    detect: |input| {
        let mut found = Vec::new();
        for facts in input.model_calls() {
            for request in tool_requests(&facts.output) {
                let Err(text) = &request.arguments else { continue };
                let Err(problem) = serde_json::from_str::<serde_json::Value>(text) else { continue };
                let cut = if problem.is_eof() { ": they end too early" } else { "" };
                let cause = format!(
                    "The model's arguments for the tool `{}` are no JSON{cut}",
                    clip(&request.name, 60)
                );
                let description = "Turn on the provider's strict mode for tool calls, and answer arguments that do not parse \
                                   with the parser's message instead of failing.";
                let id = facts.span.span_id;
                let finding = Finding::new(id, cause, Remedy::change(FixKind::Code, description, Vec::new()))
                    .with_detail(format!(
                        "The parser stops at column {} of line {}.",
                        problem.column(),
                        problem.line()
                    ))
                    .cite(
                        id,
                        request.arguments_pointer.clone(),
                        prefix(text, 120),
                        "These arguments do not parse",
                    )
                    .decided_by("Parse the recorded arguments: it fails.");
                if found.len() < MAX_FINDINGS {
                    found.push(finding);
                }
            }
        }
        found
    },
};
