//! A check of the agent's own failed: what it looked at is wrong.

use super::exception;
use crate::diagnosis::{FixKind, FrameRef, RepairHint};
use crate::quick::failure::Failure;
use crate::quick::finding::Remedy;
use crate::quick::frames::{frame_of, unique};
use crate::quick::input::RuleInput;
use crate::quick::oracle;
use crate::quick::rule::{Explains, Reads, Rule};

/// How many earlier steps may have made the value that was checked.
const MAX_EARLIER_STEPS: usize = 5;

pub(super) const RULE: Rule = Rule {
    id: "wrong_result",
    version: 1,
    number: None,
    generic: false,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::These(&["exact_loop", "tool_error_ignored"]),
    detect: |input| {
        let mut found = Vec::new();
        for (number, failure) in exception::candidates(input) {
            if failure.is_kind(&["AssertionError", "AssertionException"]) {
                let place = exception::place(failure);
                let cause = format!("The check {place} failed: {}", failure.title());
                let description = format!(
                    "Correct the function whose result the check {place} looks at; leave the check as it is."
                );
                let remedy = Remedy::change(FixKind::Code, description, exception::files(failure))
                    .with_hints(hint(input, failure))
                    .with_oracle(oracle::raises(input, failure));
                found.extend(exception::finding(input, number, cause, remedy));
            }
        }
        found
    },
};

/// The functions that the checking code calls, then those of the steps before, then the functions that check. Code
/// outside of any function only starts the check: taking the call away would hide the fault, not mend it.
pub(super) fn hint(input: &RuleInput<'_>, failure: &Failure<'_>) -> Option<RepairHint> {
    let code = input.code.as_ref()?;
    let mut frames: Vec<FrameRef> = Vec::new();
    for frame in &failure.frames {
        let around = code.functions().at(&frame.path, frame.function.as_deref(), Some(frame.line));
        for (callee, _) in around.map(|function| code.callees(function)).unwrap_or_default() {
            frames.push(FrameRef {
                path: callee.path.clone(),
                line: callee.first_line,
                function: Some(callee.qualified.clone()),
            });
        }
    }
    frames.extend(
        input.before(failure.span).filter_map(|facts| frame_of(facts.span, code)).take(MAX_EARLIER_STEPS),
    );
    let (in_functions, outside): (Vec<_>, Vec<_>) =
        failure.frames.iter().cloned().partition(|frame| frame.function.is_some());
    frames.extend(in_functions);
    if frames.is_empty() {
        frames = outside;
    }
    let frames = unique(frames);
    (!frames.is_empty()).then_some(RepairHint::WrongResult { frames })
}
