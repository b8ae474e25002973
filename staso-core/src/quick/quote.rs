//! Cuts quotes out of traces and files, so that they can be checked and hold no secret.

use super::finding::{Evidence, Place};
use super::input::RuleInput;
use crate::diagnosis::{
    Locator, Receipt, ReceiptKind, ReceiptMatch, ReceiptVerdict, contains_secret, fold, redact,
};
use crate::id::Digest;
use crate::trace::{Captured, Payload};

/// Characters before the words that matter.
const LEAD_CHARS: usize = 60;
/// Text around a quote that is searched for secrets of which the quote would hold a part, in characters.
const GUARD_CHARS: usize = 4_000;
/// Nothing is quoted from larger payloads, in bytes: checking would take too long.
const MAX_SOURCE_BYTES: usize = 4 * 1024 * 1024;

/// Makes a receipt, unchecked; `None` when the words are not there or cannot be shown.
pub(super) fn receipt(
    input: &RuleInput<'_>,
    evidence: &Evidence,
    id: String,
    for_hypothesis: &str,
) -> Option<Receipt> {
    let (kind, locator, source) = locate(input, &evidence.place)?;
    let quote = cut(&source, &evidence.needle)?;
    let digest = Digest::of(fold(&quote));
    let verdict = ReceiptVerdict::Rejected { why: "not checked".to_owned() };
    let claim = redact(&evidence.claim);
    Some(Receipt {
        id,
        kind,
        locator,
        quote,
        digest,
        claim,
        for_hypothesis: for_hypothesis.to_owned(),
        verdict,
        matched: ReceiptMatch::default(),
    })
}

fn locate(input: &RuleInput<'_>, place: &Place) -> Option<(ReceiptKind, Locator, String)> {
    match place {
        Place::Span(span_id, pointer) => {
            let span = input.trace.span(*span_id)?;
            let size = |payload: &Captured<Payload>| payload.value().map_or(0, |text| text.as_str().len());
            if size(&span.input).max(size(&span.output)) > MAX_SOURCE_BYTES {
                return None;
            }
            let text = input.trace.text_at(*span_id, pointer)?;
            Some((ReceiptKind::Span, Locator::Span { span_id: *span_id, pointer: pointer.clone() }, text))
        }
        Place::Line(path, line) => {
            let code = input.code.as_ref()?.snapshot;
            let text = code.line(path, *line)?.to_owned();
            let locator = Locator::File {
                commit: code.commit().clone(),
                path: path.clone(),
                first_line: *line,
                last_line: *line,
                blob: code.file(path)?.blob.clone(),
            };
            Some((ReceiptKind::File, locator, text))
        }
        Place::Violation(id) => {
            let violation = input.violations.iter().find(|violation| violation.id == *id)?;
            Some((ReceiptKind::Violation, Locator::Violation { id: id.clone() }, violation.reason.clone()))
        }
    }
}

/// At most [`Receipt::MAX_QUOTE_CHARS`] characters around the needle, without any part of a secret.
fn cut(source: &str, needle: &str) -> Option<String> {
    let at = source.find(needle)?;
    let before = last_chars(source.get(..at)?, GUARD_CHARS);
    let after = first_chars(source.get(at..)?, GUARD_CHARS);
    let lead = last_chars(before, LEAD_CHARS);
    let lead = lead.rsplit('\n').next().unwrap_or(lead);
    let quote = format!("{lead}{}", first_chars(after, Receipt::MAX_QUOTE_CHARS - lead.chars().count()));
    let quote = quote.trim().to_owned();
    let safe = !contains_secret(&format!("{before}{after}"));
    let quote = if safe { quote } else { first_chars(needle, Receipt::MAX_QUOTE_CHARS).trim().to_owned() };
    let shown = safe || redact(&format!("{before}{after}")).contains(&quote);
    (shown && !fold(&quote).is_empty() && !contains_secret(&quote)).then_some(quote)
}

fn first_chars(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).map_or(text, |(end, _)| text.get(..end).unwrap_or_default())
}

fn last_chars(text: &str, count: usize) -> &str {
    let start = text.char_indices().rev().take(count).last().map_or(text.len(), |(start, _)| start);
    text.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_stand_around_the_needle_and_keep_secrets_out() {
        let long = format!("{}KeyError: 'total'{}", "a ".repeat(500), " b".repeat(500));
        let quote = cut(&long, "KeyError").unwrap();
        assert!(quote.contains("KeyError: 'total'") && quote.chars().count() <= 200, "{quote}");
        let key = format!("sk-{}", "0123456789abcdef0123");
        let quote = cut(&format!("Incorrect API key provided: {key}. Get one"), "Incorrect API key").unwrap();
        assert_eq!(quote, "Incorrect API key");
        assert_eq!(cut(&format!("see {key}"), "sk-0123"), None);
        assert_eq!(cut("abc", "x"), None);
        assert_eq!(cut("", ""), None);
    }
}
