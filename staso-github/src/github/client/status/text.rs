//! What an answer says. The text is the server's, or of whoever stands between, and is treated as hostile.

use serde::Deserialize;
use serde_json::Value;
use staso_core::redaction::{redact, visible};

use super::super::ApiAnswer;

/// Longest text of a server in an error, in characters.
const MAX_CHARS: usize = 500;
/// Longest text that is looked at, in bytes.
const MAX_BYTES: usize = 16 << 10;
/// Errors of one answer that are repeated.
const MAX_ERRORS: usize = 10;

/// The text of a server, as an error may show it: one line of what a reader sees, without credentials, cut.
pub(crate) fn clean(text: &str) -> String {
    let near = text.get(..text.floor_char_boundary(MAX_BYTES)).unwrap_or_default();
    let shown = redact(&visible(near)).replace(['\n', '\t'], " ");
    match shown.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default().trim_end()),
        None => shown.trim().to_owned(),
    }
}

/// What an answer says, for people; empty when it says nothing.
pub(crate) fn message(answer: &ApiAnswer) -> String {
    clean(&raw_message(answer).unwrap_or_default())
}

/// The message of an answer, not cleaned. `None` when there is none.
pub(in super::super) fn raw_message(answer: &ApiAnswer) -> Option<String> {
    let body: Body = serde_json::from_slice(&answer.body).ok()?;
    body.message.filter(|message| !message.trim().is_empty())
}

#[derive(Debug, Default, Deserialize)]
struct Body {
    message: Option<String>,
    #[serde(default)]
    errors: Value,
    #[serde(default)]
    block: Value,
    documentation_url: Option<String>,
}

/// What a refused request is told.
#[derive(Debug, Default)]
pub(super) struct Refused {
    shown: String,
    blocked: bool,
    page: Option<String>,
}

impl Refused {
    pub(super) fn of(answer: &ApiAnswer) -> Self {
        let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
        let errors = body.errors.as_array().map(Vec::as_slice).unwrap_or_default();
        let texts: Vec<String> = errors.iter().take(MAX_ERRORS).filter_map(one_error).collect();
        let message = body.message.unwrap_or_default();
        let whole = if texts.is_empty() { message } else { format!("{message}: {}", texts.join("; ")) };
        Self { shown: clean(&whole), blocked: !body.block.is_null(), page: body.documentation_url }
    }

    /// Whether the words are in it. Lower case.
    pub(super) fn says(&self, words: &str) -> bool {
        self.shown.to_ascii_lowercase().contains(words)
    }

    pub(super) const fn is_silent(&self) -> bool {
        self.shown.is_empty()
    }

    /// What is shown of it, never empty.
    pub(super) fn text(&self, status: u16) -> String {
        if self.shown.is_empty() {
            format!("status {status}")
        } else {
            format!("{} (status {status})", self.shown)
        }
    }

    pub(super) fn is_archived(&self) -> bool {
        self.says("archived") && self.says("read-only")
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
            || self.says("repository access blocked")
            || self.says("access to this repository has been disabled")
    }

    /// Whether the credential may not change files of GitHub Actions.
    pub(super) fn lacks_workflows(&self) -> bool {
        self.says("workflow") && (self.says("`workflows` permission") || self.says("`workflow` scope"))
    }

    /// Whether the documentation that is named is all of it, as for addresses that a server does not know.
    pub(super) fn has_no_page(&self) -> bool {
        let page = self.page.as_deref().unwrap_or_default().trim_end_matches('/');
        page.ends_with("/rest") || page.ends_with("/v3")
    }
}

/// `body: is too long`, `Label.name: invalid`, or whatever text there is.
fn one_error(error: &Value) -> Option<String> {
    if let Some(text) = error.as_str() {
        return Some(text.to_owned());
    }
    let part = |name: &str| error.get(name).and_then(Value::as_str);
    let place = [part("resource"), part("field")].into_iter().flatten().collect::<Vec<_>>().join(".");
    match part("message").or(part("code")) {
        Some(text) if place.is_empty() => Some(text.to_owned()),
        Some(text) => Some(format!("{place}: {text}")),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors_of_a_validation_are_told() {
        let body = r#"{"message":"Validation Failed","errors":[
            {"resource":"PullRequest","code":"custom","message":"No commits between main and fix"},
            {"resource":"Label","code":"invalid","field":"name"}, "plain", {}, 7]}"#;
        let refused = Refused::of(&ApiAnswer::of(422, body));
        let expected =
            "Validation Failed: PullRequest: No commits between main and fix; Label.name: invalid; plain";
        assert_eq!(refused.shown, expected);
        assert_eq!(Refused::of(&ApiAnswer::of(502, "<html>")).text(502), "status 502");
    }

    #[test]
    fn what_a_server_says_is_harmless() {
        let token = format!("ghs_{}", "16C7e42F292c6912E7710c838347Ae178B4a");
        let shown = clean(&format!("\u{1b}[31mbad\u{1b}[0m\r\n{token}\u{202e} {}", "x".repeat(9_000)));
        assert!(shown.starts_with("bad ") && shown.chars().count() <= MAX_CHARS + 1, "{shown}");
        assert!(!shown.contains("16C7e42F"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_body_breaks_it(body in any::<Vec<u8>>(), text in any::<String>()) {
            Refused::of(&ApiAnswer::of(422, body));
            prop_assert!(clean(&text).chars().all(|c| !c.is_control()));
        }
    }
}
