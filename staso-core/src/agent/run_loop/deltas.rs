//! Turns the pieces of a reply into events that no part of a credential can slip through.

use std::sync::{Mutex, PoisonError};

use super::intake::Intake;
use crate::agent::DeltaSink;
use crate::run::{EventKind, RunContext};

/// Smallest piece that is worth an event, in bytes, unless the reply ends.
const BATCH_BYTES: usize = 80;
/// Text of one reply that is streamed, and longest text held back, in bytes. The rest comes with the whole reply.
const MAX_BYTES: usize = 64 << 10;
/// Text before a piece that the redactor sees with it, in bytes.
const CONTEXT_BYTES: usize = 1 << 10;
const KEY_BEGIN: &str = "-----BEGIN ";
const KEY_END: &str = "-----END ";

/// Collects the text of one reply and emits it in whole words, redacted.
///
/// An unfinished word is held back, and so is everything behind the beginning of a key block until the block ends. Each
/// piece is redacted together with text before it; when that would change what is already out, nothing more is
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
        let seen = self.text.len();
        self.text.push_str(piece);
        // Only a new blank can finish a word.
        if !piece.contains(char::is_whitespace) || self.text.len() - self.out < BATCH_BYTES {
            return None;
        }
        let until = self.settled(seen);
        if until.saturating_sub(self.out) < BATCH_BYTES { None } else { self.release(until, intake) }
    }

    /// Where the text ends that later pieces cannot change: behind the last blank, before an open key block.
    fn settled(&self, seen: usize) -> usize {
        let last_blank = self.text.get(seen..).and_then(|new| new.rfind(char::is_whitespace));
        let until = last_blank.map_or(self.out, |at| seen + at + 1);
        let until = self.text.ceil_char_boundary(until);
        let waiting = self.text.get(self.out..).unwrap_or_default();
        match open_key(waiting) {
            Some(open) => until.min(self.out + open),
            None => until,
        }
    }

    fn release(&mut self, until: usize, intake: Intake<'_>) -> Option<String> {
        if self.silent || until <= self.out {
            return None;
        }
        let before = intake.whole(self.text.get(..self.out).unwrap_or_default());
        let after = intake.whole(self.text.get(..until).unwrap_or_default());
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
        let Some(old) = self.out.checked_sub(4 * CONTEXT_BYTES) else { return };
        let from = self.text.ceil_char_boundary(old + 3 * CONTEXT_BYTES);
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
            let dashes = rest.get(end..)?.find("-----")?;
            Some(body + end + dashes + 5)
        });
        match closed {
            None => return Some(begin),
            Some(end) => from = end,
        }
    }
}
