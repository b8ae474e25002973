//! A text with some of its characters left out, which still knows where each stood.

use std::borrow::Cow;
use std::ops::Range;

/// What is left of a text, and where it stood.
#[derive(Debug)]
pub(super) struct View<'a> {
    text: Cow<'a, str>,
    /// Where something is missing: position in what is left, and bytes left out up to there. Ascending.
    gaps: Vec<(usize, usize)>,
}

impl<'a> View<'a> {
    /// Leaves out what `drops` names.
    pub(super) fn without(whole: &'a str, drops: impl Fn(char) -> bool) -> Self {
        let Some(first) = whole.find(&drops) else {
            return Self { text: Cow::Borrowed(whole), gaps: Vec::new() };
        };
        let mut text = String::with_capacity(whole.len());
        text.push_str(whole.get(..first).unwrap_or_default());
        let mut gaps: Vec<(usize, usize)> = Vec::new();
        let mut missing = 0;
        for c in whole.get(first..).unwrap_or_default().chars() {
            if !drops(c) {
                text.push(c);
                continue;
            }
            missing += c.len_utf8();
            match gaps.last_mut() {
                Some(last) if last.0 == text.len() => last.1 = missing,
                _ => gaps.push((text.len(), missing)),
            }
        }
        Self { text: Cow::Owned(text), gaps }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where a range that is not empty stood in the whole text.
    pub(super) fn original(&self, range: &Range<usize>) -> Range<usize> {
        let place = |at: usize| {
            let before = self.gaps.partition_point(|(position, _)| *position <= at);
            at + before.checked_sub(1).and_then(|last| self.gaps.get(last)).map_or(0, |(_, missing)| *missing)
        };
        place(range.start)..place(range.end.saturating_sub(1)) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_whole_text() {
        let whole = "  ab é\n\ncd ";
        let view = View::without(whole, char::is_whitespace);
        assert_eq!(view.text(), "abécd");
        let shown = |range: Range<usize>| whole.get(view.original(&range)).unwrap();
        assert_eq!((shown(0..2), shown(1..4), shown(2..6)), ("ab", "b é", "é\n\ncd"));
        assert_eq!(shown(0..6), "ab é\n\ncd");
        assert_eq!(View::without("ab", char::is_whitespace).original(&(1..2)), 1..2);
    }
}
