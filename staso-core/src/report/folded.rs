//! The folded parts of a pull request: evidence, course, explanation, commands, versions and cost.

use super::markdown::{code, details, fence};
use super::neutralise::{self, cut, inline};
use super::place::short_span;
use super::pull_request::Writer;
use super::{proof, wording};
use crate::diagnosis::Receipt;

/// Receipts, steps, checks and open points listed, each.
const MAX_LISTED: usize = 40;
/// Longest explanation, in characters.
const MAX_EXPLANATION_CHARS: usize = 8_000;
/// Longest single text in a list, in characters.
const MAX_ITEM_CHARS: usize = 400;

pub(super) fn parts(writer: &Writer<'_>) -> String {
    let (verified, all) = writer.diagnosis.verified_receipts();
    let parts = [
        details(&format!("Evidence: {verified} of {all} receipts verified"), &evidence(writer)),
        details("What happened, from origin to symptom", &course(writer)),
        details("Explanation and rivals", &explanation(writer)),
        details("Commands and checks", &commands(writer)),
        details("Everything that was not checked", &bullets(&wording::not_checked(writer.run))),
        details("Versions and budget", &versions(writer)),
    ];
    parts.join("\n\n")
}

fn item(text: &str) -> String {
    inline(&cut(&neutralise::terminal(text), MAX_ITEM_CHARS))
}

fn bullets(items: &[String]) -> String {
    let lines: Vec<String> = items.iter().take(MAX_LISTED).map(|text| format!("- {}", item(text))).collect();
    lines.join("\n")
}

/// Citations that hold. A rejected one is only counted: its words are not repeated.
fn evidence(writer: &Writer<'_>) -> String {
    let receipts = &writer.diagnosis.receipts;
    let mut lines: Vec<String> = receipts
        .iter()
        .filter(|receipt| receipt.is_verified())
        .take(MAX_LISTED)
        .map(|receipt| evidence_line(writer, receipt))
        .collect();
    let rejected: Vec<String> =
        receipts.iter().filter(|receipt| !receipt.is_verified()).map(|receipt| code(&receipt.id)).collect();
    if !rejected.is_empty() {
        let ids = rejected.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join(", ");
        lines.push(format!("- ✗ {} rejected, only in the artifact: {ids}", rejected.len()));
    }
    if lines.is_empty() {
        lines.push("None.".to_owned());
    }
    lines.join("\n")
}

fn evidence_line(writer: &Writer<'_>, receipt: &Receipt) -> String {
    let digest = receipt.digest.hex().get(..16).unwrap_or_default();
    format!(
        "- ✓ {} {}: {} — {} ({})",
        code(&receipt.id),
        writer.permalinks().markdown(receipt),
        code(&cut(&neutralise::terminal(&receipt.quote), Receipt::MAX_QUOTE_CHARS)),
        item(receipt.claim.trim_end_matches('.')),
        code(&format!("sha256:{digest}"))
    )
}

fn course(writer: &Writer<'_>) -> String {
    let steps = writer.diagnosis.chain.iter().take(MAX_LISTED).map(|step| {
        let origin = if step.origin { " **(origin)**" } else { "" };
        format!("- {} {}{origin}", code(&short_span(step.span_id)), item(&step.what))
    });
    let steps: Vec<String> = steps.collect();
    if steps.is_empty() { "The steps are not known.".to_owned() } else { steps.join("\n") }
}

fn explanation(writer: &Writer<'_>) -> String {
    let diagnosis = writer.diagnosis;
    let text = neutralise::block(&cut(&diagnosis.explanation_md, MAX_EXPLANATION_CHARS));
    let rivals: Vec<String> = diagnosis.hypotheses.iter().skip(1).map(wording::rival).collect();
    let rivals = if rivals.is_empty() {
        "No other explanation was considered.".to_owned()
    } else {
        format!("Other explanations, best first:\n\n{}", bullets(&rivals))
    };
    if text.is_empty() { rivals } else { format!("{text}\n\n{rivals}") }
}

fn commands(writer: &Writer<'_>) -> String {
    let Some(record) = &writer.run.verification else { return "Nothing was run.".to_owned() };
    let mut lines = Vec::new();
    for check in record.checks.iter().take(MAX_LISTED) {
        let place = format!("{} at {}", check.name, wording::at(check.at, check.patched));
        lines.push(match check.ok {
            Some(ok) => {
                format!("{} {place}, {}", if ok { "✓" } else { "✗" }, proof::seconds(check.duration_ms))
            }
            None => format!("not run: {place}"),
        });
        lines.push(format!("  $ {}", check.command));
        if !check.detail.is_empty() {
            lines.push(format!("  {}", check.detail));
        }
    }
    lines.push(format!("candidates tried: {}", record.candidates_tried));
    lines.extend(record.also_passed.iter().take(MAX_LISTED).map(|other| format!("also passes: {other}")));
    listing(&lines)
}

fn versions(writer: &Writer<'_>) -> String {
    let run = writer.run;
    let commit = |id: Option<&crate::id::CommitId>| id.map_or("unknown", |id| id.as_str()).to_owned();
    let lines = [
        format!("staso {}, rules {}", run.engine.version, run.engine.rules_digest),
        format!("calibration {}", writer.diagnosis.calibrator),
        format!("parts {}", run.engine.parts.join(", ")),
        format!("models {}", models(run)),
        format!("fix by {}", writer.fix.author),
        format!("failing commit {}", commit(run.source.commit.as_ref())),
        format!("base tip {}", commit(run.source.base_tip.as_ref())),
        format!("isolation {}", wording::isolation(run)),
        format!("cost {}", wording::cost(&run.budget)),
        format!(
            "allowed {} turns, {} tokens read, {} written, {}",
            run.budget.limits.turns,
            run.budget.limits.input_tokens,
            run.budget.limits.output_tokens,
            proof::seconds(run.budget.limits.wall_ms)
        ),
    ];
    listing(&lines)
}

/// Lines as they are, one entry each.
fn listing(lines: &[String]) -> String {
    let line = |line: &String| {
        let indent = line.len() - line.trim_start_matches(' ').len();
        " ".repeat(indent) + &cut(&neutralise::terminal(line), MAX_ITEM_CHARS)
    };
    fence(&lines.iter().map(line).collect::<Vec<_>>().join("\n"), "text")
}

/// The models that were asked, or that none was.
fn models(run: &crate::run::RunArtifact) -> String {
    let ids: Vec<_> = run.engine.models.iter().map(ToString::to_string).collect();
    if ids.is_empty() { "none asked".to_owned() } else { ids.join(", ") }
}
