//! Takes away comments, which a reader of rendered Markdown cannot see.

use super::BREAK;

/// Takes HTML comments away, the innermost first, and every break of ours; what their removal joins is looked at again.
pub(super) fn strip_comments(text: &str) -> String {
    const OPEN: &str = "<!--";
    const CLOSE: &str = "-->";
    let mut out = String::with_capacity(text.len());
    // Where comments that are still open begin.
    let mut open: Vec<usize> = Vec::new();
    for c in text.chars() {
        out.push(c);
        if out.ends_with(BREAK) {
            out.truncate(out.len() - BREAK.len());
            open.retain(|at| *at + OPEN.len() <= out.len());
        } else if out.ends_with(OPEN) {
            open.push(out.len() - OPEN.len());
        } else if out.ends_with(CLOSE)
            && let Some(at) = open.pop_if(|at| *at + OPEN.len() + CLOSE.len() <= out.len())
        {
            out.truncate(at);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_even_when_removing_one_makes_another() {
        for (text, seen) in [
            ("a<!-- b -->c", "ac"),
            ("a<!-<!-- x -->- y -->c", "ac"),
            ("a<!-- <!-- b --> c --> d", "a d"),
            ("a --> b <!-- c", "a --> b <!-- c"),
            ("<!-->x", "<!-->x"),
            ("&#82&#8203;03;x", "x"),
        ] {
            assert_eq!(strip_comments(text), seen, "{text:?}");
        }
    }
}
