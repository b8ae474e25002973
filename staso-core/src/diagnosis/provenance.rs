//! Checks citations against trace and code. The only place that may call a receipt verified.

use super::{Locator, Receipt, ReceiptVerdict, contains_secret};
use crate::code::CodeSnapshot;
use crate::guard::GuardViolation;
use crate::id::Digest;
use crate::run::{EventKind, RunContext};
use crate::trace::TraceView;

/// Checks one citation: the quote must stand, white space folded, where the locator says.
#[must_use]
pub fn check_receipt(
    receipt: &Receipt,
    trace: &TraceView<'_>,
    violations: &[GuardViolation],
    code: Option<&CodeSnapshot>,
) -> ReceiptVerdict {
    match find_problem(receipt, trace, violations, code) {
        None => ReceiptVerdict::Verified,
        Some(why) => ReceiptVerdict::Rejected { why },
    }
}

/// Checks all citations, sets their verdicts and reports each as an event.
pub fn check_receipts(
    receipts: &mut [Receipt],
    trace: &TraceView<'_>,
    violations: &[GuardViolation],
    code: Option<&CodeSnapshot>,
    ctx: &RunContext,
) {
    for receipt in receipts {
        receipt.verdict = check_receipt(receipt, trace, violations, code);
        receipt.matched.raw = receipt.is_verified();
        ctx.emit(EventKind::ReceiptChecked { receipt: receipt.id.clone(), verified: receipt.is_verified() });
    }
}

fn find_problem(
    receipt: &Receipt,
    trace: &TraceView<'_>,
    violations: &[GuardViolation],
    code: Option<&CodeSnapshot>,
) -> Option<String> {
    let quote = fold(&receipt.quote);
    if quote.is_empty() {
        return Some("the quote is empty".to_owned());
    }
    if receipt.quote.chars().count() > Receipt::MAX_QUOTE_CHARS {
        return Some(format!("the quote is longer than {} characters", Receipt::MAX_QUOTE_CHARS));
    }
    if contains_secret(&receipt.quote) {
        return Some("the quote holds something that looks like a credential".to_owned());
    }
    if receipt.digest != Digest::of(&quote) {
        return Some("the digest is not that of the quote".to_owned());
    }
    let source = match cited_text(&receipt.locator, trace, violations, code) {
        Ok(text) => text,
        Err(why) => return Some(why),
    };
    (!fold(&source).contains(&quote)).then(|| "the quote does not stand at the place cited".to_owned())
}

fn cited_text(
    locator: &Locator,
    trace: &TraceView<'_>,
    violations: &[GuardViolation],
    code: Option<&CodeSnapshot>,
) -> Result<String, String> {
    match locator {
        Locator::Span { span_id, pointer } => {
            if trace.span(*span_id).is_none() {
                return Err(format!("span {span_id} is not in the trace"));
            }
            trace.text_at(*span_id, pointer).ok_or_else(|| format!("span {span_id} has nothing at {pointer}"))
        }
        Locator::Violation { id } => violations
            .iter()
            .find(|violation| violation.id == *id)
            .map(|violation| violation.reason.clone())
            .ok_or_else(|| format!("violation {id} does not exist")),
        Locator::File { commit, path, first_line, last_line, blob } => {
            let code = code.ok_or("no code was read")?;
            if code.commit() != commit {
                return Err(format!("the receipt cites commit {commit}, the code is of {}", code.commit()));
            }
            let file = code.file(path).ok_or_else(|| format!("{path} was not read"))?;
            if file.blob != *blob {
                return Err(format!("{path} has another content than the receipt cites"));
            }
            lines(&file.text, *first_line, *last_line).ok_or_else(|| format!("{path} has no such lines"))
        }
        Locator::Tool { event } => Err(format!("event {event} records no tool result that can be checked")),
    }
}

fn lines(text: &str, first: u32, last: u32) -> Option<String> {
    let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
    let count = last.checked_sub(first)? + 1;
    let found: Vec<_> = text.lines().skip(first.checked_sub(1)?).take(count).collect();
    (found.len() == count).then(|| found.join("\n"))
}

/// White space folded to single blanks.
pub(crate) fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
