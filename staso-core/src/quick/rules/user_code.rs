//! An exception left the user's code (catalogue 36): the deepest frame inside the repository.

use super::{exception, wrong_result};
use crate::diagnosis::FixKind;
use crate::quick::failure::{Failure, clip};
use crate::quick::finding::Finding;
use crate::quick::input::RuleInput;
use crate::quick::rule::{Explains, Reads, Rule};

/// An error that a check raises shows the symptom, not the cause.
const CHECK_LIMIT: f64 = 0.5;

pub(super) const RULE: Rule = Rule {
    id: "user_code_exception",
    version: 2,
    number: Some(36),
    generic: true,
    reads: &[Reads::ErrorMessage, Reads::Code],
    explains: Explains::These(&["exact_loop", "max_iterations", "tool_error_ignored", "error_as_success"]),
    detect: |input| {
        exception::candidates(input).filter_map(|(number, failure)| explain(input, number, failure)).collect()
    },
};

fn explain(input: &RuleInput<'_>, number: usize, failure: &Failure<'_>) -> Option<Finding> {
    if failure.kind.is_none() && failure.frames.is_empty() && failure.span.code.is_none() {
        return None;
    }
    let place = exception::place(failure);
    let cause = format!("{} was raised {place}", failure.title());
    let description =
        format!("Change the code {place} so that {} is no longer raised for this input.", failure.title());
    let mut remedy = exception::change(input, failure, FixKind::Code, description);
    let on_purpose = raised_by_a_check(input, failure);
    if on_purpose {
        remedy = remedy.with_hints(wrong_result::hint(input, failure));
    }
    let mut finding = exception::finding(input, number, cause, remedy)?;
    if on_purpose {
        finding = finding
            .limited_to(CHECK_LIMIT, "the code raised this on purpose: what it checked was wrong before");
    }
    if let [inner, .., outer] = failure.frames.as_slice()
        && failure.frames_recorded
    {
        finding = finding.with_detail(format!(
            "The deepest frame inside the repository is {}; the call came from {}.",
            exception::spot(inner),
            clip(&exception::spot(outer), 120)
        ));
    }
    Some(finding)
}

/// Whether the code raised the error on purpose; then what it checked is wrong, not the check.
fn raised_by_a_check(input: &RuleInput<'_>, failure: &Failure<'_>) -> bool {
    let line =
        failure.frames.first().and_then(|frame| input.code.as_ref()?.snapshot.line(&frame.path, frame.line));
    line.is_some_and(|line| line.contains("raise ") || line.contains("throw "))
}
