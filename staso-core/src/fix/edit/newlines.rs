//! Line ends: folded to `\n` for comparing, and put back as the file has them.

use std::borrow::Cow;
use std::ops::Range;

/// A text with every `\r\n` as `\n`, and the way back to the text as it is.
#[derive(Debug)]
pub(super) struct Folded<'a> {
    raw: &'a str,
    text: Cow<'a, str>,
    /// Where, in the folded text, a `\r` was left out before the `\n` that stands there.
    dropped: Vec<usize>,
}

impl<'a> Folded<'a> {
    pub(super) fn new(raw: &'a str) -> Self {
        let dropped =
            raw.match_indices("\r\n").enumerate().map(|(before, (at, _))| at - before).collect::<Vec<_>>();
        Self { raw, text: fold(raw), dropped }
    }

    /// The text as it is.
    pub(super) const fn raw(&self) -> &'a str {
        self.raw
    }

    /// The folded text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The same stretch of the text as it is.
    pub(super) fn raw_range(&self, range: &Range<usize>) -> Range<usize> {
        let raw = |at: usize| at + self.dropped.partition_point(|dropped| *dropped < at);
        raw(range.start)..raw(range.end)
    }

    /// The folded `new` with the line ends of the stretch that it replaces; more lines get the file's usual line end.
    pub(super) fn restore(&self, range: &Range<usize>, new: &str) -> String {
        let mut ends = line_ends(self.raw.get(self.raw_range(range)).unwrap_or_default()).into_iter();
        let usual = if self.dropped.len() * 2 > self.text.matches('\n').count() { "\r\n" } else { "\n" };
        let mut out = String::with_capacity(new.len());
        for line in new.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => {
                    out.push_str(line);
                    out.push_str(ends.next().unwrap_or(usual));
                }
                None => out.push_str(line),
            }
        }
        out
    }
}

/// The text with every `\r\n` as `\n`.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}

fn line_ends(text: &str) -> Vec<&'static str> {
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| if line.ends_with("\r\n") { "\r\n" } else { "\n" })
        .collect()
}
