//! What a token is allowed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use staso_core::vcs::Access;

use crate::github::client::ApiAnswer;

/// The permissions that a token asks for, sorted by name.
pub(crate) const fn permissions(access: Access) -> &'static [(&'static str, &'static str)] {
    match access {
        Access::Read => &[("contents", "read"), ("metadata", "read"), ("pull_requests", "read")],
        Access::Propose => &[("contents", "write"), ("metadata", "read"), ("pull_requests", "write")],
    }
}

/// The first permission that is not among those of an installation, as `contents: write`.
pub(crate) fn first_missing(granted: &BTreeMap<String, String>, access: Access) -> Option<String> {
    let enough = |name, level| match granted.get(name).map(String::as_str) {
        Some("write" | "admin") => true,
        held => held == Some(level),
    };
    let missing = permissions(access).iter().find(|(name, level)| !enough(*name, *level));
    missing.map(|(name, level)| format!("{name}: {level}"))
}

/// What a credential is allowed in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Granted {
    /// The permissions of an app's installation, as GitHub names them: `contents` → `write`.
    Installation {
        permissions: BTreeMap<String, String>,
        /// Where its administrator changes it.
        settings_url: String,
    },
    /// What the answer about the repository says of a personal token.
    Personal {
        /// Whether its owner may push.
        push: Option<bool>,
        /// The scopes of a classic token. Fine-grained ones have none, and do not say what they are allowed.
        scopes: BTreeSet<String>,
        /// Whether the repository is private.
        private: bool,
    },
    /// A personal token of which nothing is known: ask [`Granted::of_answer`].
    Unknown,
    /// Nobody: what everyone may read.
    Public,
}

impl Granted {
    /// What the answer to `GET /repos/{owner}/{name}` says of the personal token that asked.
    pub(crate) fn of_answer(answer: &ApiAnswer) -> Self {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let scopes = answer.header("x-oauth-scopes").unwrap_or_default().split(',').map(str::trim);
        Self::Personal {
            push: body.pointer("/permissions/push").and_then(Value::as_bool),
            scopes: scopes.filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
            private: body.get("private").and_then(Value::as_bool).unwrap_or(true),
        }
    }

    /// The first permission that `access` needs and that is known to be missing, as `contents: write`.
    pub(crate) fn missing(&self, access: Access) -> Option<String> {
        let missing = match self {
            Self::Installation { permissions, .. } => return first_missing(permissions, access),
            _ if access == Access::Read => None,
            Self::Personal { push: Some(false), .. } | Self::Public => Some("contents: write"),
            Self::Personal { scopes, private, .. } if !scopes.is_empty() && !scopes.contains("repo") => {
                let needed = if *private { "repo" } else { "public_repo" };
                (!scopes.contains(needed)).then_some(needed)
            }
            Self::Personal { .. } | Self::Unknown => None,
        };
        missing.map(str::to_owned)
    }

    /// What is done about a permission that is missing.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::Installation { settings_url, .. } => remedy(settings_url),
            Self::Personal { .. } | Self::Unknown => {
                "give the token that permission, and its owner write access to the repository".to_owned()
            }
            Self::Public => "configure a GitHub App or a token".to_owned(),
        }
    }
}

/// What an administrator does about one that is missing.
pub(crate) fn remedy(settings_url: &str) -> String {
    format!("add it in the settings of the app, then have it accepted at {settings_url}")
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;
    use serde_json::json;

    use super::*;

    fn of(push: bool, private: bool, scopes: Option<&'static str>) -> Granted {
        let body = json!({ "permissions": { "push": push }, "private": private });
        let mut answer = ApiAnswer::of(200, body.to_string());
        if let Some(scopes) = scopes {
            answer.headers.insert("x-oauth-scopes", HeaderValue::from_static(scopes));
        }
        Granted::of_answer(&answer)
    }

    #[test]
    fn what_a_personal_token_lacks_is_found_in_the_answer_about_the_repository() {
        for (granted, missing) in [
            (of(true, true, None), None),
            (of(true, true, Some("")), None),
            (of(true, true, Some("gist, repo")), None),
            (of(true, true, Some("public_repo")), Some("repo")),
            (of(true, false, Some("public_repo")), None),
            (of(true, false, Some("gist")), Some("public_repo")),
            (of(false, false, Some("repo")), Some("contents: write")),
            (Granted::of_answer(&ApiAnswer::of(200, "{}")), None),
            (Granted::of_answer(&ApiAnswer::of(200, "<html>")), None),
            (Granted::Unknown, None),
            (Granted::Public, Some("contents: write")),
        ] {
            assert_eq!(granted.missing(Access::Propose).as_deref(), missing, "{granted:?}");
            assert_eq!(granted.missing(Access::Read), None);
        }
    }

    #[test]
    fn levels_of_an_installation_include_the_lower_ones() {
        let granted = |contents: &str| Granted::Installation {
            permissions: [("contents", contents), ("metadata", "read"), ("pull_requests", "write")]
                .map(|(name, level)| (name.to_owned(), level.to_owned()))
                .into(),
            settings_url: "https://github.com/settings/installations/1".to_owned(),
        };
        for (level, read, write) in [
            ("admin", None, None),
            ("write", None, None),
            ("read", None, Some("contents: write")),
            ("none", Some("contents: read"), Some("contents: write")),
        ] {
            assert_eq!(granted(level).missing(Access::Read).as_deref(), read);
            assert_eq!(granted(level).missing(Access::Propose).as_deref(), write);
        }
        assert!(granted("read").remedy().ends_with("https://github.com/settings/installations/1"));
    }
}
