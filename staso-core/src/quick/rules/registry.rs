//! The order of the rules.

use super::{
    agent_stall, answer_in_doubt, authentication, content_filter, context_overflow, empty_retrieval,
    environment_variable, error_as_success, exact_loop, failing_execution, guard_violation, json_fence,
    key_missing, max_iterations, missing_import, model_timeout, network, none_access, output_not_json,
    output_truncated, provider_outage, quota, rate_limit, retired_model, template_variable, tool_arguments,
    tool_arguments_json, tool_error_ignored, tool_timeout, type_mismatch, unknown_tool, user_code,
    wrong_result,
};
use crate::quick::rule::Rule;

/// Every rule, most telling first.
pub(in crate::quick) const REGISTRY: &[Rule] = &[
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
