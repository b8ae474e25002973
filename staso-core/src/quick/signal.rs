//! Recognises errors by class, status and words.

use super::failure::Failure;
use super::finding::{Evidence, Place};
use super::input::RuleInput;
use crate::trace::{JsonPointer, SpanKind};

/// What gives an error away. Any of the three is enough.
#[derive(Debug)]
pub(super) struct Signal {
    /// Classes of exceptions, without module.
    pub(super) kinds: &'static [&'static str],
    /// HTTP status.
    pub(super) statuses: &'static [u16],
    /// Parts of the message or the class, in lower case.
    pub(super) words: &'static [&'static str],
}

/// An error that a signal recognised.
#[derive(Debug)]
pub(super) struct Hit<'i, 'a> {
    pub(super) number: usize,
    pub(super) failure: &'i Failure<'a>,
    /// The words that gave it away, as written; empty when it was the class or the status.
    pub(super) words: String,
}

impl Signal {
    /// The words of the signal in the message, as written there. `Some("")` when class or status gave it away.
    pub(super) fn matches(&self, failure: &Failure<'_>) -> Option<String> {
        let texts = [failure.message.as_str(), failure.root_message.as_str()];
        for text in texts {
            let lower = text.to_ascii_lowercase();
            for word in self.words {
                if let Some(at) = lower.find(word) {
                    return Some(text.get(at..at + word.len()).unwrap_or_default().to_owned());
                }
            }
        }
        let by_kind = failure.is_kind(self.kinds)
            || failure
                .kind
                .as_deref()
                .is_some_and(|kind| self.words.contains(&kind.to_ascii_lowercase().as_str()));
        let by_status = failure.http_status.is_some_and(|status| self.statuses.contains(&status));
        (by_kind || by_status).then(String::new)
    }

    /// Every error that gives the signal.
    pub(super) fn hits<'i, 'a>(&self, input: &'i RuleInput<'a>) -> Vec<Hit<'i, 'a>> {
        input
            .failures()
            .filter_map(|(number, failure)| Some(Hit { number, failure, words: self.matches(failure)? }))
            .collect()
    }
}

impl Hit<'_, '_> {
    /// Cites the words, else the class, else the status.
    pub(super) fn evidence(&self, claim: &str) -> Vec<Evidence> {
        evidence(self.failure, &self.words, claim)
    }

    /// Who failed, in words.
    pub(super) fn who(&self) -> String {
        let span = self.failure.span;
        let model = span.model.as_ref();
        match (span.kind, model.and_then(|model| model.provider.as_deref())) {
            (SpanKind::Llm | SpanKind::Embedding, Some(provider)) if !provider.is_empty() => {
                format!("the model provider `{}`", super::failure::clip(provider, 40))
            }
            (SpanKind::Llm | SpanKind::Embedding, _) => "the model provider".to_owned(),
            (SpanKind::Tool, _) => {
                format!(
                    "the service behind the tool `{}`",
                    super::failure::clip(span.tool_name().unwrap_or("?"), 60)
                )
            }
            _ => format!("a service that `{}` calls", super::failure::clip(&span.name, 60)),
        }
    }
}

/// Cites words of an error, else its class, else its status.
pub(super) fn evidence(failure: &Failure<'_>, words: &str, claim: &str) -> Vec<Evidence> {
    let id = failure.span.span_id;
    let cite = |pointer: &str, needle: &str| Evidence {
        place: Place::Span(id, JsonPointer::from(pointer)),
        needle: needle.to_owned(),
        claim: claim.to_owned(),
    };
    let place = |needle: &str| Evidence {
        place: Place::Span(id, failure.message_pointer.clone()),
        needle: needle.to_owned(),
        claim: claim.to_owned(),
    };
    let line = failure.root_message.lines().next().unwrap_or_default();
    let mut found = Vec::new();
    if !words.is_empty() {
        found.push(place(words));
    } else if !line.is_empty() {
        found.push(place(super::document::prefix(line, 120)));
    }
    if let Some(kind) =
        failure.span.error.as_ref().and_then(|error| error.kind.as_deref()).filter(|kind| !kind.is_empty())
    {
        found.push(cite("/error_type", super::document::prefix(kind, 120)));
    }
    if found.is_empty() || (line.is_empty() && words.is_empty()) {
        found.push(cite("/status", ""));
    }
    found
}
