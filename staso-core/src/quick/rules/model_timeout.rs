//! A model did not answer in time (catalogue 17).

use super::tool_timeout;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::trace::SpanKind;

pub(super) const RULE: Rule = Rule {
    id: "model_timeout",
    version: 1,
    number: Some(17),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::These(&[
        "user_code_exception",
        "output_not_json",
        "none_access",
        "key_missing",
        "exact_loop",
        "max_iterations",
    ]),
    detect: |input| tool_timeout::find(input, |kind| matches!(kind, SpanKind::Llm | SpanKind::Embedding)),
};
