//! What the model is told.

use std::fmt::Write as _;

use crate::agent::fill;
use crate::agent::tools::SubmitFix;
use crate::diagnosis::{Diagnosis, FixKind, Locator, Receipt, RepairHint};
use crate::fix::{FixRequest, PathPolicy};
use crate::id::Digest;
use crate::redaction::Redactor;
use crate::report::neutralise;
use crate::run::{Note, RunContext};
use crate::verify::Reproduction;

/// What the model is and must keep to.
pub(super) const SYSTEM: &str = include_str!("prompts/system.md");
const OPENING: &str = include_str!("prompts/opening.md");
/// Receipts that are shown.
const MAX_RECEIPTS: usize = 20;
/// Places that are shown.
const MAX_FRAMES: usize = 10;
/// Longest single text of the diagnosis, in characters.
const MAX_TEXT_CHARS: usize = 8_000;

/// Notes which prompts are used.
pub(super) fn note_prompts(ctx: &RunContext) {
    for (name, text) in
        [("fix/system", SYSTEM), ("fix/opening", OPENING), ("fix/checklist", SubmitFix::CHECKLIST)]
    {
        ctx.note(Note::Prompt { name: name.to_owned(), digest: Digest::of(text) });
    }
}

/// What the host says first: the diagnosis as data, and what there is to work with.
pub(super) fn opening(
    request: &FixRequest<'_>,
    policy: &PathPolicy,
    redactor: &Redactor,
    ctx: &RunContext,
) -> String {
    let diagnosis = render(request.diagnosis, request.reproduction, redactor);
    let mark = mark(&diagnosis, ctx);
    let values = [
        ("mark", mark.as_str()),
        ("diagnosis", diagnosis.trim_end()),
        ("ground", &ground(request)),
        ("max_files", &policy.max_files.to_string()),
        ("max_lines", &policy.max_changed_lines.to_string()),
    ];
    fill(OPENING, &values)
}

/// A line that does not stand in the text and that nobody who wrote a part of it could foresee.
fn mark(text: &str, ctx: &RunContext) -> String {
    let line = |round: u32| {
        let digest = Digest::of(format!("{}\n{round}\n{text}", ctx.run_id()));
        format!("=== data {} ===", digest.hex().get(..20).unwrap_or_default())
    };
    (0..).map(line).find(|line| !text.contains(line.as_str())).unwrap_or_default()
}

/// The tests and the reproduction, in the host's words.
fn ground(request: &FixRequest<'_>) -> String {
    let tests = if request.tests.is_some() {
        "run_tests runs the project's tests."
    } else {
        "There is no known test command."
    };
    let failure = match request.reproduction {
        Some(Reproduction::Call { .. }) => {
            "The failure was made to happen again by a recorded call: reproduce makes it with your change."
        }
        Some(Reproduction::Tests) => "The project's own tests show the failure.",
        None => {
            "Nothing shows the failure yet. Add a test, beside the others if there are some, that fails without your change and passes with it."
        }
    };
    format!("{tests} {failure}")
}

fn render(diagnosis: &Diagnosis, reproduction: Option<&Reproduction>, redactor: &Redactor) -> String {
    let clean = |text: &str| -> String {
        neutralise::terminal_block(&redactor.clean(text)).chars().take(MAX_TEXT_CHARS).collect()
    };
    let line = |text: &str| neutralise::terminal(&clean(text));
    let mut out = format!("Cause: {}\n", line(diagnosis.summary.as_str()));
    let mut say = |what: &str, text: &str| {
        if !text.is_empty() {
            let blank = if text.starts_with('\n') { "" } else { " " };
            let _ = writeln!(out, "{what}:{blank}{text}");
        }
    };
    if let Some(cause) = &diagnosis.root_cause {
        say("Pattern", &line(&cause.category));
    }
    if let Some(fix) = &diagnosis.suggested_fix {
        say("Suggested change", &format!("({}) {}", name_of(fix.kind), line(&fix.description)));
        say("Files", &fix.target_files.iter().map(|file| line(file)).collect::<Vec<_>>().join(", "));
        say("Places, innermost first", &places(&fix.hints, line));
    }
    if let Some(Reproduction::Call { call, .. }) = reproduction {
        say("Made to happen again by", &line(&format!("{} of {}", call.function, call.path)));
    }
    let receipts = diagnosis.receipts.iter().filter(|receipt| receipt.is_verified()).take(MAX_RECEIPTS);
    let receipts: String = receipts
        .map(|receipt| {
            format!("\n- {}: {}\n  {}", place_of(receipt), line(&receipt.quote), line(&receipt.claim))
        })
        .collect();
    say("Evidence that was checked", &receipts);
    let explanation = clean(&diagnosis.explanation_md);
    if !explanation.trim().is_empty() {
        say("Explanation", &format!("\n{}", explanation.trim()));
    }
    out
}

fn places(hints: &[RepairHint], line: impl Fn(&str) -> String) -> String {
    let mut places: Vec<String> = Vec::new();
    for frame in hints.iter().flat_map(RepairHint::frames) {
        let function = frame.function.as_deref().map(|name| format!(" in {name}")).unwrap_or_default();
        let place = line(&format!("{}:{}{function}", frame.path, frame.line));
        if places.len() < MAX_FRAMES && !places.contains(&place) {
            places.push(place);
        }
    }
    places.join(", ")
}

fn place_of(receipt: &Receipt) -> String {
    match &receipt.locator {
        Locator::File { path, first_line, last_line, .. } => {
            format!("{path}, lines {first_line} to {last_line}")
        }
        Locator::Span { .. } => "the failed run".to_owned(),
        Locator::Violation { .. } => "a guard rule".to_owned(),
        Locator::Tool { .. } => "a command that was run".to_owned(),
        Locator::Nowhere { .. } => "no place".to_owned(),
    }
}

const fn name_of(kind: FixKind) -> &'static str {
    match kind {
        FixKind::Prompt => "prompt",
        FixKind::Code => "code",
        FixKind::Config => "configuration",
    }
}
