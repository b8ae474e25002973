//! What GitHub says is wrong with a request.

use serde_json::Value;

use crate::github::client::{ApiAnswer, clean};

/// The body of a refusal: `{"message": …, "errors": [{"field", "code", "message"} or "text"]}`.
#[derive(Debug, Default)]
pub(super) struct Problem {
    texts: Vec<String>,
    fields: Vec<String>,
}

impl Problem {
    pub(super) fn of(answer: &ApiAnswer) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return Self::default() };
        let errors = body.get("errors");
        let listed = match errors {
            Some(Value::Array(errors)) => errors.as_slice(),
            Some(one @ Value::String(_)) => std::slice::from_ref(one),
            _ => &[],
        };
        let text =
            |value: &Value| value.as_str().or_else(|| value.get("message")?.as_str()).map(str::to_owned);
        let field = |value: &Value| value.get("field")?.as_str().map(str::to_owned);
        Self {
            texts: text(&body).into_iter().chain(listed.iter().filter_map(text)).collect(),
            fields: listed.iter().filter_map(field).collect(),
        }
    }

    /// Whether some part says this, in any case.
    pub(super) fn says(&self, words: &str) -> bool {
        self.texts.iter().any(|text| text.to_ascii_lowercase().contains(words))
    }

    /// Whether a field of the request is what is wrong.
    pub(super) fn blames(&self, field: &str) -> bool {
        self.fields.iter().any(|blamed| blamed == field)
    }

    /// Whether rules of the repository are the reason.
    pub(super) fn is_policy(&self) -> bool {
        is_policy(&self.texts.join("\n"))
    }

    /// All of it on one line, without credentials and hidden characters.
    pub(super) fn text(&self) -> String {
        clean(&self.texts.join(": "))
    }
}

/// Whether a text of GitHub names a ruleset or branch protection.
pub(super) fn is_policy(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        "gh013",
        "gh006",
        "rule violation",
        "protected branch",
        "creations being restricted",
        "verified signature",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(body: &str) -> Problem {
        Problem::of(&ApiAnswer::of(422, body))
    }

    #[test]
    fn all_forms_of_refusals_are_read() {
        let listed = problem(
            r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","field":"base","code":"invalid"},
            {"message":"A pull request already exists for acme:fix."}]}"#,
        );
        assert!(listed.says("already exists") && listed.blames("base") && !listed.blames("head"));
        let one = problem(r#"{"message":"Validation Failed","errors":"No commits between main and x"}"#);
        assert!(one.says("no commits between"));
        assert!(problem(r#"{"message":"Repository rule violations found\n\nno"}"#).is_policy());
        assert!(!problem("<html>").says("a"));
    }

    #[test]
    fn what_is_shown_is_one_clean_line() {
        let token = format!("ghp_{}", "a1B2".repeat(9));
        let shown = problem(&format!(r#"{{"message":"a\n\u001b[31m {token}"}}"#)).text();
        assert!(!shown.contains(&token) && !shown.contains('\n') && !shown.contains('\u{1b}'), "{shown}");
    }
}
