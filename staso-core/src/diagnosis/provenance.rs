//! Checks citations against trace, code and transcript. The only place that may call a receipt verified.
//!
//! The same function is used when a model submits, when the orchestrator settles a diagnosis, and when an artifact is
//! audited offline; it needs no model and no session. Files are only read from a [`CodeSnapshot`]: what a session holds
//! may have been written by the agent that cites it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Locator, Receipt, ReceiptMatch, ReceiptVerdict, contains_secret, redact};
use crate::agent::ToolCall;
use crate::code::{CodeSnapshot, RepoPath};
use crate::guard::GuardViolation;
use crate::id::{Digest, RunId};
use crate::redaction::{Redactor, visible};
use crate::run::{EventKind, RunContext, RunEvent};
use crate::trace::TraceView;

/// Larger texts cannot be cited, in bytes: checking would take too long.
const MAX_SOURCE_BYTES: usize = 4 * 1024 * 1024;
/// The tool whose answers repeat what the model submitted.
const SUBMIT: &str = "submit_diagnosis";

/// What citations are checked against.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Evidence<'a> {
    /// The failed run.
    pub trace: &'a TraceView<'a>,
    /// Guard rules that fired in it. Default none.
    pub violations: &'a [GuardViolation],
    /// Code at the failing commit; must hold the files of [`cited_files`]. Default none.
    pub code: Option<&'a CodeSnapshot>,
    /// Events of the heal run, oldest first: receipts may cite what a tool answered. Default none.
    pub events: &'a [RunEvent],
    /// The heal run that the events must be of; `None` takes any. Default `None`.
    pub run_id: Option<RunId>,
    /// What took credentials out of the texts that a model was shown, so that words beside its placeholders are found. Default
    /// `None`: only the forms of common credentials are known.
    pub redactor: Option<&'a Redactor>,
}

impl<'a> Evidence<'a> {
    /// Only the trace.
    #[must_use]
    pub const fn new(trace: &'a TraceView<'a>) -> Self {
        Self { trace, violations: &[], code: None, events: &[], run_id: None, redactor: None }
    }

    /// Adds guard violations.
    #[must_use]
    pub const fn with_violations(mut self, violations: &'a [GuardViolation]) -> Self {
        self.violations = violations;
        self
    }

    /// Adds the code at the failing commit.
    #[must_use]
    pub const fn with_code(mut self, code: Option<&'a CodeSnapshot>) -> Self {
        self.code = code;
        self
    }

    /// Adds the events of the heal run.
    #[must_use]
    pub const fn with_events(mut self, events: &'a [RunEvent]) -> Self {
        self.events = events;
        self
    }

    /// Takes events of this heal run only.
    #[must_use]
    pub const fn of_run(mut self, run_id: RunId) -> Self {
        self.run_id = Some(run_id);
        self
    }

    /// Knows what the host's redactor put in the place of credentials.
    #[must_use]
    pub const fn with_redactor(mut self, redactor: Option<&'a Redactor>) -> Self {
        self.redactor = redactor;
        self
    }
}

/// Checks one citation: the quote must stand, white space folded, where the locator says — in the text as recorded, or in
/// the text as a model is shown it: without hidden characters and credentials, or as a JSON string.
#[must_use]
pub fn check_receipt(receipt: &Receipt, evidence: &Evidence<'_>) -> ReceiptVerdict {
    match examine(receipt, evidence) {
        Ok(_) => ReceiptVerdict::Verified,
        Err(why) => ReceiptVerdict::Rejected { why },
    }
}

/// Checks all citations, sets their verdicts and reports each as an event. What tools answered is taken from the events that
/// the context recorded.
pub fn check_receipts(
    receipts: &mut [Receipt],
    trace: &TraceView<'_>,
    violations: &[GuardViolation],
    code: Option<&CodeSnapshot>,
    ctx: &RunContext,
) {
    let cites_tools = receipts.iter().any(|receipt| matches!(receipt.locator, Locator::Tool { .. }));
    let events = if cites_tools { ctx.recorded_events() } else { Vec::new() };
    let evidence = Evidence::new(trace)
        .with_violations(violations)
        .with_code(code)
        .with_events(&events)
        .of_run(ctx.run_id());
    check_against(receipts, &evidence, ctx);
}

/// As [`check_receipts`], against evidence that the caller put together.
pub fn check_against(receipts: &mut [Receipt], evidence: &Evidence<'_>, ctx: &RunContext) {
    for receipt in receipts {
        (receipt.verdict, receipt.matched) = match examine(receipt, evidence) {
            // No model was shown what the rules cite: `shown` stays off where it was and is not needed.
            Ok(matched) => {
                let shown = matched.shown && (receipt.matched.shown || !matched.raw);
                (ReceiptVerdict::Verified, ReceiptMatch { shown, ..matched })
            }
            Err(why) => (ReceiptVerdict::Rejected { why }, ReceiptMatch::default()),
        };
        ctx.emit(EventKind::ReceiptChecked { receipt: receipt.id.clone(), verified: receipt.is_verified() });
    }
}

/// The files that receipts cite: a snapshot must hold them before the receipts are checked.
#[must_use]
pub fn cited_files(receipts: &[Receipt]) -> BTreeSet<&RepoPath> {
    let mut files = BTreeSet::new();
    for receipt in receipts {
        if let Locator::File { path, .. } = &receipt.locator {
            files.insert(path);
        }
    }
    files
}

/// Which text holds the quote, or what is wrong.
pub(super) fn examine(receipt: &Receipt, evidence: &Evidence<'_>) -> Result<ReceiptMatch, String> {
    if let Locator::Nowhere { why, .. } = &receipt.locator {
        return Err(why.clone());
    }
    let quote = fold(&receipt.quote);
    if quote.is_empty() {
        return Err("the quote is empty".to_owned());
    }
    if receipt.quote.chars().count() > Receipt::MAX_QUOTE_CHARS {
        return Err(format!("the quote is longer than {} characters", Receipt::MAX_QUOTE_CHARS));
    }
    if contains_secret(&receipt.quote) {
        return Err("the quote holds something that looks like a credential".to_owned());
    }
    if receipt.digest != Digest::of(&quote) {
        return Err("the digest is not that of the quote".to_owned());
    }
    let source = cited_text(&receipt.locator, &quote, evidence)?;
    occurs(&quote, &source, evidence.redactor)
}

/// Whether a text holds a folded quote.
pub(super) fn occurs(quote: &str, source: &str, redactor: Option<&Redactor>) -> Result<ReceiptMatch, String> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(format!("the text cited is longer than {MAX_SOURCE_BYTES} bytes"));
    }
    let visible = visible(source);
    let raw = fold(source).contains(quote);
    let holds =
        |clean: &str| fold(clean).contains(quote) || (!raw && fold(&json_string(clean)).contains(quote));
    let clean = |text: &str| redactor.map_or_else(|| redact(text), |known| known.clean(text));
    let shown = holds(&clean(&visible));
    let finds = |text: &str| redactor.map_or_else(|| contains_secret(text), |known| known.finds(text));
    // Words that stand only in the raw text next to a credential may be a piece of it.
    if raw && !shown && finds(source) && !fold(&clean(source)).contains(quote) {
        return Err("the quote holds a part of something that looks like a credential".to_owned());
    }
    if raw || shown {
        Ok(ReceiptMatch { raw, shown })
    } else {
        Err("the quote does not stand at the place cited".to_owned())
    }
}

fn json_string(text: &str) -> String {
    Value::from(text).to_string().trim_matches('"').to_owned()
}

fn cited_text(locator: &Locator, quote: &str, evidence: &Evidence<'_>) -> Result<String, String> {
    match locator {
        Locator::Span { span_id, pointer } => {
            if evidence.trace.span(*span_id).is_none() {
                return Err(format!("span {span_id} is not in the trace"));
            }
            evidence
                .trace
                .text_at(*span_id, pointer)
                .ok_or_else(|| format!("span {span_id} has nothing at {pointer}"))
        }
        Locator::Violation { id } => evidence
            .violations
            .iter()
            .find(|violation| violation.id == *id)
            .map(|violation| violation.reason.clone())
            .ok_or_else(|| format!("violation {id} does not exist")),
        Locator::File { commit, path, first_line, last_line, blob } => {
            let code = evidence.code.ok_or("no code was read")?;
            if code.commit() != commit {
                return Err(format!("the receipt cites commit {commit}, the code is of {}", code.commit()));
            }
            let file = code.file(path).ok_or_else(|| format!("{path} was not read"))?;
            if file.blob != *blob {
                return Err(format!("{path} has another content than the receipt cites"));
            }
            lines(&file.text, *first_line, *last_line).ok_or_else(|| format!("{path} has no such lines"))
        }
        Locator::Tool { event } => tool_output(*event, quote, evidence),
        Locator::Nowhere { why, .. } => Err(why.clone()),
    }
}

/// What a tool answered. A command can print whatever it is told to: words that the model itself put into a call before are
/// its own, not the tool's.
fn tool_output(number: u64, quote: &str, evidence: &Evidence<'_>) -> Result<String, String> {
    let of_run = |event: &&RunEvent| evidence.run_id.is_none_or(|run| event.run_id == run);
    let Some(event) = evidence.events.iter().filter(of_run).find(|event| event.id == number) else {
        return Err(format!("event {number} is not in the transcript of this run"));
    };
    let EventKind::ToolOutput { tool, text, .. } = &event.event else {
        return Err(format!("event {number} records no tool result"));
    };
    if tool == SUBMIT {
        return Err(format!("the answers of {SUBMIT} repeat the model's own words"));
    }
    let before = evidence.events.iter().filter(of_run).filter(|event| event.id < number);
    let calls = before.filter_map(|event| match &event.event {
        EventKind::ModelCompleted { calls, .. } => Some(calls),
        _ => None,
    });
    if calls.flatten().filter(|call| call.name != SUBMIT).any(|call| wrote(call, quote)) {
        return Err("the quote stands in what the model itself gave to a tool before".to_owned());
    }
    Ok(text.clone())
}

/// Whether the arguments of a call hold the folded words.
fn wrote(call: &ToolCall, words: &str) -> bool {
    fn holds(value: &Value, words: &str) -> bool {
        match value {
            Value::String(text) => fold(text).contains(words),
            Value::Array(values) => values.iter().any(|value| holds(value, words)),
            Value::Object(object) => {
                object.iter().any(|(key, value)| fold(key).contains(words) || holds(value, words))
            }
            _ => false,
        }
    }
    fold(&call.arguments).contains(words)
        || serde_json::from_str(&call.arguments).is_ok_and(|value| holds(&value, words))
}

pub(super) fn lines(text: &str, first: u32, last: u32) -> Option<String> {
    let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
    let count = last.checked_sub(first)? + 1;
    let found: Vec<_> = text.lines().skip(first.checked_sub(1)?).take(count).collect();
    (found.len() == count).then(|| found.join("\n"))
}

/// White space folded to single blanks.
pub(crate) fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
