//! Makes text fit to be read by a model, an event or a listener.

use crate::redaction::Redactor;
use crate::redaction::visible;

/// Bytes looked at from each end of a long text. What lies between is left out unread, so that the cost of a text does not
/// grow with its length.
const WINDOW_BYTES: usize = 32 << 10;

/// Takes credentials and hidden characters out of text, and cuts it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intake<'a>(pub(super) &'a Redactor);

impl Intake<'_> {
    /// Without credentials, control characters (but `\n` and `\t`) and invisible or bidirectional Unicode. The latter go
    /// first: they could split a credential that would be whole again without them.
    pub(super) fn whole(self, text: &str) -> String {
        self.0.clean(&visible(text))
    }

    /// The same, at most `max_bytes` long: head and tail, and how much was left out between them.
    pub(super) fn cut(self, text: &str, max_bytes: usize) -> String {
        if text.len() <= 2 * WINDOW_BYTES {
            let clean = self.whole(text);
            return if clean.len() <= max_bytes {
                clean
            } else {
                join(&clean, &clean, clean.len(), max_bytes)
            };
        }
        let head = text.get(..text.floor_char_boundary(WINDOW_BYTES)).unwrap_or_default();
        let tail = text.get(text.ceil_char_boundary(text.len() - WINDOW_BYTES)..).unwrap_or_default();
        join(&self.whole(ends_whole(head)), &self.whole(begins_whole(tail)), text.len(), max_bytes)
    }
}

/// Bytes that may belong to a credential.
const fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+' | '/' | '=')
}

/// Without a last word that was cut in two.
fn ends_whole(head: &str) -> &str {
    head.trim_end_matches(is_token)
}

/// Without a first word that was cut in two, and without the rest of a key block whose beginning is not in the text.
fn begins_whole(tail: &str) -> &str {
    let tail = tail.trim_start_matches(is_token);
    let Some(end) = tail.find("-----END ") else { return tail };
    if tail.get(..end).is_some_and(|before| before.contains("-----BEGIN ")) {
        return tail;
    }
    tail.get(end..).and_then(|rest| rest.split_once('\n')).map_or("", |(_, rest)| rest)
}

/// Bytes that the sentence about what was left out may take.
const MARK_BYTES: usize = 64;

/// The beginning of `head` and the end of `tail` in `max_bytes`, of `total` bytes.
fn join(head: &str, tail: &str, total: usize, max_bytes: usize) -> String {
    let half = max_bytes.saturating_sub(MARK_BYTES) / 2;
    let head = head.get(..head.floor_char_boundary(half)).unwrap_or_default();
    let tail = tail.get(tail.ceil_char_boundary(tail.len().saturating_sub(half))..).unwrap_or_default();
    let elided = total.saturating_sub(head.len() + tail.len());
    format!("{head}\n[… {elided} bytes left out …]\n{tail}")
}
