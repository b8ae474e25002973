//! A value of one type where another is needed (catalogue 39).

use super::exception;
use crate::diagnosis::FixKind;
use crate::quick::rule::{Explains, Reads, Rule};

const WORDS: [&str; 12] = [
    "unsupported operand type",
    "can only concatenate",
    "must be str, not",
    "must be a string",
    "must be real number",
    "not supported between instances of",
    "indices must be integers",
    "expected str instance",
    "cannot be interpreted as an integer",
    "invalid literal for int()",
    "could not convert string to float",
    "a bytes-like object is required",
];

pub(super) const RULE: Rule = Rule {
    id: "type_mismatch",
    version: 1,
    number: Some(39),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::These(&["exact_loop", "max_iterations", "tool_error_ignored", "error_as_success"]),
    detect: |input| {
        let mut found = Vec::new();
        for (number, failure) in exception::candidates(input) {
            let none = failure.root_message.contains("'NoneType'");
            if !none && WORDS.iter().any(|word| failure.root_message.contains(word)) {
                let place = exception::place(failure);
                let cause = format!("The code {place} mixes types: {}", failure.title());
                let description = format!("Convert the value {place} to the type that the operation needs.");
                let remedy = exception::change(input, failure, FixKind::Code, description);
                found.extend(exception::finding(input, number, cause, remedy));
            }
        }
        found
    },
};
