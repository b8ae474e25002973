//! What a model says of its change, made fit to be shown.

use crate::diagnosis::Summary;
use crate::redaction::Redactor;
use crate::report::neutralise;

/// Longest title, in characters.
const MAX_TITLE_CHARS: usize = 72;

/// One line of at most 72 characters without credentials, mentions and links.
pub(super) fn title(text: &str, redactor: &Redactor) -> String {
    let line = neutralise::plain(&redactor.clean(text));
    let line = line.trim().trim_end_matches('.');
    if line.chars().count() <= MAX_TITLE_CHARS {
        return line.to_owned();
    }
    let cut: String = line.chars().take(MAX_TITLE_CHARS - 1).collect();
    let end = cut.rfind(' ').filter(|at| *at > cut.len() / 2).unwrap_or(cut.len());
    format!("{}…", cut.get(..end).unwrap_or(&cut))
}

/// The first sentence or line of an explanation, at most 200 characters.
pub(super) fn reason(explanation: &str, redactor: &Redactor) -> String {
    let clean = redactor.clean(explanation);
    let first = clean.lines().map(str::trim).find(|line| line.chars().any(char::is_alphanumeric));
    let line = first.unwrap_or_default().trim_start_matches(['#', '-', '*', '>', ' ']);
    let sentence = line.find(". ").and_then(|end| line.get(..=end)).unwrap_or(line);
    Summary::new(&neutralise::plain(sentence)).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_one_short_harmless_line() {
        let of = |text: &str| title(text, &Redactor::default());
        assert_eq!(of("Read the key `status`.\n"), "Read the key `status`");
        assert_eq!(of("Thanks @octocat, fixes #12"), "Thanks (at)octocat, fixes no. 12");
        let long = of(&"word ".repeat(40));
        assert!(long.chars().count() <= 72 && long.ends_with("word…"), "{long}");
        let token = format!("Use ghp_{}", "a1B2c3D4e5F6g7H8i9J0".repeat(2));
        assert!(!of(&token).contains("a1B2c3"), "{}", of(&token));
    }

    #[test]
    fn a_reason_is_the_first_sentence() {
        let of = |text: &str| reason(text, &Redactor::default());
        assert_eq!(of("\n## Why\nmore"), "Why");
        assert_eq!(of("- The key moved. It was `state`."), "The key moved.");
        assert_eq!(of("---"), "");
    }
}
