//! The agent made the same call with the same result again and again (catalogue 20).

use crate::diagnosis::FixKind;
use crate::quick::failure::clip;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::{Facts, RuleInput};
use crate::quick::rule::{Explains, Reads, Rule};

/// From this many equal calls in a row it is a loop.
const LOOP: usize = 3;
/// The most loops that are reported.
const MAX_FINDINGS: usize = 5;

pub(super) const RULE: Rule = Rule {
    id: "exact_loop",
    version: 1,
    number: Some(20),
    generic: false,
    reads: &[Reads::ToolArguments, Reads::Output],
    explains: Explains::These(&[
        "limit_reached",
        "context_overflow",
        "tool_error_ignored",
        "error_as_success",
    ]),
    detect: |input| {
        let calls: Vec<&Facts<'_>> = input.tool_calls().collect();
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(first) = calls.get(from).copied() {
            let same = |other: &&&Facts<'_>| is_same_call(first, other);
            let length = calls.get(from..).unwrap_or_default().iter().take_while(same).count().max(1);
            if length >= LOOP && found.len() < MAX_FINDINGS {
                found.extend(calls.get(from + 1).map(|second| explain(input, first, second, length)));
            }
            from += length;
        }
        found
    },
};

fn is_same_call(a: &Facts<'_>, b: &Facts<'_>) -> bool {
    let known = !a.input.raw().is_empty() || !a.output.raw().is_empty();
    let failed_alike = a.span.is_failed() == b.span.is_failed() && a.span.error == b.span.error;
    known
        && failed_alike
        && a.span.tool_name() == b.span.tool_name()
        && a.input.raw() == b.input.raw()
        && a.output.raw() == b.output.raw()
}

fn explain(input: &RuleInput<'_>, first: &Facts<'_>, second: &Facts<'_>, length: usize) -> Finding {
    let name = clip(first.span.tool_name().unwrap_or("?"), 60);
    let cause = format!(
        "The agent called the tool `{name}` {length} times in a row with the same arguments and the same result"
    );
    let description = format!(
        "Tell the model in the prompt that calling `{name}` again gives the same result and what to do instead; stop after a repeated call."
    );
    let files = super::tool_arguments::files_naming(input, first.span.tool_name().unwrap_or_default());
    let mut finding =
        Finding::new(second.span.span_id, cause, Remedy::change(FixKind::Prompt, description, files))
            .with_strength(if length >= 5 { 1.0 } else { 0.9 })
            .decided_by("Answer the second call with a note that nothing has changed: the agent goes on.");
    for (facts, claim) in [(first, "The first call"), (second, "The same call again")] {
        let (pointer, raw) = if facts.input.raw().is_empty() {
            (facts.output.pointer(), facts.output.raw())
        } else {
            (facts.input.pointer(), facts.input.raw())
        };
        finding = finding.cite(facts.span.span_id, pointer, crate::quick::document::prefix(raw, 120), claim);
    }
    finding
}
