//! The hidden line at the end of a pull request's text, by which a later run knows its own.

use staso_core::id::Digest;
use staso_core::report::{MAX_BODY_BYTES, cut_at_line};

const START: &str = "<!-- staso:key=";
const BETWEEN: &str = " body=";
const END: &str = " -->";
/// Hexadecimal digits of each digest.
const DIGITS: usize = 16;
const CUT: &str = "_Cut here: the whole text is in the artifact of the run._";

/// What a text says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Written for another proposal, or by someone else.
    Foreign,
    /// Ours, as it was written.
    Ours,
    /// Ours, changed by someone since.
    Edited,
}

/// The text of a pull request with our line below it, within the limit of GitHub. The second value tells whether it was
/// cut.
pub(super) fn marked(text: &str, key: &str) -> (String, bool) {
    let below = format!("\n\n{}\n", line(&"0".repeat(DIGITS), &"0".repeat(DIGITS)));
    let room = MAX_BODY_BYTES - below.len();
    let (main, ending) = split_ending(text);
    let cut = text.len() > room;
    let kept = if cut {
        let main = cut_at_line(main, room - ending.len() - 2, CUT);
        format!("{}\n\n{ending}", main.trim_end())
    } else {
        text.to_owned()
    };
    let visible = normal(&kept);
    let marker = line(&short(key), &short(&visible));
    (format!("{visible}\n\n{marker}\n"), cut)
}

/// Who wrote a text.
pub(super) fn origin(text: &str, key: &str) -> Origin {
    let Some((before, rest)) = text.rsplit_once(START) else { return Origin::Foreign };
    let Some((found, rest)) = rest.split_once(BETWEEN) else { return Origin::Foreign };
    let Some((digest, after)) = rest.split_once(END) else { return Origin::Foreign };
    if found != short(key) {
        Origin::Foreign
    } else if after.trim().is_empty() && digest == short(&normal(before)) {
        Origin::Ours
    } else {
        Origin::Edited
    }
}

/// Whether two texts of ours say the same.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    normal(a) == normal(b)
}

/// The hidden line that the text ends in already is kept when the text is cut.
fn split_ending(text: &str) -> (&str, &str) {
    let trimmed = text.trim_end();
    match trimmed.rsplit_once('\n') {
        Some((main, last)) if last.starts_with("<!--") && last.ends_with("-->") && last.len() < 200 => {
            (main, last)
        }
        _ => (trimmed, ""),
    }
}

/// Line ends and blanks at the end change on the way through a web form.
fn normal(text: &str) -> String {
    text.replace('\r', "").trim_end().to_owned()
}

fn line(key: &str, body: &str) -> String {
    format!("{START}{key}{BETWEEN}{body}{END}")
}

fn short(text: &str) -> String {
    Digest::of(text).hex().chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_knows_its_writer_through_a_web_form() {
        let (text, cut) = marked("What users saw\n\n<!-- staso:diagnosis=1 -->\n", "key");
        assert!(!cut && text.starts_with("What users saw\n\n<!-- staso:diagnosis=1 -->\n\n<!-- staso:key="));
        assert_eq!(origin(&text, "key"), Origin::Ours);
        assert_eq!(origin(&text.replace('\n', "\r\n"), "key"), Origin::Ours);
        assert_eq!(origin(text.trim_end(), "key"), Origin::Ours);
        assert_eq!(origin(&text, "other"), Origin::Foreign);
        assert_eq!(origin(&text.replace("users", "we"), "key"), Origin::Edited);
        assert_eq!(origin(&format!("{text}\nThanks!"), "key"), Origin::Edited);
        assert_eq!(origin("by hand", "key"), Origin::Foreign);
    }

    #[test]
    fn case_40_a_long_text_is_cut_where_nothing_stays_open() {
        let code = "ä line of code\n".repeat(5_000);
        let text = format!(
            "# Title\n\n<details>\n\n```python\n{code}```\n\n</details>\n\n<!-- staso:diagnosis=1 -->\n"
        );
        let (kept, cut) = marked(&text, "key");
        assert!(cut && kept.len() <= MAX_BODY_BYTES, "{}", kept.len());
        assert!(kept.len() > MAX_BODY_BYTES - 200, "no more than needed is cut: {}", kept.len());
        assert_eq!(kept.matches("```").count(), 2, "the fence is closed");
        assert_eq!(kept.matches("<details>").count(), kept.matches("</details>").count());
        assert!(kept.contains(CUT) && kept.contains("<!-- staso:diagnosis=1 -->"));
        assert_eq!(origin(&kept, "key"), Origin::Ours);
    }

    #[test]
    fn case_40_no_text_is_too_long_by_a_byte() {
        for length in MAX_BODY_BYTES - 200..=MAX_BODY_BYTES + 1 {
            let (kept, _) = marked(&"a".repeat(length), "key");
            assert!(kept.len() <= MAX_BODY_BYTES, "{length} became {}", kept.len());
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_as_ours(text in "(?s).{0,400}", key in ".{0,40}") {
            let (kept, _) = marked(&text, &key);
            prop_assert_eq!(origin(&kept, &key), Origin::Ours);
            prop_assert!(kept.len() <= MAX_BODY_BYTES);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_text_is_too_long(line in "[`<>a-e/\n ]{1,40}|</?details>\n", times in 1_000_usize..4_000) {
            let (kept, _) = marked(&line.repeat(times), "key");
            prop_assert!(kept.len() <= MAX_BODY_BYTES);
            prop_assert_eq!(origin(&kept, "key"), Origin::Ours);
        }
    }
}
