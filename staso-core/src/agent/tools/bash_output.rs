//! What a command printed, within bounds.

use std::collections::VecDeque;

use super::clip;
use crate::redaction::visible;

/// Kept of the start and of the end, in bytes each. A sandbox keeps less by default.
const KEPT_BYTES: usize = 512 << 10;

/// The start and the end of an output, and how much is missing between them.
#[derive(Debug, Default)]
pub(super) struct BashOutput {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    omitted: u64,
    /// Whether the sandbox left something out: what follows belongs to the end.
    is_interrupted: bool,
}

impl BashOutput {
    /// Adds what was printed next.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let space = if self.is_interrupted { 0 } else { KEPT_BYTES.saturating_sub(self.head.len()) };
        let (head, rest) = bytes.split_at(bytes.len().min(space));
        self.head.extend_from_slice(head);
        let skipped = rest.len().saturating_sub(KEPT_BYTES);
        let kept = rest.get(skipped..).unwrap_or_default();
        let overflow = (self.tail.len() + kept.len()).saturating_sub(KEPT_BYTES);
        self.tail.drain(..overflow);
        self.tail.extend(kept);
        self.omitted += u64::try_from(skipped + overflow).unwrap_or(0);
    }

    /// Notes what the sandbox left out here.
    pub(super) fn omit(&mut self, bytes: u64) {
        // What stood at the end so far is followed by a gap: it belongs to the missing part.
        self.omitted += bytes + u64::try_from(self.tail.len()).unwrap_or(0);
        self.tail.clear();
        self.is_interrupted = true;
    }

    /// Everything that is kept, as it was printed, with a line where something is missing.
    pub(super) fn full(&self) -> Vec<u8> {
        let mut full = self.head.clone();
        if self.omitted > 0 {
            full.extend_from_slice(format!("\n[… {} bytes left out …]\n", self.omitted).as_bytes());
        }
        full.extend(&self.tail);
        full
    }

    /// What is shown: at most `head` characters of the start and `tail` of the end.
    pub(super) fn excerpt(&self, head: usize, tail: usize) -> Excerpt {
        let full = visible(&String::from_utf8_lossy(&self.full()));
        let full = full.trim_end_matches('\n');
        let fits = full.len() <= (head + tail) * 3 / 2 && full.chars().count() <= head + tail;
        if fits && self.omitted == 0 {
            return Excerpt { head: full.to_owned(), tail: String::new(), cut_chars: 0, cut_bytes: 0 };
        }
        let first = clip::head(full, head, head * 3 / 2);
        let rest = full.get(first.len()..).unwrap_or_default();
        let last = clip::tail(rest, tail, tail * 3 / 2);
        let cut = rest.get(..rest.len() - last.len()).unwrap_or_default();
        Excerpt {
            head: first.to_owned(),
            tail: last.to_owned(),
            cut_chars: cut.chars().count(),
            cut_bytes: self.omitted,
        }
    }
}

/// The part of an output that a model reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) head: String,
    pub(super) tail: String,
    /// Characters between head and tail that were kept but are not shown.
    pub(super) cut_chars: usize,
    /// Bytes that were not kept.
    pub(super) cut_bytes: u64,
}

impl Excerpt {
    /// Whether something is not shown.
    pub(super) const fn is_cut(&self) -> bool {
        self.cut_chars > 0 || self.cut_bytes > 0
    }

    /// As the model reads it. `saved` is the file with all that was kept.
    pub(super) fn text(&self, saved: Option<&str>) -> String {
        if !self.is_cut() {
            return self.head.clone();
        }
        let beyond = match self.cut_bytes {
            0 => String::new(),
            bytes => format!(" and {bytes} bytes more"),
        };
        let place = match saved {
            Some(path) => format!("; read {path}"),
            None => String::new(),
        };
        let Self { head, tail, cut_chars, .. } = self;
        format!("{head}\n[… {cut_chars} characters{beyond} left out{place} …]\n{tail}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_excerpt_shows_or_counts_every_character(text in "[a-zé\n]{0,200}", head in 1_usize..40, tail in 1_usize..40) {
            let mut output = BashOutput::default();
            for piece in text.as_bytes().chunks(7) {
                output.add(piece);
            }
            prop_assert_eq!(output.full(), text.as_bytes());
            let excerpt = output.excerpt(head, tail);
            let text = text.trim_end_matches('\n');
            prop_assert!(text.starts_with(&excerpt.head) && text.ends_with(&excerpt.tail));
            let shown = excerpt.head.chars().count() + excerpt.tail.chars().count();
            prop_assert!(shown <= head + tail);
            prop_assert_eq!(shown + excerpt.cut_chars, text.chars().count());
        }

        #[test]
        fn start_and_end_are_kept_and_the_middle_counted(
            pieces in proptest::collection::vec((0_usize..300_000, any::<bool>()), 0..12),
        ) {
            let (mut output, mut printed) = (BashOutput::default(), 0);
            for (length, is_gap) in pieces {
                printed += length as u64;
                if is_gap { output.omit(length as u64) } else { output.add(&vec![b'x'; length]) }
            }
            let kept = output.head.len() + output.tail.len();
            prop_assert!(kept <= 2 * KEPT_BYTES);
            prop_assert_eq!(kept as u64 + output.omitted, printed);
        }
    }
}
