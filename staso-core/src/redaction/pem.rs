//! Private keys in PEM form (RFC 7468).

use super::found::Found;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
/// Longest label that counts.
const MAX_LABEL_BYTES: usize = 64;

/// Every private key, to its end line or to the end of the text.
pub(super) fn find(text: &str, all: &mut Vec<Found>) {
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find(BEGIN)).map(|found| at + found) {
        at = start + BEGIN.len();
        let rest = text.get(at..).unwrap_or_default();
        let label = rest.get(..rest.floor_char_boundary(MAX_LABEL_BYTES)).unwrap_or_default();
        let private = label.split_once(DASHES).is_some_and(|(label, _)| is_private(label));
        if private {
            at = end(text, at);
            all.push(Found::secret(start..at));
        }
    }
}

/// Labels are words in capitals: what a mask stands in is none.
fn is_private(label: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ';
    label.bytes().all(is_word) && (label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK"))
}

fn end(text: &str, from: usize) -> usize {
    let find = |from: usize, what: &str| text.get(from..)?.find(what).map(|at| from + at + what.len());
    find(from, END).and_then(|label| find(label, DASHES)).unwrap_or(text.len())
}
