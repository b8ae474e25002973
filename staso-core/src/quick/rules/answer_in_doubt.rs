//! In a team of agents: the message that brought in what the wrong answer says, or that rests on an assumption.

use crate::diagnosis::FixKind;
use crate::id::SpanId;
use crate::quick::attribution::{Reason, Suspect};
use crate::quick::failure::clip;
use crate::quick::finding::{Finding, Remedy};
use crate::quick::input::RuleInput;
use crate::quick::rule::{Explains, Reads, Rule};

pub(super) const RULE: Rule = Rule {
    id: "answer_in_doubt",
    version: 1,
    number: None,
    generic: false,
    reads: &[Reads::Output],
    explains: Explains::Nothing,
    detect: |input| {
        let other =
            |reason: &Reason| matches!(reason, Reason::FailingExecution { .. } | Reason::BeforeStall { .. });
        input
            .suspects()
            .iter()
            .filter(|suspect| !other(&suspect.reason))
            .map(|suspect| finding(input, suspect))
            .collect()
    },
};

/// The finding about one suspicious message.
pub(super) fn finding(input: &RuleInput<'_>, suspect: &Suspect) -> Finding {
    let agent = clip(&suspect.agent, 60);
    let (cause, advice) = match &suspect.reason {
        Reason::FailingExecution { .. } => (
            format!("`{agent}` wrote what failed in the first execution that went wrong"),
            "check its inputs before it writes code, and repair the code rather than go around it",
        ),
        Reason::NewInAnswer { words } => {
            let list: Vec<String> = words.iter().map(|word| format!("`{}`", clip(word, 30))).collect();
            (
                format!(
                    "`{agent}` brought in what the answer says and no step before had: {}",
                    list.join(", ")
                ),
                "state only what a step before found, and name that step",
            )
        }
        Reason::Assumption { word } => (
            format!("`{agent}` went on with something that it did not know (`{}…`)", clip(word, 30)),
            "look up what it does not know instead of assuming it",
        ),
        Reason::TaskReworded => (
            format!("`{agent}` handed the task on in other words than the question's"),
            "hand the question on word for word",
        ),
        Reason::BeforeStall { .. } => (
            format!("`{agent}` acted shortly before the run stopped making progress"),
            "try another way when a step brings nothing new",
        ),
        Reason::Nothing => (
            format!("`{agent}` took part in the wrong result; nothing else speaks for this step"),
            "check its result",
        ),
    };
    let description = format!("Tell `{agent}` in its prompt to {advice}.");
    let finding = Finding::new(suspect.span, cause, Remedy::change(FixKind::Prompt, description, Vec::new()))
        .with_strength(suspect.strength)
        .decided_by("Correct this message and replay the run from here: the result is right.");
    with_evidence(input, finding, suspect)
}

fn with_evidence(input: &RuleInput<'_>, finding: Finding, suspect: &Suspect) -> Finding {
    let cite = |finding: Finding, span: SpanId, needle: &str, claim: &str| {
        let place =
            input.facts_of(span).and_then(|facts| facts.output.find(needle)).map(|(pointer, _)| pointer);
        place.map_or(finding.clone(), |pointer| finding.cite(span, pointer, needle, claim))
    };
    let finding = match &suspect.reason {
        Reason::FailingExecution { ran_in } => {
            let marks = ["Traceback (most recent call last)", "execution failed", "exitcode: "];
            let text = input.facts_of(*ran_in).map(|facts| facts.output.plain()).unwrap_or_default();
            let mark = marks.into_iter().find(|mark| text.contains(mark)).unwrap_or_default();
            cite(finding, *ran_in, mark, "The execution of it failed")
        }
        Reason::BeforeStall { noted_in } => {
            let text = input.facts_of(*noted_in).map(|facts| facts.output.plain()).unwrap_or_default();
            let mark =
                ["\"is_in_loop\"", "\"is_progress_being_made\""].into_iter().find(|mark| text.contains(mark));
            cite(finding, *noted_in, mark.unwrap_or_default(), "The run noted that it stalled")
        }
        Reason::Assumption { word } => cite(finding, suspect.span, word, "The message says so itself"),
        Reason::NewInAnswer { words } => {
            let text = input.facts_of(suspect.span).map(|facts| facts.output.plain()).unwrap_or_default();
            let lower = text.to_ascii_lowercase();
            let written = words.iter().find_map(|word| {
                let at = lower.find(word.as_str())?;
                text.get(at..at + word.len())
            });
            cite(
                finding,
                suspect.span,
                written.unwrap_or_default(),
                "The answer says this, and this message was the first to",
            )
        }
        Reason::TaskReworded | Reason::Nothing => finding,
    };
    cite(finding, suspect.span, "", "The message of this step")
}
