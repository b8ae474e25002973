//! The provider withheld an answer (catalogue 9).

use crate::diagnosis::FixKind;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::language_model::finish_reasons;
use crate::quick::rule::{Explains, Reads, Rule};

pub(super) const RULE: Rule = Rule {
    id: "answer_withheld",
    version: 1,
    number: Some(9),
    generic: false,
    reads: &[Reads::Output],
    explains: Explains::These(&[
        "user_code_exception",
        "output_not_json",
        "none_access",
        "key_missing",
        "type_mismatch",
    ]),
    detect: |input| {
        let mut found = Vec::new();
        for facts in input.model_calls() {
            let reason = finish_reasons(facts).into_iter().find(|(reason, _)| {
                let reason = reason.to_ascii_lowercase();
                ["content_filter", "refusal", "safety"].iter().any(|word| reason.contains(word))
            });
            if let Some((reason, pointer)) = reason {
                let remedy = Remedy::change(
                    FixKind::Code,
                    "Handle a withheld answer as a branch of its own: tell the user, or ask again in other words.",
                    Vec::new(),
                );
                let cause = format!("The model's answer was withheld: it stopped with `{reason}`");
                let id = facts.span.span_id;
                found.push(Finding::new(id, cause, remedy).cite(
                    id,
                    pointer,
                    reason,
                    "The model stopped for this reason",
                ));
            }
        }
        found
    },
};
