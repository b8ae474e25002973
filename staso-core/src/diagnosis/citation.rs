//! Citations as models write them, and the receipts they come to.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::provenance::{examine, fold, lines, occurs};
use super::{Evidence, Locator, Receipt, ReceiptKind, ReceiptMatch, ReceiptVerdict, contains_secret, redact};
use crate::agent::Shown;
use crate::code::{CodeSnapshot, RepoPath};
use crate::id::{Digest, SpanId};
use crate::redaction::visible;
use crate::trace::JsonPointer;

/// Letters and digits that a quote has at least: less stands everywhere.
const MIN_QUOTE_LETTERS: usize = 3;
/// Lines that one citation may span.
const MAX_LINES: u32 = 200;
/// Longest claim, in characters.
const MAX_CLAIM_CHARS: usize = 300;
/// Values inside a payload that are looked through, and how deep.
const MAX_VALUES: usize = 5_000;
const MAX_DEPTH: usize = 32;

/// One piece of evidence as a model submits it: a place, the words that stand there, and what they show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Citation {
    /// Where the words stand: in a span of the trace, a guard violation, a file at the failing commit, or the output of a tool
    /// call of yours.
    #[schemars(schema_with = "kinds")]
    pub kind: ReceiptKind,
    /// For `span` its id, for `violation` its id, for `tool` the label of the call, e.g. t7.
    #[serde(default)]
    pub id: Option<String>,
    /// For `file` its path in the repository.
    #[serde(default)]
    pub path: Option<String>,
    /// For `file` the first and the last line, counted from 1.
    #[serde(default)]
    pub lines: Option<[u32; 2]>,
    /// For `file` the commit; left out, it is the failing one.
    #[serde(default)]
    pub commit: Option<String>,
    /// The words, copied exactly, at most 200 characters, from one place.
    #[schemars(length(max = 200))]
    pub quote: String,
    /// What the words show.
    pub claim: String,
}

// The schema of the type explains each value, in a form that not every provider takes.
fn kinds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["span", "violation", "file", "tool"] })
}

impl Citation {
    /// Finds the place and checks the words. What does not hold becomes a rejected receipt that says why. `shown` is what the
    /// model saw so far; it names the tool calls.
    #[must_use]
    pub fn resolve(
        &self,
        id: impl Into<String>,
        for_hypothesis: &str,
        evidence: &Evidence<'_>,
        shown: &Shown,
    ) -> Receipt {
        let found = self.check_words().and_then(|()| self.locate(evidence, shown));
        let mut receipt = Receipt {
            id: id.into(),
            kind: self.kind,
            locator: Locator::Nowhere { cited: self.place(), why: String::new() },
            quote: first_chars(&redact(&visible(&self.quote)), Receipt::MAX_QUOTE_CHARS),
            digest: Digest::of(""),
            claim: first_chars(&redact(&visible(&self.claim)), MAX_CLAIM_CHARS),
            for_hypothesis: for_hypothesis.to_owned(),
            verdict: ReceiptVerdict::Verified,
            matched: ReceiptMatch::default(),
        };
        let problem = match found {
            Ok(found) => {
                receipt.locator = found.locator;
                receipt.quote = found.quote;
                receipt.digest = Digest::of(fold(&receipt.quote));
                match examine(&receipt, evidence) {
                    Ok(matched) => {
                        receipt.matched = matched;
                        return receipt;
                    }
                    Err(why) => why,
                }
            }
            Err(why) => why,
        };
        receipt.quote = first_chars(&redact(&visible(&self.quote)), Receipt::MAX_QUOTE_CHARS);
        receipt.digest = Digest::of(fold(&receipt.quote));
        receipt.locator = Locator::Nowhere { cited: self.place(), why: problem.clone() };
        receipt.verdict = ReceiptVerdict::Rejected { why: problem };
        receipt
    }

    /// The place as the model named it, bounded.
    fn place(&self) -> String {
        let name = match self.kind {
            ReceiptKind::Span => "span",
            ReceiptKind::Violation => "violation",
            ReceiptKind::File => "file",
            ReceiptKind::Tool => "tool call",
        };
        let named = if self.kind == ReceiptKind::File { &self.path } else { &self.id };
        let mut place = format!("{name} {}", named.as_deref().unwrap_or("without a name"));
        if let Some([first, last]) = self.lines {
            place.push_str(&format!(":{first}-{last}"));
        }
        first_chars(&redact(&visible(&place)).replace('\n', " "), 200)
    }

    /// What is wrong with the words, whatever the place.
    fn check_words(&self) -> Result<(), String> {
        let quote = &self.quote;
        if fold(quote).is_empty() {
            return Err("the quote is empty".to_owned());
        }
        if quote.chars().count() > Receipt::MAX_QUOTE_CHARS {
            return Err(format!("the quote is longer than {} characters", Receipt::MAX_QUOTE_CHARS));
        }
        if contains_secret(quote) || contains_secret(&visible(quote)) {
            return Err("the quote holds something that looks like a credential".to_owned());
        }
        if fold(&visible(quote)) != fold(quote) {
            return Err("the quote holds invisible characters".to_owned());
        }
        if quote.chars().filter(|c| c.is_alphanumeric()).count() < MIN_QUOTE_LETTERS {
            return Err("the quote is too short to show anything; quote more of the place".to_owned());
        }
        if self.claim.trim().is_empty() {
            return Err("the receipt does not say what the words show".to_owned());
        }
        Ok(())
    }

    fn locate(&self, evidence: &Evidence<'_>, shown: &Shown) -> Result<Found, String> {
        let misplaced = if self.kind == ReceiptKind::File {
            self.id.is_some()
        } else {
            self.path.is_some() || self.lines.is_some() || self.commit.is_some()
        };
        if misplaced {
            return Err("path, lines and commit belong to files, id to everything else".to_owned());
        }
        let name = || self.id.as_deref().ok_or_else(|| "the receipt has no id".to_owned());
        let locator = match self.kind {
            ReceiptKind::Span => self.in_span(name()?, evidence)?,
            ReceiptKind::Violation => Locator::Violation { id: name()?.to_owned() },
            ReceiptKind::Tool => in_tool(name()?, shown)?,
            ReceiptKind::File => return self.in_file(evidence),
        };
        Ok(Found { locator, quote: self.quote.clone() })
    }

    fn in_span(&self, id: &str, evidence: &Evidence<'_>) -> Result<Locator, String> {
        let trace = evidence.trace;
        let known = id.parse::<SpanId>().ok().filter(|id| trace.span(*id).is_some());
        let span_id = known.ok_or("there is no span with this id in this trace")?;
        let quote = fold(&self.quote);
        let fields = trace.citable(span_id);
        let mut problem = None;
        for pointer in &fields {
            match trace.text_at(span_id, pointer).map(|text| occurs(&quote, &text, evidence.redactor)) {
                Some(Ok(_)) => return Ok(Locator::Span { span_id, pointer: pointer.clone() }),
                Some(Err(why)) if why.contains("credential") => problem = Some(why),
                _ => {}
            }
        }
        for field in &fields {
            let value = trace.text_at(span_id, field).and_then(|text| serde_json::from_str(&text).ok());
            let inner = value.and_then(|value: Value| inside(&value, &quote, evidence));
            if let Some(inner) = inner {
                let pointer = JsonPointer::from_parts(field.parts().into_iter().chain(inner));
                // A payload inside a payload has no pointer of its own.
                if trace.text_at(span_id, &pointer).is_some() {
                    return Ok(Locator::Span { span_id, pointer });
                }
            }
        }
        Err(problem.unwrap_or_else(|| {
            "the quote stands in no single field of this span; copy it exactly from one field".to_owned()
        }))
    }

    fn in_file(&self, evidence: &Evidence<'_>) -> Result<Found, String> {
        let code = evidence.code.ok_or("no code at the failing commit can be read in this run")?;
        let path = self.path.as_deref().ok_or("the receipt has no path")?;
        let path = RepoPath::new(path).map_err(|error| error.reason.to_owned())?;
        if let Some(commit) = &self.commit {
            let commit = commit.trim().to_ascii_lowercase();
            if commit.len() < 7 || !code.commit().as_str().starts_with(&commit) {
                return Err(format!("the run failed at commit {}, the receipt cites another", code.commit()));
            }
        }
        let Some(file) = code.file(&path) else {
            return Err(unread(code, &path));
        };
        let place = |(first_line, last_line), quote| {
            let (commit, blob, path) = (code.commit().clone(), file.blob.clone(), path.clone());
            Found { locator: Locator::File { commit, path, first_line, last_line, blob }, quote }
        };
        let bare = without_line_numbers(&self.quote);
        for quote in std::iter::once(self.quote.clone()).chain(bare) {
            let wanted = fold(&quote);
            let Some([first, last]) = self.lines else {
                match line_range(&file.text, &wanted) {
                    Some(range) => return Ok(place(range, quote)),
                    None => continue,
                }
            };
            let cited = lines(&file.text, first, last).filter(|_| last - first < MAX_LINES);
            let Some(cited) = cited else {
                return Err(format!(
                    "{path} has {} lines; cite at most {MAX_LINES} that exist",
                    file.text.lines().count()
                ));
            };
            if occurs(&wanted, &cited, evidence.redactor).is_ok() {
                return Ok(place((first, last), quote));
            }
            if let Some((a, b)) = line_range(&file.text, &wanted) {
                return Err(format!("the quote stands at lines {a} to {b}, not at {first} to {last}"));
            }
        }
        Err(format!("the quote does not stand in {path} at the failing commit"))
    }
}

/// A place, and the quote as it stands there.
struct Found {
    locator: Locator,
    quote: String,
}

fn unread(code: &CodeSnapshot, path: &RepoPath) -> String {
    if code.paths().binary_search(path).is_ok() {
        format!("{path} could not be read at the failing commit: it is no text, or too large")
    } else {
        format!("there is no file {path} at the failing commit")
    }
}

fn in_tool(label: &str, shown: &Shown) -> Result<Locator, String> {
    let output = shown.output(label).ok_or("there was no tool call with this label before")?;
    let event = output.event.ok_or("this tool call was not recorded")?;
    Ok(Locator::Tool { event })
}

/// The parts of the pointer to a text inside a JSON value that holds the folded quote.
fn inside(value: &Value, quote: &str, evidence: &Evidence<'_>) -> Option<Vec<String>> {
    let mut open: Vec<(Vec<String>, &Value)> = vec![(Vec::new(), value)];
    let mut left = MAX_VALUES;
    while let Some((path, value)) = open.pop() {
        left = left.checked_sub(1)?;
        let deeper = |part: String| path.iter().cloned().chain([part]).collect::<Vec<_>>();
        match value {
            Value::String(text) if occurs(quote, text, evidence.redactor).is_ok() => return Some(path),
            Value::Array(values) if path.len() < MAX_DEPTH => {
                open.extend(
                    values.iter().enumerate().rev().map(|(at, value)| (deeper(at.to_string()), value)),
                );
            }
            Value::Object(object) if path.len() < MAX_DEPTH => {
                open.extend(object.iter().rev().map(|(key, value)| (deeper(key.clone()), value)));
            }
            _ => {}
        }
    }
    None
}

/// The lines of the first place that holds the folded words.
fn line_range(text: &str, words: &str) -> Option<(u32, u32)> {
    let mut joined = String::with_capacity(text.len());
    // Where each line begins in the joined text.
    let mut starts = Vec::new();
    for line in text.lines() {
        starts.push(joined.len());
        for word in line.split_whitespace() {
            joined.push_str(word);
            joined.push(' ');
        }
    }
    let begin = joined.find(words)?;
    let line_at = |at: usize| u32::try_from(starts.partition_point(|start| *start <= at)).ok();
    Some((line_at(begin)?, line_at(begin + words.len() - 1)?))
}

/// The quote without the line numbers that tools print before each line; `None` when there are none.
fn without_line_numbers(quote: &str) -> Option<String> {
    let bare = |line: &str| {
        let rest = line.trim_start();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let after = rest.get(digits..)?;
        let code = after
            .strip_prefix(['\t', ':', '|', '-'])
            .or_else(|| after.strip_prefix(" |"))
            .or_else(|| after.strip_prefix("  "))?;
        (1..=7).contains(&digits).then(|| code.to_owned())
    };
    let lines: Option<Vec<String>> = quote.lines().map(bare).collect();
    lines.map(|lines| lines.join("\n"))
}

fn first_chars(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}
