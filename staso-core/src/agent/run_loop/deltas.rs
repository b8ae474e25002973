//! Turns the pieces of a reply into events that no part of a credential can slip through.

use std::sync::{Mutex, PoisonError};

use super::intake::Intake;
use crate::agent::DeltaSink;
use crate::run::{EventKind, RunContext};

/// Smallest piece that is worth an event, in bytes, unless the reply ends.
const BATCH_BYTES: usize = 80;
/// Text of one reply that is streamed, and longest text held back, in bytes. The rest comes with the whole reply.
const MAX_BYTES: usize = 64 << 10;
/// Text before a piece that the redactor sees with it, and text after it that must have come, in bytes.
const CONTEXT_BYTES: usize = 512;
const LOOKAHEAD_BYTES: usize = 128;
const KEY_BEGIN: &str = "-----BEGIN ";
const KEY_END: &str = "-----END ";

/// Collects the text of one reply and emits it in whole words, redacted.
///
/// The last words are held back, and so is everything behind the beginning of a key block until the block ends. Each
/// piece is redacted together with text before and after it; when that would change what is already out, nothing more is
/// streamed of this reply.
#[derive(Debug)]
pub(super) struct DeltaBatch<'a> {
    agent: &'a str,
    turn: u64,
    intake: Intake<'a>,
    ctx: &'a RunContext,
    state: Mutex<Batch>,
}

#[derive(Debug, Default)]
struct Batch {
    /// The end of the reply so far.
    text: String,
    /// How much of `text` is out.
    out: usize,
    /// Bytes that are out, of the whole reply.
    total: usize,
    silent: bool,
}

impl<'a> DeltaBatch<'a> {
    pub(super) fn new(agent: &'a str, turn: u64, intake: Intake<'a>, ctx: &'a RunContext) -> Self {
        Self { agent, turn, intake, ctx, state: Mutex::default() }
    }

    /// Emits what is left of a reply that came to its end.
    pub(super) fn finish(&self) {
        self.with(|batch| {
            let end = batch.text.len();
            batch.release(end, self.intake)
        });
    }

    fn with(&self, step: impl FnOnce(&mut Batch) -> Option<String>) {
        let mut batch = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = step(&mut batch) {
            self.ctx.emit(EventKind::ModelDelta { agent: self.agent.to_owned(), turn: self.turn, text });
        }
    }
}

impl DeltaSink for DeltaBatch<'_> {
    fn text(&self, piece: &str) {
        self.with(|batch| batch.add(piece, self.intake));
    }

    fn restarted(&self) {
        self.with(|batch| {
            let begun = batch.total > 0;
            *batch = Batch { total: batch.total, silent: batch.total > MAX_BYTES, ..Batch::default() };
            begun.then(|| "\n[the reply begins anew]\n".to_owned())
        });
    }
}

impl Batch {
    fn add(&mut self, piece: &str, intake: Intake<'_>) -> Option<String> {
        if self.silent {
            return None;
        }
        if self.text.len() - self.out + piece.len() > MAX_BYTES {
            self.fall_silent();
            return None;
        }
        self.text.push_str(piece);
        if !piece.contains(char::is_whitespace) {
            return None;
        }
        let until = self.settled();
        if until.saturating_sub(self.out) < BATCH_BYTES { None } else { self.release(until, intake) }
    }

    /// Where the text ends that later pieces cannot change: behind a blank some words ago, before an open key block.
    fn settled(&self) -> usize {
        let Some(near) = self.text.len().checked_sub(LOOKAHEAD_BYTES).filter(|near| *near > self.out) else {
            return self.out;
        };
        let near = self.text.floor_char_boundary(near);
        let waiting = self.text.get(self.out..near).unwrap_or_default();
        let blank = waiting.char_indices().rev().find(|(_, c)| c.is_whitespace());
        let until = blank.map_or(self.out, |(at, c)| self.out + at + c.len_utf8());
        let open = self.text.get(self.out..).and_then(open_key);
        open.map_or(until, |open| until.min(self.out + open))
    }

    fn release(&mut self, until: usize, intake: Intake<'_>) -> Option<String> {
        if self.silent || until <= self.out {
            return None;
        }
        let clean = |end: usize| intake.whole(self.text.get(..end).unwrap_or_default());
        let (before, after) = (clean(self.out), clean(until));
        if until < self.text.len() && !clean(self.text.len()).starts_with(&after) {
            // What follows changes it: wait for more.
            return None;
        }
        let Some(new) = after.strip_prefix(before.as_str()).map(str::to_owned) else {
            self.fall_silent();
            return None;
        };
        self.out = until;
        self.total += new.len();
        self.forget();
        if self.total > MAX_BYTES {
            self.fall_silent();
        }
        (!new.is_empty()).then_some(new)
    }

    /// Drops text that is out and too old to matter for what comes.
    fn forget(&mut self) {
        let Some(old) = self.out.checked_sub(CONTEXT_BYTES).filter(|old| *old > CONTEXT_BYTES) else {
            return;
        };
        let from = self.text.ceil_char_boundary(old);
        let blank = self.text.get(from..self.out).and_then(|text| text.find(char::is_whitespace));
        let Some(at) = blank.map(|at| from + at) else { return };
        self.text.drain(..at);
        self.out -= at;
    }

    fn fall_silent(&mut self) {
        self.silent = true;
        self.text = String::new();
        self.out = 0;
    }
}

/// Where a key block begins that does not end. A beginning that is itself not yet whole ends in no blank, so it is held
/// back as a word.
fn open_key(text: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let begin = from + text.get(from..)?.find(KEY_BEGIN)?;
        let body = begin + KEY_BEGIN.len();
        let closed = text.get(body..).and_then(|rest| {
            let end = rest.find(KEY_END)? + KEY_END.len();
            // The dashes may begin another block; they are looked at again.
            rest.get(end..)?.find("-----").map(|dashes| body + end + dashes)
        });
        match closed {
            None => return Some(begin),
            Some(end) => from = end,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::redaction::Redactor;
    use crate::testing::{MemorySink, test_context};

    /// Streams a text in pieces of these lengths, over and over. Returns the pieces that came out.
    fn streamed(text: &str, lengths: &[usize]) -> Vec<String> {
        let sink = MemorySink::default();
        let ctx = test_context().with_sinks(vec![Arc::new(sink.clone())]);
        let redactor = Redactor::default();
        let batch = DeltaBatch::new("deep", 1, Intake(&redactor), &ctx);
        let mut rest = text;
        for length in lengths.iter().cycle() {
            let at = rest.ceil_char_boundary((*length).min(rest.len()));
            batch.text(rest.get(..at).unwrap());
            rest = rest.get(at..).unwrap();
            if rest.is_empty() {
                break;
            }
        }
        batch.finish();
        let pieces = sink.events().into_iter().map(|event| match event.event {
            EventKind::ModelDelta { text, .. } => text,
            other => panic!("{other:?}"),
        });
        pieces.collect()
    }

    fn token() -> String {
        format!("ghp_{}", "0123456789abcdefghij".repeat(2))
    }

    fn key_block() -> String {
        let body = "MIIEpAIBAAKCAQEA7b4 qwJk2\n".repeat(9);
        format!("-----BEGIN RSA {0}-----\n{body}-----END RSA {0}-----", "PRIVATE KEY")
    }

    #[test]
    fn long_text_comes_in_pieces_of_whole_words() {
        let text = "one two three four ".repeat(300);
        let pieces = streamed(&text, &[3, 1, 7]);
        assert_eq!(pieces.concat(), text);
        assert!(pieces.len() > 30, "{}", pieces.len());
        let (_, but_last) = pieces.split_last().unwrap();
        assert!(but_last.iter().all(|piece| piece.len() >= BATCH_BYTES && piece.ends_with(' ')));
    }

    #[test]
    fn a_key_block_that_never_ends_is_never_shown() {
        let text =
            format!("Look:\n{}\n{}", key_block().replace("-----END", "----- END"), "x y ".repeat(30_000));
        let pieces = streamed(&text, &[100]);
        assert!(!pieces.concat().contains("MIIE"), "{pieces:?}");
    }

    #[test]
    fn a_word_without_end_is_not_kept() {
        let text = "a".repeat(10 * MAX_BYTES);
        assert!(streamed(&text, &[1_000]).is_empty());
    }

    #[test]
    fn what_was_begun_anew_is_said_to_be() {
        let sink = MemorySink::default();
        let ctx = test_context().with_sinks(vec![Arc::new(sink.clone())]);
        let redactor = Redactor::default();
        let batch = DeltaBatch::new("deep", 1, Intake(&redactor), &ctx);
        batch.restarted();
        batch.text(&"first try ".repeat(40));
        batch.restarted();
        batch.text("second try");
        batch.finish();
        let text: Vec<EventKind> = sink.events().into_iter().map(|event| event.event).collect();
        assert_eq!(text.len(), 3, "{text:?}");
        let piece = |text: &str| EventKind::ModelDelta { agent: "deep".into(), turn: 1, text: text.into() };
        assert_eq!(text[1], piece("\n[the reply begins anew]\n"));
        assert_eq!(text[2], piece("second try"));
    }

    proptest! {
        #[test]
        fn a_secret_split_anywhere_never_comes_out(
            before in "[a-z \n]{0,300}",
            after in "[a-z \n]{0,300}",
            lengths in proptest::collection::vec(1_usize..40, 1..12),
            block: bool,
        ) {
            let secret = if block { key_block() } else { token() };
            let text = format!("{before} {secret} {after}");
            let out = streamed(&text, &lengths).concat();
            prop_assert!(!out.contains(&secret[..12]) && !out.contains("MIIE") && !out.contains("abcdefghij01"), "{out}");
            prop_assert_eq!(out, Redactor::default().clean(&text));
        }

        #[test]
        fn pieces_are_the_beginning_of_the_clean_text(
            text in "(?s)(-----BEGIN |-----END |-----|PRIVATE KEY|ghp_[a-z0-9]{30}|[a-zé\u{200b} \n]{1,60}){0,20}",
            lengths in proptest::collection::vec(1_usize..30, 1..8),
        ) {
            let redactor = Redactor::default();
            let whole = Intake(&redactor).whole(&text);
            let out = streamed(&text, &lengths).concat();
            prop_assert!(whole.starts_with(&out), "{:?} of {:?}", out, whole);
        }
    }
}
