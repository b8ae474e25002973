//! What the rules about exceptions share: place, evidence, hint and the way to make it happen again.

use crate::code::RepoPath;
use crate::diagnosis::{FixKind, FrameRef, RepairHint, redact};
use crate::quick::failure::{Failure, clip};
use crate::quick::finding::{Evidence, Finding, Place, Remedy};
use crate::quick::input::RuleInput;
use crate::quick::{oracle, signal};

/// Errors that a rule about exceptions may speak of. A stack in a result that does not touch the repository belongs to
/// code that the agent wrote; other rules look at that.
pub(super) fn candidates<'i, 'a>(
    input: &'i RuleInput<'a>,
) -> impl Iterator<Item = (usize, &'i Failure<'a>)> + use<'i, 'a> {
    input.failures().filter(|(_, failure)| !failure.soft || !failure.frames.is_empty())
}

/// ` at `path:line` in `function`` or the name of the step.
pub(super) fn place(failure: &Failure<'_>) -> String {
    let recorded = failure.span.code.as_ref();
    match (failure.frames.first(), recorded) {
        (Some(frame), _) => format!("at {}", spot(frame)),
        (None, Some(place)) => {
            let function = place.function.as_deref().unwrap_or("?");
            format!("in `{}` of `{}`", clip(function, 60), clip(file_name(&place.path), 60))
        }
        (None, None) => format!("in step `{}`", clip(&failure.span.name, 60)),
    }
}

/// `path:line` with the function.
pub(super) fn spot(frame: &FrameRef) -> String {
    let function =
        frame.function.as_deref().map(|name| format!(" in `{}`", clip(name, 60))).unwrap_or_default();
    format!("`{}:{}`{function}", frame.path, frame.line)
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// How clear it is where the exception came from.
pub(super) fn strength(failure: &Failure<'_>) -> f64 {
    let known = match (failure.frames.is_empty(), failure.frames_recorded, &failure.span.code) {
        (false, true, _) => 1.0,
        (false, false, _) => 0.95,
        (true, _, Some(_)) => 0.75,
        (true, _, None) => 0.5,
    };
    if failure.soft { known * 0.85 } else { known }
}

/// The words of the error, the line of the code, the stack.
pub(super) fn evidence(input: &RuleInput<'_>, failure: &Failure<'_>) -> Vec<Evidence> {
    let mut found = signal::evidence(failure, "", "The step failed with this error");
    if let Some(frame) = failure.frames.first()
        && input.code.as_ref().is_some_and(|code| code.snapshot.line(&frame.path, frame.line).is_some())
    {
        let line = input.code.as_ref().and_then(|code| code.snapshot.line(&frame.path, frame.line));
        let defines = line.is_some_and(|line| line.contains("def ") || line.contains("function "));
        let claim = match (failure.frames_recorded, defines) {
            (true, _) => "The error was raised here",
            (false, true) => "This function makes the failed step or one around it",
            (false, false) => "This code can raise the error",
        };
        found.push(Evidence {
            place: Place::Line(frame.path.clone(), frame.line),
            needle: String::new(),
            claim: claim.to_owned(),
        });
    }
    let printed = failure.stacks.iter().flat_map(|stack| &stack.frames).find(|printed| {
        failure
            .frames
            .first()
            .is_some_and(|frame| printed.line == frame.line && printed.path.ends_with(frame.path.file_name()))
    });
    if let (Some(pointer), Some(printed)) = (&failure.stack_pointer, printed) {
        found.push(Evidence {
            place: Place::Span(failure.span.span_id, pointer.clone()),
            needle: printed.path.clone(),
            claim: "The recorded stack names the file and the line".to_owned(),
        });
    }
    found
}

/// The files of the frames, innermost first.
pub(super) fn files(failure: &Failure<'_>) -> Vec<RepoPath> {
    failure.frames.iter().map(|frame| frame.path.clone()).collect()
}

/// The exception as a hint.
pub(super) fn hint(failure: &Failure<'_>) -> Option<RepairHint> {
    let exception = failure.root_kind.clone().or_else(|| failure.kind.clone())?;
    let message = redact(&failure.root_message).chars().take(500).collect();
    (!failure.frames.is_empty()).then(|| RepairHint::Exception {
        exception,
        message,
        frames: failure.frames.clone(),
    })
}

/// A change of the code with the exception as hint and the recorded calls as oracle.
pub(super) fn change(
    input: &RuleInput<'_>,
    failure: &Failure<'_>,
    kind: FixKind,
    description: String,
) -> Remedy {
    Remedy::change(kind, description, files(failure))
        .with_hints(hint(failure))
        .with_oracle(oracle::raises(input, failure))
}

/// A finding at the step that failed.
pub(super) fn finding(
    input: &RuleInput<'_>,
    number: usize,
    cause: String,
    remedy: Remedy,
) -> Option<Finding> {
    let failure = input.failures.get(number)?;
    let mut finding = Finding::new(failure.span.span_id, cause, remedy)
        .of_failure(number)
        .with_strength(strength(failure))
        .with_evidence(evidence(input, failure));
    if let Some(frame) = failure.frames.first() {
        let what = failure.kind.as_deref().unwrap_or("the error");
        finding = finding.decided_by(format!(
            "Call the code at {} with the recorded arguments: it raises `{}`.",
            spot(frame),
            clip(what, 60)
        ));
    }
    Some(finding)
}
