//! The model wrapped its JSON in a fence of Markdown (catalogue 5).

use super::exception;
use super::output_not_json::{answer_before, parse_failures};
use crate::diagnosis::FixKind;
use crate::quick::rule::{Explains, Reads, Rule};

pub(super) const RULE: Rule = Rule {
    id: "json_in_markdown_fence",
    version: 1,
    number: Some(5),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Output],
    explains: Explains::These(&["user_code_exception", "exact_loop", "max_iterations"]),
    detect: |input| {
        let mut found = Vec::new();
        for (number, failure) in parse_failures(input) {
            let Some(answer) =
                answer_before(input, failure).filter(super::output_not_json::Answer::is_fenced)
            else {
                continue;
            };
            let cause = format!("The model wrapped its JSON in a fence of Markdown: {}", failure.title());
            let description = "Strip the fence before parsing, or ask for structured output.".to_owned();
            let remedy = exception::change(input, failure, FixKind::Code, description);
            found.push(answer.finding(input, number, failure, cause, remedy));
        }
        found
    },
};
