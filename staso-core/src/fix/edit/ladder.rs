//! The ladder of comparisons.

use std::ops::Range;

use super::nearest::{Window, nearest};
use super::newlines::{Folded, fold};
use super::quote::Quote;

/// Places beyond the expected ones that are looked for, to name them.
const EXTRA_PLACES: usize = 10;

/// What to put in place of what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextEdit<'a> {
    /// The quote. Must not be empty.
    pub(crate) old: &'a str,
    /// What to put there.
    pub(crate) new: &'a str,
    /// How often the quote stands in the file.
    pub(crate) expected_count: usize,
}

/// How loosely the quote was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rung {
    /// As it is, but for the line ends.
    Exact,
    /// Without blanks at the ends of lines.
    TrailingBlanks,
    /// And with all lines moved in or out by the same indentation.
    IndentShift,
    /// And with typographic quotes, dashes and blanks as plain ones.
    Punctuation,
}

/// A text after an edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EditedText {
    /// The whole text.
    pub(crate) text: String,
    /// How loosely the quote was compared.
    pub(crate) rung: Rung,
    /// The lines that hold what was put there, counted from 1 in the text after the edit; the last is left out.
    pub(crate) lines: Vec<Range<usize>>,
}

/// The edit was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EditProblem {
    /// The quote is empty.
    NothingQuoted,
    /// The quote stands nowhere.
    NoMatch {
        /// The places that are most like it, best first.
        nearest: Vec<Window>,
    },
    /// The quote stands there more or less often than expected.
    WrongCount {
        /// Lines where it begins, from 1. Not all of them when there are many.
        lines: Vec<usize>,
        /// How loosely it was compared.
        rung: Rung,
    },
    /// The text would stay as it is.
    NoChange,
}

/// A stretch of the folded text and what to put there.
#[derive(Debug)]
pub(super) struct Place {
    /// The bytes.
    pub(super) range: Range<usize>,
    /// What to put there.
    pub(super) text: String,
}

impl TextEdit<'_> {
    /// Makes the edit. A byte order mark, the line ends and a missing line end at the end of the file stay.
    pub(crate) fn apply(&self, raw: &str) -> Result<EditedText, EditProblem> {
        let (mark, body) = split_mark(raw);
        let (old, new) = (fold(split_mark(self.old).1), fold(split_mark(self.new).1));
        if old.is_empty() {
            return Err(EditProblem::NothingQuoted);
        }
        let file = Folded::new(body);
        let limit = self.expected_count.saturating_add(EXTRA_PLACES);
        let exact = exact_places(file.text(), &old, &new, limit);
        let (rung, places) = if exact.is_empty() {
            Quote::new(&old, &new)
                .and_then(|quote| quote.climb(file.text(), limit))
                .ok_or_else(|| EditProblem::NoMatch { nearest: nearest(file.text(), &old) })?
        } else {
            (Rung::Exact, exact)
        };
        let overlap = places.windows(2).any(|pair| {
            let [first, second] = pair else { return false };
            second.range.start < first.range.end
        });
        if overlap || places.len() != self.expected_count {
            let lines = places.iter().map(|place| line_of(file.text(), place.range.start)).collect();
            return Err(EditProblem::WrongCount { lines, rung });
        }
        let edited = put(&file, &places, mark, rung);
        if edited.text == raw { Err(EditProblem::NoChange) } else { Ok(edited) }
    }
}

/// The byte order mark, when there is one, and the rest.
fn split_mark(text: &str) -> (&str, &str) {
    text.split_at(if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 })
}

/// The line that holds a byte, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

fn put(file: &Folded<'_>, places: &[Place], mark: &str, rung: Rung) -> EditedText {
    let mut text = mark.to_owned();
    let mut lines = Vec::new();
    let mut copied = 0;
    let body = file.raw();
    for place in places {
        let range = file.raw_range(&place.range);
        text.push_str(body.get(copied..range.start).unwrap_or_default());
        let first = line_of(&text, text.len());
        text.push_str(&file.restore(&place.range, &place.text));
        lines.push(first..line_of(&text, text.len()) + usize::from(!text.ends_with('\n')));
        copied = range.end;
    }
    text.push_str(body.get(copied..).unwrap_or_default());
    EditedText { text, rung, lines }
}

/// Where the quote stands as it is, overlapping places included, at most `limit`.
fn exact_places(text: &str, old: &str, new: &str, limit: usize) -> Vec<Place> {
    let mut places = Vec::new();
    let mut from = 0;
    while places.len() < limit
        && let Some(found) = text.get(from..).and_then(|rest| rest.find(old))
    {
        let start = from + found;
        places.push(Place { range: start..start + old.len(), text: new.to_owned() });
        from = start + old.chars().next().map_or(1, char::len_utf8);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edit(raw: &str, old: &str, new: &str) -> Result<EditedText, EditProblem> {
        TextEdit { old, new, expected_count: 1 }.apply(raw)
    }

    fn done(raw: &str, old: &str, new: &str) -> (String, Rung) {
        let edited = edit(raw, old, new).unwrap();
        (edited.text, edited.rung)
    }

    #[test]
    fn exact_quotes_are_parts_of_lines_or_many() {
        assert_eq!(done("a = 1\nb = 2\n", "1\nb", "3\nc"), ("a = 3\nc = 2\n".to_owned(), Rung::Exact));
        assert_eq!(edit("a = 1\n\nb\n", "b", "c\nd").unwrap().lines.first(), Some(&(3..5)));
    }

    #[test]
    fn the_count_must_be_the_expected_one() {
        let lines = |problem| match problem {
            Err(EditProblem::WrongCount { lines, .. }) => lines,
            other => panic!("{other:?}"),
        };
        assert_eq!(lines(edit("x\ny\nx\n", "x", "z")), [1, 3]);
        let both = TextEdit { old: "x", new: "z", expected_count: 2 };
        assert_eq!(both.apply("x\ny\nx\n").unwrap().text, "z\ny\nz\n");
        assert_eq!(lines(both.apply("x\n")), [1]);
        assert_eq!(lines(edit("aaa", "aa", "b")), [1, 1], "places that overlap are two");
        assert_eq!(lines(edit("a \nb\na\n", "a\t\n", "b\n")), [1, 3]);
    }

    #[test]
    fn blanks_at_line_ends_do_not_matter_and_stay_where_nothing_changes() {
        let (text, rung) =
            done("if x:  \n    y()\t\n    z()\n", "if x:\n    y()\n    z()\n", "if x:\n    y()\n    w()\n");
        assert_eq!((text.as_str(), rung), ("if x:  \n    y()\t\n    w()\n", Rung::TrailingBlanks));
    }

    #[test]
    fn a_quote_that_is_moved_in_or_out_moves_what_is_put_there() {
        let file = "class A:\n    def f(self):\n        return 1\n";
        let (text, rung) =
            done(file, "def f(self):\n    return 1\n", "def f(self):\n    x = 2\n\n    return x\n");
        assert_eq!(text, "class A:\n    def f(self):\n        x = 2\n\n        return x\n");
        assert_eq!(rung, Rung::IndentShift);
        let (text, _) =
            done("\tif a:\n\t\tb()\n", "        if a:\n        \tb()", "        if a:\n        \tc()");
        assert_eq!(text, "\tif a:\n\t\tc()\n");
        assert!(
            matches!(edit("if a:\n    b\n", "  if a:\n      b\n", "c\n"), Err(EditProblem::NoMatch { .. })),
            "a line would have to leave the left edge"
        );
    }

    #[test]
    fn typographic_signs_are_compared_as_plain_ones() {
        let (text, rung) =
            done("a\nsay(\u{201c}it\u{2019}s\u{201d})\nb\n", "a\nsay(\"it's\")\n", "a\nsay('x')\n");
        assert_eq!((text.as_str(), rung), ("a\nsay('x')\nb\n", Rung::Punctuation));
    }

    #[test]
    fn line_ends_marks_and_the_missing_last_line_end_stay() {
        assert_eq!(done("\u{feff}a\r\nb\r\nc", "b\nc", "x\ny\nz").0, "\u{feff}a\r\nx\r\ny\r\nz");
        assert_eq!(done("a\r\nb\n", "a\n", "c\r\nd\n").0, "c\r\nd\nb\n");
        assert_eq!(done("a\nb", "b\n", "c\n").0, "a\nc");
        assert_eq!(done("a\nb", "b\n", "b\nc\n").0, "a\nb\nc");
        assert_eq!(done("a\nb", "a\nb\n", "a\n").0, "a\n");
    }

    #[test]
    fn what_stands_nowhere_is_answered_with_what_is_like_it() {
        let file = "def load(order):\n    return order['state']\n\ndef store(order):\n    pass\n";
        let Err(EditProblem::NoMatch { nearest }) = edit(file, "return order['stat']", "x") else { panic!() };
        let found: Vec<_> = nearest.iter().map(|window| window.first_line).collect();
        assert_eq!(found, [2, 1, 4]);
        assert_eq!(
            nearest.first().map(|window| window.lines.clone()),
            Some(vec!["    return order['state']".to_owned()])
        );
    }

    #[test]
    fn edits_that_say_nothing_are_refused() {
        assert_eq!(edit("a", "", "b"), Err(EditProblem::NothingQuoted));
        assert_eq!(edit("a", "a", "a"), Err(EditProblem::NoChange));
        assert!(
            matches!(edit("a\n\n", "\t\n", "b"), Err(EditProblem::NoMatch { .. })),
            "blank lines are no quote"
        );
    }

    #[test]
    fn hostile_repetition_ends_soon() {
        let file = "a\n".repeat(20_000);
        assert!(matches!(edit(&file, &"a\n".repeat(300), "b"), Err(EditProblem::WrongCount { .. })));
        let quote = format!("{}b", "a\n".repeat(300));
        assert!(matches!(edit(&file, &quote, "b"), Err(EditProblem::NoMatch { .. })));
    }

    /// Lines of a form; without blanks at their ends.
    fn lines(form: &'static str) -> impl Strategy<Value = Vec<String>> {
        prop::collection::vec(form, 1..6)
    }

    fn text(lines: &[String], end: &str) -> String {
        lines.iter().map(|line| format!("{line}{end}")).collect()
    }

    proptest! {
        #[test]
        fn exact_wins_over_everything_looser(raw in "[ab \n]{0,40}", old in "[ab \n]{1,6}", new in "[abc \n]{0,6}") {
            let mut starts = (0..raw.len()).filter(|at| raw[*at..].starts_with(&old));
            let (first, second) = (starts.next(), starts.next());
            match (edit(&raw, &old, &new), first, second) {
                (Ok(edited), Some(at), None) => {
                    prop_assert_eq!(edited.rung, Rung::Exact);
                    prop_assert_eq!(edited.text, format!("{}{new}{}", &raw[..at], &raw[at + old.len()..]));
                }
                (Err(EditProblem::NoChange), Some(_), None) => prop_assert_eq!(old, new),
                (Err(EditProblem::WrongCount { rung, .. }), Some(_), Some(_)) => prop_assert_eq!(rung, Rung::Exact),
                (Ok(edited), None, None) => prop_assert_ne!(edited.rung, Rung::Exact),
                (Err(_), None, None) => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn nothing_outside_of_the_match_is_touched(
            before in lines("[ ]{0,4}[abc]{1,3}['\"-]?[abc]"), target in lines("[ ]{0,4}[xyz]{1,3}['\"-]?[xyz]"), after in lines("[ ]{0,4}[abc]{1,3}['\"-]?[abc]"), new in lines("[ ]{0,4}[uvw]{1,3}['\"-]?[uvw]"),
            crlf: bool, trailing in "[ \t]{0,2}", shift in 0_usize..4, curly: bool,
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let written = |line: &String| if curly { line.replace('\'', "\u{2019}") } else { line.clone() };
            let there: Vec<String> = target.iter().map(|line| format!("{}{trailing}", written(line))).collect();
            let (head, tail) = (text(&before, end), text(&after, end));
            let raw = format!("{head}{}{tail}", text(&there, end));
            let moved = |lines: &[String]| -> Vec<String> {
                lines.iter().map(|line| format!("{}{line}", " ".repeat(shift))).collect()
            };
            let edited = edit(&raw, &text(&moved(&target), "\n"), &text(&moved(&new), "\n"));
            let edited = edited.map_err(|problem| TestCaseError::fail(format!("{problem:?}")))?;
            prop_assert_eq!(edited.text, format!("{head}{}{tail}", text(&new, end)));
        }

        #[test]
        fn the_expected_count_holds(raw in "[ab \r\n\u{2019}']{0,60}", old in "[ab \n']{1,6}", count in 1_usize..4) {
            let edit = TextEdit { old: &old, new: "\u{1}", expected_count: count };
            if let Ok(edited) = edit.apply(&raw) {
                prop_assert_eq!(edited.text.matches('\u{1}').count(), count);
                prop_assert_eq!(edited.lines.len(), count);
            }
        }
    }
}
