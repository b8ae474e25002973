//! Which permission was missing.

use reqwest::Method;
use staso_core::vcs::VcsError;

use super::super::ApiAnswer;
use super::text::Refused;
use crate::github::api::RepositoryName;

/// The permissions that would have been accepted, as the answer names them: `contents: write`, several with `and`,
/// alternatives with `or`.
pub(super) fn accepted(answer: &ApiAnswer) -> Option<String> {
    let header = answer.header("x-accepted-github-permissions").filter(|header| header.len() <= 500)?;
    let sets: Option<Vec<String>> = header.split(';').map(one_set).collect();
    sets.filter(|sets| !sets.is_empty()).map(|sets| sets.join(" or "))
}

/// `contents=write,pull_requests=read`. `None` when it is something else.
fn one_set(set: &str) -> Option<String> {
    let one = |pair: &str| {
        let (name, level) = pair.trim().split_once('=')?;
        let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        (word(name) && matches!(level, "read" | "write" | "admin")).then(|| format!("{name}: {level}"))
    };
    let pairs: Option<Vec<String>> = set.split(',').map(one).collect();
    pairs.map(|pairs| pairs.join(" and "))
}

/// The permission that GitHub documents for a request like this.
pub(super) fn usual(answer: &ApiAnswer) -> Option<String> {
    let (method, path) = &answer.asked;
    if answer.is_graphql() {
        return Some("contents: write".to_owned());
    }
    let path = path.split('?').next().unwrap_or_default();
    let mut parts = path.trim_start_matches('/').split('/');
    if parts.next() != Some("repos") {
        return None;
    }
    let area = match parts.nth(2) {
        None | Some("rules") => "metadata",
        Some("git" | "contents" | "tarball" | "zipball" | "commits" | "compare" | "branches") => "contents",
        Some("pulls") => "pull_requests",
        Some("issues" | "labels" | "assignees") => "issues",
        Some(_) => return None,
    };
    let level = if matches!(*method, Method::GET | Method::HEAD) { "read" } else { "write" };
    Some(format!("{area}: {level}"))
}

/// The error.
pub(super) fn missing(permission: String, refused: &Refused, repository: &RepositoryName) -> VcsError {
    let place = if refused.says("personal access token") {
        "grant it in the settings of the token"
    } else if refused.says("by integration") || refused.says("github app") {
        "grant it in the settings of the app, and let an owner accept it for the installation"
    } else {
        "grant it to the app or token"
    };
    VcsError::MissingPermission { permission, url: repository.url.clone(), remedy: place.to_owned() }
}

/// What helps when no permission does.
pub(super) fn remedy(answer: &ApiAnswer, refused: &Refused) -> String {
    if refused.says("ip allow list") {
        return "the organisation has an IP allow list: add the address of this machine, or run elsewhere"
            .to_owned();
    }
    format!("the forge says: {}", refused.text(answer.status))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn accepted_permissions_are_read() {
        for (header, expected) in [
            ("contents=write", Some("contents: write")),
            (
                "pull_requests=read,contents=read; issues=write",
                Some("pull_requests: read and contents: read or issues: write"),
            ),
            ("contents=own", None),
            ("contents", None),
            ("", None),
            ("a=write;<script>=write", None),
        ] {
            let mut answer = ApiAnswer::of(403, "");
            answer.headers.insert("x-accepted-github-permissions", HeaderValue::from_str(header).unwrap());
            assert_eq!(accepted(&answer).as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn requests_need_what_github_documents() {
        for (method, path, expected) in [
            (Method::GET, "/repos/a/b", Some("metadata: read")),
            (Method::GET, "/repos/a/b/contents/src/x.py?ref=1", Some("contents: read")),
            (Method::POST, "/repos/a/b/git/refs", Some("contents: write")),
            (Method::POST, "/repos/a/b/pulls", Some("pull_requests: write")),
            (Method::PATCH, "/repos/a/b/pulls/3", Some("pull_requests: write")),
            (Method::POST, "/repos/a/b/issues/3/labels", Some("issues: write")),
            (Method::GET, "/repos/a/b/rules/branches/main", Some("metadata: read")),
            (Method::GET, "/repos/a/b/hooks", None),
            (Method::GET, "/app", None),
            (Method::POST, "", Some("contents: write")),
        ] {
            let mut answer = ApiAnswer::of(403, "");
            answer.asked = (method, path.to_owned());
            assert_eq!(usual(&answer).as_deref(), expected, "{path}");
        }
    }
}
