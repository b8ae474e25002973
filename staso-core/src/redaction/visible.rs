//! Takes away what a reader cannot see: control and escape sequences, hidden characters.
//!
//! A model, a terminal and a person shall read the same text. What is visible may still be hostile.

/// Longest string of an escape sequence that goes as a whole. Keeps the search for its end from being quadratic.
const MAX_STRING_BYTES: usize = 1_024;

/// The characters a reader sees, line breaks (all written `\n`) and tabs: without escape sequences, control characters,
/// bidirectional controls and characters of no width. Takes linear time.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '\u{1b}' | '\u{90}' | '\u{98}' | '\u{9b}' | '\u{9d}'..='\u{9f}' => taken = escape_sequence(rest),
            '\r' if rest.starts_with("\r\n") => {}
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            _ if c.is_control() || is_hidden(c) => {}
            _ => out.push(c),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

/// The length in bytes of the ECMA-48 escape sequence that `text` begins with. Of a string that does not end in its
/// line only the beginning counts: a forged one must not swallow what follows.
fn escape_sequence(text: &str) -> usize {
    let (kind, body) = match text.strip_prefix('\u{1b}') {
        None => (text.chars().next().unwrap_or_default(), text.get(2..).unwrap_or_default()),
        Some(rest) => match rest.chars().next() {
            Some(c @ '!'..='~') => (c, rest.get(1..).unwrap_or_default()),
            // A blank stays as well: without it the words on both sides would be one, and a credential behind a letter is
            // none.
            _ => return 1,
        },
    };
    let start = text.len() - body.len();
    match kind {
        '[' | '\u{9b}' => {
            let parameters = body.bytes().take_while(|b| (0x20..0x40).contains(b)).count();
            let ends = body.as_bytes().get(parameters).is_some_and(|b| (0x40..0x7f).contains(b));
            start + parameters + usize::from(ends)
        }
        ']' | 'P' | 'X' | '^' | '_' | '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => {
            let near = body.get(..body.floor_char_boundary(MAX_STRING_BYTES)).unwrap_or_default();
            let line = near.split('\n').next().unwrap_or_default();
            let ends = ["\u{7}", "\u{1b}\\", "\u{9c}"];
            let end = ends.iter().filter_map(|end| line.find(end).map(|at| at + end.len())).min();
            start + end.unwrap_or(0)
        }
        _ => start,
    }
}

/// Characters that show nothing, or change how others are shown: the default-ignorable code points of Unicode 16 and
/// all bidirectional controls.
pub(crate) const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_visible_controls_no_terminal(text in any::<String>()) {
            let seen = visible(&text);
            prop_assert!(seen.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')));
            prop_assert!(seen.len() <= text.len());
        }
    }

    #[test]
    fn escapes_and_progress_bars_become_lines() {
        let text = "\u{1b}[1;31mred\u{1b}[0m\r\n10 %\r20 %\u{1b}]0;title\u{7}!\u{8}";
        assert_eq!(visible(text), "red\n10 %\n20 %!");
    }

    #[test]
    fn escape_sequences_go_as_a_whole_and_swallow_nothing_else() {
        for (text, seen) in [
            ("a\u{1b}[31mred\u{1b}[0m b", "ared b"),
            ("\u{9b}1;2Hx", "x"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;https://e\u{1b}\\x", "x"),
            ("\u{1b}]never ends\nnext", "never ends\nnext"),
            ("\u{1b}[31", ""),
            ("\u{1b}", ""),
            ("\u{1b}éx", "éx"),
            ("a\u{1b} b", "a b"),
            ("a\r\nb\rc\u{2028}d\te\u{8}", "a\nb\nc\nd\te"),
            ("in\u{200b}vis\u{202e}ible\u{e0041}", "invisible"),
        ] {
            assert_eq!(visible(text), seen, "{text:?}");
        }
    }
}
