//! The host's own credentials, in every form in which they could leave.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;

use aho_corasick::AhoCorasick;

use super::found::Found;
use super::is_hidden;
use super::view::View;

/// Shortest form that is looked for, in bytes.
const MIN_BYTES: usize = 8;
/// Shortest form that is looked for across whatever signs stand between its letters and digits.
const MIN_LETTERS: usize = 12;
/// How many characters a thief cuts off so that the prefix does not tell.
const CUT_CHARS: usize = 7;

/// What finds them.
#[derive(Debug)]
pub(super) struct Known {
    /// All forms, in text without blanks and hidden characters. `None` when it could not be built.
    whole: Option<AhoCorasick>,
    /// The letters and digits of all forms, in the letters and digits of a text.
    letters: Option<AhoCorasick>,
}

impl Known {
    pub(super) fn new<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let (mut whole, mut letters) = (BTreeSet::new(), BTreeSet::new());
        for value in values {
            for form in forms(value) {
                letters.insert(form.chars().filter(|c| is_letter(*c)).collect::<String>());
                whole.insert(form.chars().filter(|c| !is_blank(*c)).collect::<String>());
            }
            letters.extend(cuts(value).iter().map(|form| hexadecimal(form, "")));
        }
        whole.retain(|form| form.len() >= MIN_BYTES);
        letters.retain(|form| form.len() >= MIN_LETTERS);
        // In capitals it is the same secret to whoever knows how it was changed.
        let mut any_case = AhoCorasick::builder();
        any_case.ascii_case_insensitive(true);
        Self { whole: any_case.build(whole).ok(), letters: any_case.build(letters).ok() }
    }

    /// Every place of one of them.
    pub(super) fn find(&self, text: &str, all: &mut Vec<Found>) {
        let (Some(whole), Some(letters)) = (&self.whole, &self.letters) else {
            // Nothing may leave that was not searched.
            return all.push(Found::secret(0..text.len()));
        };
        search(whole, &View::without(text, is_blank), all);
        search(letters, &View::without(text, |c| !is_letter(c)), all);
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || is_hidden(c)
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() && !is_hidden(c)
}

/// Adds every match, joined with those it overlaps, so that a text made of matches costs no more than its length.
fn search(forms: &AhoCorasick, view: &View<'_>, all: &mut Vec<Found>) {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for found in forms.find_overlapping_iter(view.text()) {
        let mut range = found.range();
        while let Some(last) = ranges.pop_if(|last| last.end > range.start) {
            range = last.start.min(range.start)..last.end.max(range.end);
        }
        ranges.push(range);
    }
    all.extend(ranges.iter().map(|range| Found::secret(view.original(range))));
}

/// The credential, without its beginning, and both backwards.
fn cuts(value: &str) -> Vec<String> {
    let backwards = |text: &str| text.chars().rev().collect::<String>();
    let cut: String = value.chars().skip(CUT_CHARS).collect();
    let mut all = vec![value.to_owned(), backwards(value)];
    if cut.len() >= MIN_BYTES {
        all.extend([backwards(&cut), cut]);
    }
    all
}

fn forms(value: &str) -> Vec<String> {
    let mut all = Vec::new();
    for text in cuts(value) {
        for kept in ["-._~", ""] {
            all.extend([percent(&text, kept, true), percent(&text, kept, false)]);
        }
        all.extend((0..3).map(|offset| base64(text.as_bytes(), offset, b"+/")));
        all.extend((0..3).map(|offset| base64(text.as_bytes(), offset, b"-_")));
        all.push(serde_json::to_string(&text).unwrap_or_default().trim_matches('"').to_owned());
        all.push(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"));
        all.push(hexadecimal(&text, "%"));
        all.push(hexadecimal(&text, "\\x"));
        all.push(text);
    }
    all
}

fn hexadecimal(text: &str, before: &str) -> String {
    let mut out = String::with_capacity(text.len() * (2 + before.len()));
    for byte in text.bytes() {
        // Writing to a String cannot fail.
        let _ = write!(out, "{before}{byte:02x}");
    }
    out
}

/// The percent-encoding of RFC 3986: everything but letters, digits and the signs that are kept.
fn percent(text: &str, kept: &str, upper: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let _ = match byte {
            _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => {
                write!(out, "{}", char::from(byte))
            }
            _ if upper => write!(out, "%{byte:02X}"),
            _ => write!(out, "%{byte:02x}"),
        };
    }
    out
}

/// The characters of a base64 text (RFC 4648) that the bytes settle when they begin at `offset` modulo 3 of what is
/// encoded, whatever stands around them.
fn base64(bytes: &[u8], offset: usize, signs: &[u8; 2]) -> String {
    let [plus, slash] = *signs;
    let sextet = |value: u32| -> char {
        let value = u8::try_from(value & 63).unwrap_or_default();
        char::from(match value {
            0..=25 => b'A' + value,
            26..=51 => b'a' + (value - 26),
            52..=61 => b'0' + (value - 52),
            62 => plus,
            _ => slash,
        })
    };
    let padded: Vec<u8> = std::iter::repeat_n(0, offset).chain(bytes.iter().copied()).collect();
    let mut text = String::new();
    for group in padded.chunks(3) {
        let bits =
            group.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - group.len()));
        // Of a group that is not full, the last character also holds bits of what follows.
        let settled = if group.len() == 3 { 4 } else { group.len() };
        text.extend([18, 12, 6, 0].into_iter().take(settled).map(|shift| sextet(bits >> shift)));
    }
    let foreign = if offset == 0 { 0 } else { offset + 1 };
    text.get(foreign..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_published_vectors_wherever_it_begins() {
        // RFC 4648, section 10: "foobar" is Zm9vYmFy.
        assert_eq!(base64(b"foobar", 0, b"+/"), "Zm9vYmFy");
        assert_eq!(base64(b"fooba", 0, b"+/"), "Zm9vYm");
        // "xfoobar" is eGZvb2Jhcg==, "xxfoobar" is eHhmb29iYXI=.
        assert_eq!(base64(b"foobar", 1, b"+/"), "Zvb2Jhc");
        assert_eq!(base64(b"foobar", 2, b"+/"), "mb29iYX");
        assert_eq!(base64(&[0xfb, 0xff, 0xfe], 0, b"-_"), "-__-");
    }
}
