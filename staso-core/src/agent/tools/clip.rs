//! Cutting text so that what is left out can be counted.

/// The start of a text: at most `chars` characters and `bytes` bytes.
pub(super) fn head(text: &str, chars: usize, bytes: usize) -> &str {
    let mut end = text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at);
    if end > bytes {
        end = text.floor_char_boundary(bytes);
    }
    text.get(..end).unwrap_or_default()
}

/// The end of a text, bounded likewise.
pub(super) fn tail(text: &str, chars: usize, bytes: usize) -> &str {
    let least = text.len().saturating_sub(bytes);
    let start = match chars.checked_sub(1) {
        None => text.len(),
        Some(before_last) => text.char_indices().rev().nth(before_last).map_or(0, |(at, _)| at),
    };
    text.get(text.ceil_char_boundary(start.max(least))..).unwrap_or_default()
}

/// One line, cut after `chars` characters with a note of how many are missing.
pub(super) fn line(text: &str, chars: usize) -> String {
    let kept = head(text, chars, usize::MAX);
    match text.get(kept.len()..).map(|rest| rest.chars().count()) {
        None | Some(0) => kept.to_owned(),
        Some(missing) => format!("{kept} …[+{missing} characters]"),
    }
}

/// Text as it may be shown: without terminal escapes and control characters other than line ends and tabs.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => plain.push('\n'),
            '\n' | '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

/// Longest parameters of an escape that are skipped.
const MAX_ESCAPE_CHARS: usize = 256;

fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match rest.peek() {
        // A control sequence ends with a letter or one of a few signs.
        Some('[') => {
            rest.next();
            for _ in 0..MAX_ESCAPE_CHARS {
                match rest.peek() {
                    Some(' '..='?') => rest.next(),
                    Some('@'..='~') => {
                        rest.next();
                        return;
                    }
                    _ => return,
                };
            }
        }
        // An operating system command, such as a title, ends with a bell or another escape.
        Some(']') => {
            for _ in 0..MAX_ESCAPE_CHARS {
                match rest.peek() {
                    Some('\u{7}') => {
                        rest.next();
                        return;
                    }
                    None | Some('\u{1b}' | '\n') => return,
                    Some(_) => rest.next(),
                };
            }
        }
        Some('@'..='_') => {
            rest.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn head_and_tail_are_parts_within_both_bounds(
            text in any::<String>(),
            chars in 0_usize..40,
            bytes in 0_usize..60,
        ) {
            let (head, tail) = (head(&text, chars, bytes), tail(&text, chars, bytes));
            prop_assert!(text.starts_with(head) && text.ends_with(tail));
            for part in [head, tail] {
                prop_assert!(part.len() <= bytes && part.chars().count() <= chars);
                let fits = text.len() <= bytes && text.chars().count() <= chars;
                prop_assert!(!fits || part == text);
            }
        }

        #[test]
        fn a_cut_line_counts_what_is_missing(text in "\\PC{0,80}", chars in 1_usize..50) {
            let line = line(&text, chars);
            let all = text.chars().count();
            if all <= chars {
                prop_assert_eq!(line, text);
            } else {
                let note = format!(" …[+{} characters]", all - chars);
                prop_assert!(line.ends_with(&note));
            }
        }

        #[test]
        fn plain_text_controls_no_terminal(text in any::<String>()) {
            let plain = plain(&text);
            prop_assert!(plain.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t')));
            prop_assert!(plain.len() <= text.len());
        }
    }

    #[test]
    fn escapes_and_progress_bars_become_lines() {
        let text = "\u{1b}[1;31mred\u{1b}[0m\r\n10 %\r20 %\u{1b}]0;title\u{7}!\u{8}";
        assert_eq!(plain(text), "red\n10 %\n20 %!");
    }
}
