//! The model's answer should have been JSON and is not (catalogue 4).

use super::exception;
use crate::diagnosis::FixKind;
use crate::id::SpanId;
use crate::quick::document::prefix;
use crate::quick::failure::Failure;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::RuleInput;
use crate::quick::language_model::reply;
use crate::quick::oracle;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::trace::{JsonPointer, SpanKind};

const KINDS: [&str; 4] = ["JSONDecodeError", "OutputParserException", "JsonParseError", "OutputParsingError"];
const WORDS: [&str; 12] = [
    "Expecting value: line",
    "Expecting property name",
    "Expecting ',' delimiter",
    "Unterminated string",
    "Extra data: line",
    "Unexpected token",
    "Unexpected end of JSON",
    "nvalid JSON",
    "not valid JSON",
    "json_invalid",
    "Invalid control character",
    "EOF while parsing",
];

pub(super) const RULE: Rule = Rule {
    id: "output_not_json",
    version: 1,
    number: Some(4),
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Output],
    explains: Explains::These(&["user_code_exception", "exact_loop", "max_iterations"]),
    detect: |input| {
        let mut found = Vec::new();
        for (number, failure) in parse_failures(input) {
            let Some(answer) = answer_before(input, failure) else { continue };
            if answer.is_fenced() || serde_json::from_str::<serde_json::Value>(&answer.text).is_ok() {
                continue;
            }
            let cause = format!("The model's answer should be JSON and is not: {}", failure.title());
            let description = "Ask for structured output or show the wanted JSON in the prompt, and tell the model to answer with nothing else.";
            let remedy = Remedy::change(FixKind::Prompt, description, exception::files(failure))
                .with_hints(exception::hint(failure))
                .with_oracle(oracle::raises_enclosing(input, failure, answer.span));
            found.push(answer.finding(input, number, failure, cause, remedy));
        }
        found
    },
};

/// Errors of parsers of JSON.
pub(super) fn parse_failures<'i, 'a>(
    input: &'i RuleInput<'a>,
) -> impl Iterator<Item = (usize, &'i Failure<'a>)> + use<'i, 'a> {
    exception::candidates(input).filter(|(_, failure)| {
        let said = |text: &str| WORDS.iter().any(|word| text.contains(word));
        failure.is_kind(&KINDS) || said(&failure.message) || said(&failure.root_message)
    })
}

/// The reply of a model.
pub(super) struct Answer {
    pub(super) span: SpanId,
    pub(super) pointer: JsonPointer,
    pub(super) text: String,
}

/// The last reply before the failure.
pub(super) fn answer_before(input: &RuleInput<'_>, failure: &Failure<'_>) -> Option<Answer> {
    let own = input.facts_of(failure.span.span_id).filter(|facts| facts.span.kind == SpanKind::Llm);
    let earlier = || input.before(failure.span).find(|facts| facts.span.kind == SpanKind::Llm);
    let facts = own.or_else(earlier)?;
    let (pointer, text) = reply(&facts.output)?;
    Some(Answer { span: facts.span.span_id, pointer, text })
}

impl Answer {
    /// Whether it stands in a fence of Markdown.
    pub(super) fn is_fenced(&self) -> bool {
        let text = self.text.trim_start();
        text.starts_with("```") || text.contains("```json")
    }

    /// A finding at the model call.
    pub(super) fn finding(
        &self,
        input: &RuleInput<'_>,
        number: usize,
        failure: &Failure<'_>,
        cause: String,
        remedy: Remedy,
    ) -> Finding {
        Finding::new(self.span, cause, remedy)
            .of_failure(number)
            .cite(self.span, self.pointer.clone(), prefix(&self.text, 120), "The model answered this")
            .with_evidence(exception::evidence(input, failure))
            .decided_by("Parse the recorded answer: it fails.")
    }
}
