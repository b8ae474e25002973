//! Makes text fit to be read by a model, an event or a listener.

use crate::redaction::Redactor;
use crate::redaction::visible;

/// Bytes looked at from each end of a long text. What lies between is left out unread, so that the cost of a text does not
/// grow with its length.
const WINDOW_BYTES: usize = 32 << 10;

/// Takes credentials and hidden characters out of text, and cuts it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intake<'a>(pub(crate) &'a Redactor);

impl Intake<'_> {
    /// Without credentials, control characters (but `\n` and `\t`) and invisible or bidirectional Unicode. The latter go
    /// first: they could split a credential that would be whole again without them.
    pub(crate) fn whole(self, text: &str) -> String {
        self.0.clean(&visible(text))
    }

    /// The same, at most `max_bytes` long: head and tail, and how much was left out between them.
    pub(crate) fn cut(self, text: &str, max_bytes: usize) -> String {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str, max_bytes: usize) -> String {
        Intake(&Redactor::default()).cut(text, max_bytes)
    }

    #[test]
    fn head_and_tail_are_kept_and_what_is_gone_is_counted() {
        for length in [100, 60_000, 200_000] {
            let text = format!("begin {} end", "x ".repeat(length / 2));
            let short = cut(&text, 1_000);
            if length == 100 {
                assert_eq!(short, text);
                continue;
            }
            assert!(short.starts_with("begin x") && short.ends_with("  end"), "{short}");
            let (head, rest) = short.split_once("\n[… ").unwrap();
            let (count, tail) = rest.split_once(" bytes left out …]\n").unwrap();
            assert_eq!(head.len() + tail.len() + count.parse::<usize>().unwrap(), text.len());
        }
    }

    #[test]
    fn a_credential_in_two_by_hidden_characters_is_found() {
        let text = format!("a gh\u{200b}p_{}\u{1b}[0m{} b", "0123456789abcdefghij", "0123456789");
        assert_eq!(cut(&text, 100), "a [secret] b");
    }

    #[test]
    fn a_credential_behind_an_escaped_blank_is_found() {
        let text = format!("A\u{1b} AKIA{} b", "IOSFODNN7EXAMPLE");
        assert_eq!(cut(&text, 100), "A [secret] b");
    }

    #[test]
    fn the_rest_of_a_key_block_does_not_begin_the_tail() {
        let block = format!("{}\n-----END RSA PRIVATE KEY-----\nafter\n", "MIIEpAIB ".repeat(1_000));
        let text = format!("{}{block}{}", "x\n".repeat(60_000), "y ".repeat(WINDOW_BYTES / 2 - 2_000));
        let tail = begins_whole(text.get(text.len() - WINDOW_BYTES..).unwrap());
        assert!(tail.starts_with("after"), "{}", tail.get(..40).unwrap());
    }

    proptest! {
        #[test]
        fn whatever_comes_in_comes_out_short_clean_and_visible(
            parts in proptest::collection::vec("(?s).{0,40}|[ -~\n]{0,2000}", 0..12),
            repeat in 1_usize..40,
            at in 0_usize..100_000,
            max_bytes in 200_usize..20_000,
        ) {
            let secret = format!("AKIA{}", "IOSFODNN7EXAMPLE");
            let mut text = parts.concat().repeat(repeat);
            let at = text.floor_char_boundary(at % (text.len() + 1));
            text.insert_str(at, &format!(" {secret} "));
            let out = cut(&text, max_bytes);
            prop_assert!(out.len() <= max_bytes, "{} > {max_bytes}", out.len());
            prop_assert!(!out.contains(&secret[..8]));
            let hidden = |c: char| (c.is_control() && c != '\n' && c != '\t') || "\u{200b}\u{202e}\u{e0041}".contains(c);
            prop_assert!(!out.contains(hidden));
        }
    }
}
