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
        scopes: Option<BTreeSet<String>>,
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
        let scopes = answer.headers.get("x-oauth-scopes").and_then(|scopes| scopes.to_str().ok());
        let scopes = scopes.map(|scopes| {
            scopes.split(',').map(|scope| scope.trim().to_owned()).filter(|scope| !scope.is_empty()).collect()
        });
        Self::Personal {
            push: body.pointer("/permissions/push").and_then(Value::as_bool),
            scopes,
            private: body.get("private").and_then(Value::as_bool).unwrap_or(true),
        }
    }

    /// The first permission that `access` needs and that is known to be missing, as `contents: write`.
    pub(crate) fn missing(&self, access: Access) -> Option<String> {
        let missing = match self {
            Self::Installation { permissions, .. } => return first_missing(permissions, access),
            Self::Personal { scopes: Some(scopes), private, .. }
                if !scopes.contains("repo") && (*private || !scopes.contains("public_repo")) =>
            {
                (access == Access::Propose).then_some("repo")
            }
            Self::Personal { push: Some(false), .. } | Self::Public => {
                (access == Access::Propose).then_some("contents: write")
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
