//! Places of a text that are most like a quote which stands nowhere in it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

/// Places that are named at most.
const MAX_WINDOWS: usize = 3;
/// Lines of a quote that are compared, from its first.
const MAX_QUOTE_LINES: usize = 12;
/// Lines of a file that are looked at, from its first.
const MAX_LINES: usize = 50_000;
/// Words of a line that are compared.
const MAX_WORDS: usize = 24;
/// Lines of a place that are shown.
const MAX_SHOWN_LINES: usize = 8;
/// Longest line shown, in characters.
const MAX_SHOWN_CHARS: usize = 160;

/// A place of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    /// Its first line, from 1.
    pub(crate) first_line: usize,
    /// Its first lines, cut when they are long.
    pub(crate) lines: Vec<String>,
}

/// The places most like the quote, best first; none when not a word is shared.
pub(super) fn nearest(text: &str, quote: &str) -> Vec<Window> {
    let quoted: Vec<Vec<u64>> = quote.lines().take(MAX_QUOTE_LINES).map(words).collect();
    let lines: Vec<&str> = text.lines().take(MAX_LINES).collect();
    let known: Vec<Vec<u64>> = lines.iter().map(|line| words(line)).collect();
    let mut scored: Vec<(u64, usize)> = (0..lines.len())
        .map(|start| {
            let window = known.iter().skip(start).zip(&quoted);
            (window.map(|(found, wanted)| likeness(found, wanted)).sum(), start)
        })
        .filter(|(score, _)| *score > 0)
        .collect();
    scored.sort_by_key(|(score, start)| (std::cmp::Reverse(*score), *start));
    let mut chosen: Vec<usize> = Vec::new();
    for (_, start) in scored {
        if chosen.len() == MAX_WINDOWS {
            break;
        }
        if chosen.iter().all(|other| other.abs_diff(start) >= quoted.len()) {
            chosen.push(start);
        }
    }
    let shown = quoted.len().min(MAX_SHOWN_LINES);
    chosen
        .into_iter()
        .map(|start| Window {
            first_line: start + 1,
            lines: lines.iter().skip(start).take(shown).map(|line| cut(line)).collect(),
        })
        .collect()
}

/// The words of a line as numbers, sorted, each once.
fn words(line: &str) -> Vec<u64> {
    let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty());
    let mut found: Vec<u64> = words
        .take(MAX_WORDS)
        .map(|word| {
            let mut hasher = DefaultHasher::new();
            word.hash(&mut hasher);
            hasher.finish()
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// How much two lines share, from 0 to 1,000.
fn likeness(found: &[u64], wanted: &[u64]) -> u64 {
    let shared = found.iter().filter(|word| wanted.binary_search(word).is_ok()).count();
    let all = found.len() + wanted.len();
    u64::try_from((2_000 * shared).checked_div(all).unwrap_or(0)).unwrap_or(0)
}

fn cut(line: &str) -> String {
    if line.chars().count() <= MAX_SHOWN_CHARS {
        return line.to_owned();
    }
    format!("{}…", line.chars().take(MAX_SHOWN_CHARS).collect::<String>())
}
