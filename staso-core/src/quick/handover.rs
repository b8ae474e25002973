//! What other diagnosers take over: places in the code, and how to make a failure happen again.

use super::frames;
use super::functions::SourceCode;
use super::input::RuleInput;
use super::oracle;
use crate::code::{CodeSnapshot, RepoPath};
use crate::diagnosis::{DiagnoseRequest, FailureOracle, FrameRef};
use crate::id::SpanId;

/// A line of the code with the function around it.
pub(crate) fn frame_at(code: &CodeSnapshot, path: &RepoPath, line: u32) -> FrameRef {
    let source = SourceCode::new(code);
    let function = source.functions().at(path, None, Some(line)).map(|function| function.qualified.clone());
    FrameRef { path: path.clone(), line, function }
}

/// The lines of the code that took part in the failures, those that ended the run first.
pub(crate) fn failing_frames(request: &DiagnoseRequest<'_>) -> Vec<FrameRef> {
    let input = RuleInput::new(request);
    let (ended, others): (Vec<_>, Vec<_>) = input.failures.iter().partition(|failure| failure.ended_run);
    let found = ended.into_iter().chain(others).flat_map(|failure| failure.frames.clone());
    frames::unique(found.collect())
}

/// How the failure that ended the run can be made to happen again, by calls that also make the blamed step happen again.
pub(crate) fn recorded_oracle(request: &DiagnoseRequest<'_>, blamed: SpanId) -> Option<FailureOracle> {
    let input = RuleInput::new(request);
    let own = input.failures.iter().find(|failure| failure.span.span_id == blamed);
    let failure = own.or_else(|| input.failures.iter().find(|failure| failure.ended_run))?;
    if failure.span.span_id == blamed {
        oracle::raises(&input, failure)
    } else {
        oracle::raises_enclosing(&input, failure, blamed)
    }
}
