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
    }
}
