//! The rules, one failure pattern a file, in a fixed order: of two findings about one error, the earlier rule says more.

mod agent_stall;
mod answer_in_doubt;
mod authentication;
mod content_filter;
mod context_overflow;
mod empty_retrieval;
mod environment_variable;
mod error_as_success;
mod exact_loop;
mod exception;
mod failing_execution;
mod guard_violation;
mod json_fence;
mod key_missing;
mod max_iterations;
mod missing_import;
mod model_timeout;
mod network;
mod none_access;
mod output_not_json;
mod output_truncated;
mod provider_outage;
mod quota;
mod rate_limit;
mod retired_model;
mod template_variable;
mod tool_arguments;
mod tool_arguments_json;
mod tool_error_ignored;
mod tool_timeout;
mod type_mismatch;
mod unknown_tool;
mod user_code;
mod wrong_result;

use super::failure::Failure;
use super::finding::{Finding, Remedy};
use super::input::RuleInput;
use super::rule::Rule;
use super::signal::Signal;

/// Every rule, most telling first.
pub(super) const REGISTRY: &[Rule] = &[
    quota::RULE,
    authentication::RULE,
    retired_model::RULE,
    context_overflow::RULE,
    rate_limit::RULE,
    provider_outage::RULE,
    network::RULE,
    content_filter::RULE,
    output_truncated::RULE,
    template_variable::RULE,
    environment_variable::RULE,
    missing_import::RULE,
    unknown_tool::RULE,
    tool_arguments_json::RULE,
    tool_arguments::RULE,
    json_fence::RULE,
    output_not_json::RULE,
    key_missing::RULE,
    none_access::RULE,
    type_mismatch::RULE,
    wrong_result::RULE,
    tool_timeout::RULE,
    model_timeout::RULE,
    exact_loop::RULE,
    max_iterations::RULE,
    user_code::RULE,
    guard_violation::RULE,
    empty_retrieval::RULE,
    error_as_success::RULE,
    tool_error_ignored::RULE,
    failing_execution::RULE,
    answer_in_doubt::RULE,
    agent_stall::RULE,
];

/// Findings for errors that no change of the repository would help.
fn no_change(
    input: &RuleInput<'_>,
    signal: &Signal,
    fits: impl Fn(&Failure<'_>) -> bool,
    cause: impl Fn(&str) -> String,
    why: &str,
    claim: &str,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for hit in signal.hits(input).into_iter().filter(|hit| fits(hit.failure)) {
        // A stack in a result that does not touch the repository is mostly that of code that the agent wrote.
        let strength = match (hit.failure.soft, hit.failure.frames.is_empty()) {
            (false, _) => 1.0,
            (true, false) => 0.85,
            (true, true) => 0.3,
        };
        let sentence = capitalised(&cause(&hit.who()));
        found.push(
            Finding::new(hit.failure.span.span_id, sentence, Remedy::Nothing(why.to_owned()))
                .of_failure(hit.number)
                .with_strength(strength)
                .with_evidence(hit.evidence(claim))
                .decided_by("Make the same call again later, with nothing changed: it succeeds."),
        );
    }
    found
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
