//! What a diagnosis could not look at, and how to have it the next time.

use super::failure::Failure;
use super::input::{Facts, MAX_PAYLOAD_BYTES, RuleInput};
use super::rank::Ranked;
use super::rule::Reads;
use crate::diagnosis::{Diagnosis, MissingEvidence};
use crate::trace::{Captured, CapturedState, SpanKind};

/// The highest confidence when something that the winning rule reads was switched off.
const SUPPRESSED_LIMIT: f64 = 0.6;
/// The highest confidence when something that the winning rule reads was cut or not there.
const CUT_LIMIT: f64 = 0.7;

/// Everything of note that was not there.
pub(super) fn list(input: &RuleInput<'_>) -> Vec<MissingEvidence> {
    let mut found = Vec::new();
    code(input, &mut found);
    for reads in [Reads::ErrorMessage, Reads::Request, Reads::ToolArguments, Reads::Output, Reads::ToolSchema]
    {
        let states: Vec<CapturedState> = input.facts.iter().filter_map(|facts| state(facts, reads)).collect();
        let count = |wanted| states.iter().filter(|state| **state == wanted).count();
        let suppressed = count(CapturedState::Suppressed);
        if suppressed > 0 {
            found.push(MissingEvidence {
                what: format!("{}, switched off in {}", reads.label(), steps(suppressed)),
                how_to_get: format!("Set {} to true where the agent runs.", reads.switch()),
            });
        }
        let truncated = count(CapturedState::Truncated);
        if truncated > 0 {
            found.push(MissingEvidence {
                what: format!("the end of {}, cut by a limit in {}", reads.label(), steps(truncated)),
                how_to_get: "Raise the size limit of the recorder for this step.".to_owned(),
            });
        }
    }
    if input.cut_spans > 0 {
        found.push(MissingEvidence {
            what: format!("the end of large payloads in {}", steps(input.cut_spans)),
            how_to_get: format!(
                "Record less per step: at most {} KiB of a payload are read, failed steps first.",
                MAX_PAYLOAD_BYTES / 1024
            ),
        });
    }
    stacks(input, &mut found);
    found
}

fn steps(count: usize) -> String {
    if count == 1 { "1 step".to_owned() } else { format!("{count} steps") }
}

fn code(input: &RuleInput<'_>, found: &mut Vec<MissingEvidence>) {
    let source = &input.trace.trace().source;
    let Some(code) = &input.code else {
        let how_to_get = match (&source.commit, &source.repository_url) {
            (None, _) => "Record the commit: start the agent in a git checkout or set STASO_VCS_COMMIT_SHA.",
            (_, None) => "Record the repository: set STASO_VCS_REPO_URL.",
            _ => "Give this run access to the recorded repository.",
        };
        found.push(MissingEvidence {
            what: Reads::Code.label().to_owned(),
            how_to_get: how_to_get.to_owned(),
        });
        return;
    };
    if source.dirty == Some(true) {
        found.push(MissingEvidence {
            what: "changes in the working tree that were not committed when the agent ran".to_owned(),
            how_to_get: "Run agents from a clean checkout.".to_owned(),
        });
    }
    if code.snapshot.is_tree_truncated() {
        found.push(MissingEvidence {
            what: "part of the list of files: the repository has too many".to_owned(),
            how_to_get: "Raise the limit of files that are listed.".to_owned(),
        });
    }
    let skipped = code.snapshot.skipped();
    if let Some(first) = skipped.first() {
        found.push(MissingEvidence {
            what: format!(
                "{} of the repository that were not read, such as {}: {}",
                files(skipped.len()),
                first.path,
                first.why
            ),
            how_to_get: "Raise the limits of what is read of a repository.".to_owned(),
        });
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn stacks(input: &RuleInput<'_>, found: &mut Vec<MissingEvidence>) {
    let without = |failure: &&Failure<'_>| {
        failure.stacks.is_empty() && !failure.soft && failure.span.kind != SpanKind::Llm && failure.ended_run
    };
    if input.failures.iter().filter(without).any(|failure| failure.kind.is_some()) {
        found.push(MissingEvidence {
            what: "a stack trace of the error".to_owned(),
            how_to_get: "Record it as exception.stacktrace; without it the line is read off the code."
                .to_owned(),
        });
    }
}

/// How much of one kind of input a step has; `None` when the step is not of a kind that has it.
fn state(facts: &Facts<'_>, reads: Reads) -> Option<CapturedState> {
    let span = facts.span;
    match reads {
        Reads::ErrorMessage => span.error.as_ref().map(|error| error.message.state()),
        Reads::Request => (span.kind != SpanKind::Tool).then(|| facts.input.state()),
        Reads::ToolArguments => (span.kind == SpanKind::Tool).then(|| facts.input.state()),
        Reads::Output => Some(facts.output.state()),
        Reads::ToolSchema => span.model.as_ref().map(|model| Captured::state(&model.tool_definitions)),
        Reads::Code => None,
    }
}

/// Lowers the confidence when something that the winning rule reads was withheld where it looked.
pub(super) fn cap(diagnosis: &mut Diagnosis, input: &RuleInput<'_>, top: &Ranked) {
    let failure = top.finding.failure.and_then(|at| input.failures.get(at));
    let places = [Some(top.finding.span), failure.map(|failure| failure.span.span_id)];
    for reads in top.rule.reads {
        if *reads == Reads::Code {
            if input.code.is_none() {
                diagnosis.cap(CUT_LIMIT, format!("{} was not available: {}", reads.label(), reads.switch()));
            }
            continue;
        }
        let states = places.iter().flatten().filter_map(|id| state(input.facts_of(*id)?, *reads));
        for state in states {
            match state {
                CapturedState::Suppressed => {
                    let reason = format!("{} was switched off: {}", reads.label(), reads.switch());
                    diagnosis.cap(SUPPRESSED_LIMIT, reason);
                }
                CapturedState::Truncated => {
                    diagnosis.cap(CUT_LIMIT, format!("{} was cut by a limit", reads.label()));
                }
                CapturedState::Present | CapturedState::Absent => {}
            }
        }
    }
}
