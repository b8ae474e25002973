//! A quote of whole lines, compared ever more loosely.

use std::borrow::Cow;

use super::ladder::{Place, Rung};

/// Longer quotes must stand in the file as they are, in lines.
const MAX_LOOSE_LINES: usize = 400;

/// A quote of whole lines.
#[derive(Debug)]
pub(super) struct Quote<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
    /// Lines at the front and at the end that are the same in both; the file keeps its own.
    same: (usize, usize),
}

impl<'a> Quote<'a> {
    /// `None` when the quote is too long or says nothing.
    pub(super) fn new(old: &'a str, new: &'a str) -> Option<Self> {
        let (old, new): (Vec<_>, Vec<_>) =
            (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
        if old.len() > MAX_LOOSE_LINES || old.iter().all(|line| line.trim().is_empty()) {
            return None;
        }
        let equal = |(old, new): &(&&str, &&str)| old == new;
        let front = old.iter().zip(&new).take_while(equal).count();
        let left = old.len().min(new.len()) - front;
        let back = old.iter().rev().zip(new.iter().rev()).take(left).take_while(equal).count();
        Some(Self { old, new, same: (front, back) })
    }

    /// The first rung on which the quote stands in the text.
    pub(super) fn climb(&self, text: &str, limit: usize) -> Option<(Rung, Vec<Place>)> {
        let lines: Vec<Line<'_>> = lines_of(text);
        [Rung::TrailingBlanks, Rung::IndentShift, Rung::Punctuation].into_iter().find_map(|rung| {
            let places = self.places(text, &lines, rung, limit);
            (!places.is_empty()).then_some((rung, places))
        })
    }

    fn places(&self, text: &str, lines: &[Line<'_>], rung: Rung, limit: usize) -> Vec<Place> {
        let old: Vec<Key<'_>> = self.old.iter().map(|line| Key::new(line, rung)).collect();
        let keys: Vec<Key<'_>> = lines.iter().map(|line| Key::new(line.text, rung)).collect();
        let windows = keys.windows(old.len()).zip(lines.windows(old.len()));
        windows
            .filter_map(|(window, lines)| {
                let shift = Shift::between(&old, window, rung)?;
                self.place(text, lines, &shift)
            })
            .take(limit)
            .collect()
    }

    /// What to put in place of the lines of the file. Lines that the quote does not change are left alone.
    fn place(&self, text: &str, lines: &[Line<'_>], shift: &Shift<'_>) -> Option<Place> {
        let (front, back) = self.same;
        let (count, last) = (lines.len(), lines.last()?);
        let closed = self.old.last().is_some_and(|line| line.ends_with('\n'));
        let end = if closed { last.end } else { last.start + last.text.trim_end_matches('\n').len() };
        let start = lines.get(front).map_or(end, |line| line.start);
        let stop = if back == 0 { end } else { lines.get(count - back)?.start };
        let mut new = String::new();
        for line in self.new.get(front..self.new.len() - back)? {
            new.push_str(&shift.apply(line)?);
        }
        if closed && stop == text.len() && !text.ends_with('\n') {
            if new.ends_with('\n') {
                new.pop();
            }
            if start == stop && !new.is_empty() {
                new.insert(0, '\n');
            }
        }
        Some(Place { range: start..stop, text: new })
    }
}

/// A line of the folded text with its line end.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    start: usize,
    end: usize,
}

fn lines_of(text: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    let line = |text: &'_ str| {
        let begin = start;
        start += text.len();
        (begin, start)
    };
    let bounds: Vec<_> = text.split_inclusive('\n').map(line).collect();
    bounds
        .into_iter()
        .filter_map(|(start, end)| Some(Line { text: text.get(start..end)?, start, end }))
        .collect()
}

/// What is compared of a line.
#[derive(Debug, PartialEq, Eq)]
struct Key<'a> {
    indent: &'a str,
    rest: Cow<'a, str>,
}

impl<'a> Key<'a> {
    fn new(line: &'a str, rung: Rung) -> Self {
        let line = line.trim_end();
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        let rest = if rung == Rung::Punctuation { plain(rest) } else { Cow::Borrowed(rest) };
        Self { indent, rest }
    }
}

/// The indentation that all lines of the quote have, and the one that they have in the file.
#[derive(Debug)]
struct Shift<'a> {
    quoted: &'a str,
    found: &'a str,
}

impl<'a> Shift<'a> {
    /// `None` when the lines differ by more than the rung allows.
    fn between(old: &[Key<'a>], window: &[Key<'a>], rung: Rung) -> Option<Self> {
        if old.iter().zip(window).any(|(old, found)| old.rest != found.rest) {
            return None;
        }
        let shift = Self { quoted: common_indent(old), found: common_indent(window) };
        let rest = |key: &Key<'a>, common: &str| key.indent.get(common.len()..);
        let fits = old.iter().zip(window).filter(|(old, _)| !old.rest.is_empty()).all(|(old, found)| {
            rest(old, shift.quoted) == rest(found, shift.found)
                && (rung != Rung::TrailingBlanks || old.indent == found.indent)
        });
        fits.then_some(shift)
    }

    /// Moves a line of the new text as the quote was moved; `None` when it would have to leave the left edge.
    fn apply<'l>(&self, line: &'l str) -> Option<Cow<'l, str>> {
        if self.quoted == self.found || line.trim().is_empty() {
            return Some(Cow::Borrowed(line));
        }
        if let Some(rest) = line.strip_prefix(self.quoted) {
            return Some(Cow::Owned(format!("{}{rest}", self.found)));
        }
        let rest = line.trim_start();
        let indent = line.len() - rest.len();
        let kept = (self.found.len() + indent).checked_sub(self.quoted.len())?;
        Some(Cow::Owned(format!("{}{rest}", self.found.get(..kept)?)))
    }
}

/// The longest indentation that all lines with text begin with.
fn common_indent<'a>(keys: &[Key<'a>]) -> &'a str {
    let mut indents = keys.iter().filter(|key| !key.rest.is_empty()).map(|key| key.indent);
    let Some(first) = indents.next() else { return "" };
    indents.fold(first, |common, indent| {
        let same = common.bytes().zip(indent.bytes()).take_while(|(a, b)| a == b).count();
        (0..=same).rev().find_map(|end| common.get(..end)).unwrap_or_default()
    })
}

/// Typographic quotes, dashes and blanks as plain ones.
fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{2018}'..='\u{201b}' | '\u{2032}' => out.push('\''),
            '\u{201c}'..='\u{201f}' | '\u{2033}' => out.push('"'),
            '\u{2010}'..='\u{2015}' | '\u{2212}' => out.push('-'),
            '\u{00a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => out.push(' '),
            '\u{2026}' => out.push_str("..."),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}
