//! The revision of the code that a trace ran at.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{BranchName, CommitId};

/// Where the failing code came from, as recorded on the root span.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceRevision {
    /// The repository.
    pub repository_url: Option<RepositoryUrl>,
    /// The branch that was checked out.
    pub branch: Option<BranchName>,
    /// The commit that was checked out.
    pub commit: Option<CommitId>,
    /// Whether the working tree differed from the commit; `None` when the recorder could not tell.
    pub dirty: Option<bool>,
}

/// A repository address without credentials, in one spelling: `https://host/owner/name`, `ssh` addresses
/// rewritten to it, `.git` and trailing slashes removed, the host in lower case. Local repositories are
/// `file:///absolute/path`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct RepositoryUrl(String);

/// The text names no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a repository address: {reason}; expected https://host/owner/name, git@host:owner/name or file:///path"
)]
pub struct RepositoryUrlError {
    reason: &'static str,
}

impl RepositoryUrl {
    /// Longest accepted address, in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// The normalised address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory of a local repository.
    #[must_use]
    pub fn local_path(&self) -> Option<&str> {
        self.0.strip_prefix("file://")
    }

    /// The address of a local directory. The path must be absolute.
    ///
    /// # Errors
    /// When the path is relative or holds a control character.
    pub fn from_local_path(path: &str) -> Result<Self, RepositoryUrlError> {
        format!("file://{path}").parse()
    }
}

impl FromStr for RepositoryUrl {
    type Err = RepositoryUrlError;

    fn from_str(s: &str) -> Result<Self, RepositoryUrlError> {
        let fail = |reason| Err(RepositoryUrlError { reason });
        let s = s.trim();
        if s.is_empty() {
            return fail("it is empty");
        }
        if s.len() > Self::MAX_BYTES {
            return fail("it is longer than 2048 bytes");
        }
        if s.chars().any(char::is_control) {
            return fail("it holds a control character");
        }
        if let Some(path) = s.strip_prefix("file://") {
            return if path.starts_with('/') {
                let path = path.trim_end_matches('/');
                Ok(Self(format!("file://{}", if path.is_empty() { "/" } else { path })))
            } else {
                fail("a file address needs an absolute path")
            };
        }
        let rest = match s.split_once("://") {
            Some(("https" | "http" | "ssh" | "git" | "git+ssh", rest)) => rest.to_owned(),
            Some(_) => return fail("its scheme is not supported"),
            None => scp_form(s).ok_or(RepositoryUrlError { reason: "it has no scheme" })?,
        };
        normalise_remote(&rest)
    }
}

/// `user@host:path` as ssh writes it, turned into `host/path`.
fn scp_form(s: &str) -> Option<String> {
    let (host, path) = s.split_once(':')?;
    (host.contains('@') && !host.contains('/')).then(|| format!("{host}/{path}"))
}

fn normalise_remote(rest: &str) -> Result<RepositoryUrl, RepositoryUrlError> {
    let fail = |reason| Err(RepositoryUrlError { reason });
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    let host = host.strip_suffix(":443").or_else(|| host.strip_suffix(":22")).unwrap_or(&host);
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    if host.is_empty() || host.starts_with('-') {
        return fail("it has no host");
    }
    if path.is_empty() || path.split('/').any(|part| part == ".." || part.is_empty() || part.starts_with('-'))
    {
        return fail("it has no usable path");
    }
    Ok(RepositoryUrl(format!("https://{host}/{path}")))
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RepositoryUrl {
    type Error = RepositoryUrlError;
    fn try_from(value: String) -> Result<Self, RepositoryUrlError> {
        value.parse()
    }
}

impl From<RepositoryUrl> for String {
    fn from(url: RepositoryUrl) -> Self {
        url.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_one_repository_are_one_address_without_credentials() {
        for spelling in [
            "https://github.com/acme/support",
            "https://github.com/acme/support.git",
            "https://x-access-token:ghs_secret@GitHub.com/acme/support.git/",
            "git@github.com:acme/support.git",
            "ssh://git@github.com:22/acme/support",
            "http://github.com/acme/support?tab=readme#top",
        ] {
            let url: RepositoryUrl = spelling.parse().unwrap();
            assert_eq!(url.as_str(), "https://github.com/acme/support", "{spelling}");
        }
    }

    #[test]
    fn what_names_no_repository_is_refused() {
        for bad in [
            "",
            "acme/support",
            "support",
            "ext::sh -c id",
            "file://relative",
            "https://",
            "https://h/../x",
            "a\nb",
        ] {
            assert!(bad.parse::<RepositoryUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn local_repositories_keep_their_path() {
        let url = RepositoryUrl::from_local_path("/srv/git/agent.git/").unwrap();
        assert_eq!(url.as_str(), "file:///srv/git/agent.git");
        assert_eq!(url.local_path(), Some("/srv/git/agent.git"));
    }
}
