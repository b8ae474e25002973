//! What the rules found, as text for a model: `.staso/quick.md`.

use std::fmt::Write as _;

use crate::diagnosis::{Diagnosis, FixKind, Locator, Receipt};
use crate::guard::{GuardViolation, Severity};
use crate::redaction::Redactor;
use crate::trace::{legible, one_line};

const MAX_HYPOTHESES: usize = 8;
const MAX_RECEIPTS: usize = 24;
const MAX_VIOLATIONS: usize = 50;
/// Longest line of one fact, in bytes.
const MAX_LINE_BYTES: usize = 500;

/// The findings of an earlier diagnoser with their receipts.
pub(super) fn findings(prior: Option<&Diagnosis>, redactor: &Redactor) -> String {
    let Some(prior) = prior else { return "The rules were not asked.\n".to_owned() };
    let line = |text: &str| one_line(&legible(text, redactor), MAX_LINE_BYTES);
    let mut text = format!("{}\nconfidence {}\n", line(prior.summary.as_str()), prior.confidence);
    if let Some(why) = &prior.escalated_because {
        let _ = writeln!(text, "not settled because {}", line(why));
    }
    for cap in &prior.caps {
        let _ = writeln!(text, "confidence at most {}: {}", cap.limit, line(&cap.reason));
    }
    for hypothesis in prior.hypotheses.iter().take(MAX_HYPOTHESES) {
        let _ = writeln!(
            text,
            "\n{} {} blames span {} (score {}): {}",
            hypothesis.id,
            hypothesis.category,
            hypothesis.span_id,
            hypothesis.score,
            line(&hypothesis.cause)
        );
        if let Some(test) = &hypothesis.deciding_test {
            let _ = writeln!(text, "  would decide: {}", line(test));
        }
        let own = |receipt: &&Receipt| receipt.is_verified() && receipt.for_hypothesis == hypothesis.id;
        for receipt in prior.receipts.iter().take(MAX_RECEIPTS).filter(own) {
            let _ = writeln!(
                text,
                "  {} says \"{}\" — {}",
                place(&receipt.locator),
                line(&receipt.quote),
                line(&receipt.claim)
            );
        }
    }
    if let Some(fix) = &prior.suggested_fix {
        let kind = match fix.kind {
            FixKind::Prompt => "prompt",
            FixKind::Code => "code",
            FixKind::Config => "config",
        };
        let _ = writeln!(text, "\nsuggested fix ({kind}): {}", line(&fix.description));
        if !fix.target_files.is_empty() {
            let _ = writeln!(text, "  in {}", line(&fix.target_files.join(", ")));
        }
    }
    if let Some(why) = &prior.no_fix_reason {
        let _ = writeln!(text, "\nno change of the repository would help: {}", line(why));
    }
    for missing in &prior.missing {
        let _ = writeln!(text, "\nnot there to look at: {}", line(&missing.what));
    }
    text
}

fn place(locator: &Locator) -> String {
    match locator {
        Locator::Span { span_id, pointer } => format!("span {span_id} {pointer}"),
        Locator::Violation { id } => format!("violation {id}"),
        Locator::File { path, first_line, last_line, .. } => format!("{path}:{first_line}-{last_line}"),
        Locator::Tool { event } => format!("event {event}"),
        Locator::Nowhere { cited, .. } => cited.clone(),
    }
}

/// Guard rules that fired, one a line.
pub(super) fn violations(violations: &[GuardViolation], redactor: &Redactor) -> String {
    let line = |text: &str| one_line(&legible(text, redactor), MAX_LINE_BYTES);
    let mut text = String::new();
    for violation in violations.iter().take(MAX_VIOLATIONS) {
        let severity = match violation.severity {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        };
        let (id, rule) = (line(&violation.id), line(&violation.rule));
        let _ = writeln!(
            text,
            "{id} rule {rule} {severity} span {}: {}",
            violation.span_id,
            line(&violation.reason)
        );
    }
    if violations.len() > MAX_VIOLATIONS {
        let _ = writeln!(text, "… {} more", violations.len() - MAX_VIOLATIONS);
    }
    text
}

/// A line of a file with its number, as tools print it.
pub(super) fn numbered(line: u32, text: &str) -> String {
    format!("{line:>6}\t{text}\n")
}
