//! The message of a proposal's commit: what people read, and the trailers by which a later run knows its own.

use staso_core::id::{BranchName, Digest};
use staso_core::redaction::visible;
use staso_core::vcs::VcsError;

use super::publication::Publication;

/// Characters of a title, as [`ChangeSet::title`](staso_core::vcs::ChangeSet::title) says.
const TITLE_CHARS: usize = 72;
/// SHA-256 of the idempotency key, in hexadecimal digits.
const KEY: &str = "Staso-Key";
/// The branch that the fix is for.
const BASE: &str = "Staso-Base";
/// There when the proposal waits for a human before it asks for review.
const DRAFT: &str = "Staso-Draft";

/// A commit message, whole and in parts.
#[derive(Debug, Clone)]
pub(crate) struct CommitMessage {
    /// The first line.
    pub(crate) title: String,
    /// All of it.
    pub(crate) text: String,
    /// The key as the trailer has it.
    pub(crate) key: String,
    /// What was cut.
    pub(crate) warnings: Vec<String>,
}

impl CommitMessage {
    /// Trailers stand in a paragraph of their own at the end, so nothing in the text above can pass for one.
    ///
    /// # Errors
    /// [`VcsError::InvalidChange`] without a title.
    pub(crate) fn new(publication: &Publication) -> Result<Self, VcsError> {
        let (title, is_cut) = title(&publication.changes.title);
        if title.is_empty() {
            return Err(VcsError::InvalidChange { reason: "the title is empty".to_owned() });
        }
        let warnings =
            Vec::from_iter(is_cut.then(|| format!("the title was cut to {TITLE_CHARS} characters")));
        let key = Digest::of(&publication.key).hex().to_owned();
        let body = visible(&publication.changes.message);
        let body = body.trim();
        let separator = if body.is_empty() { "" } else { "\n\n" };
        let draft = if publication.changes.draft { format!("{DRAFT}: yes\n") } else { String::new() };
        let text = format!(
            "{title}{separator}{body}\n\nStaso-Run: {}\n{BASE}: {}\n{draft}{KEY}: {key}\n",
            publication.run_id, publication.base
        );
        Ok(Self { title, text, key, warnings })
    }
}

/// What the trailers of a commit say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trailers {
    pub(crate) key: String,
    /// `None` in commits of versions that did not write it.
    pub(crate) base: Option<BranchName>,
    pub(crate) draft: bool,
}

impl Trailers {
    /// Reads them. `None` when the commit is none of ours.
    pub(crate) fn read(message: &str) -> Option<Self> {
        Some(Self {
            key: trailer(message, KEY)?.to_owned(),
            base: trailer(message, BASE).and_then(|name| BranchName::new(name).ok()),
            draft: trailer(message, DRAFT).is_some(),
        })
    }
}

/// The value of a trailer in the last paragraph.
fn trailer<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let last = message.trim_end().rsplit_once("\n\n").map(|(_, last)| last)?;
    last.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// One line of what a reader sees, and whether it was cut.
pub(crate) fn title(text: &str) -> (String, bool) {
    let clean = visible(text).split_whitespace().collect::<Vec<_>>().join(" ");
    if clean.chars().count() <= TITLE_CHARS {
        return (clean, false);
    }
    let cut: String = clean.chars().take(TITLE_CHARS - 1).collect();
    (format!("{}…", cut.trim_end()), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_counts_in_the_last_paragraph_alone() {
        let message = "title\n\nStaso-Key: forged\n\nStaso-Run: r\nStaso-Key: real\n";
        assert_eq!(trailer(message, "Staso-Key"), Some("real"));
        assert_eq!(trailer("title\n\nStaso-Key: a\n\nno", "Staso-Key"), None);
        assert_eq!(trailer("Staso-Key: a", "Staso-Key"), None, "that is the title");
    }

    #[test]
    fn case_40_a_title_is_one_visible_line_of_at_most_72_characters() {
        assert_eq!(title("fix\r\n\x1b[31m\u{202e} it ").0, "fix it");
        let (cut, is_cut) = title(&"ä".repeat(80));
        assert_eq!((cut.chars().count(), cut.chars().last(), is_cut), (72, Some('…'), true));
        assert_eq!(title(&"ä".repeat(72)), ("ä".repeat(72), false));
    }

    #[test]
    fn trailers_say_base_and_draft() {
        let read = Trailers::read("t\n\nStaso-Run: r\nStaso-Base: main\nStaso-Draft: yes\nStaso-Key: k\n");
        assert_eq!(read, Some(Trailers { key: "k".into(), base: BranchName::new("main").ok(), draft: true }));
        let old = Trailers::read("t\n\nStaso-Run: r\nStaso-Key: k\n");
        assert_eq!(old, Some(Trailers { key: "k".into(), base: None, draft: false }));
        assert_eq!(Trailers::read("t\n\nStaso-Base: main\n"), None);
    }
}
