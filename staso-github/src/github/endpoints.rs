//! Where a GitHub is reached.

use crate::address::{RemoteAddress, RemoteAddressError};

/// The three addresses of a GitHub: its REST API, its GraphQL API, and where repositories are cloned from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct GitHubEndpoints {
    /// The REST API, e.g. `https://api.github.com`.
    pub api: RemoteAddress,
    /// The GraphQL API, e.g. `https://api.github.com/graphql`.
    pub graphql: RemoteAddress,
    /// The start of repository addresses, e.g. `https://github.com`.
    pub git: RemoteAddress,
}

impl GitHubEndpoints {
    /// github.com.
    ///
    /// # Errors
    /// None: the addresses are fixed and valid.
    pub fn github_com() -> Result<Self, RemoteAddressError> {
        Self::new("https://api.github.com", "https://api.github.com/graphql", "https://github.com")
    }

    /// GitHub Enterprise Server at a host: `https://{host}/api/v3`, `https://{host}/api/graphql`.
    ///
    /// # Errors
    /// When `host` is no host.
    pub fn enterprise(host: &str) -> Result<Self, RemoteAddressError> {
        let base = format!("https://{host}");
        Self::new(&format!("{base}/api/v3"), &format!("{base}/api/graphql"), &base)
    }

    /// Any three addresses.
    ///
    /// # Errors
    /// When one of them is no address.
    pub fn new(api: &str, graphql: &str, git: &str) -> Result<Self, RemoteAddressError> {
        Ok(Self { api: api.parse()?, graphql: graphql.parse()?, git: git.parse()? })
    }

    /// A page that an answer names, if it is one of this GitHub's and nothing but an address: people follow it from errors,
    /// artifacts and terminals.
    pub(crate) fn page<'a>(&self, said: &'a str) -> Option<&'a str> {
        let rest = said.strip_prefix(self.git.as_str())?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
        let usable =
            rest.starts_with('/') && said.len() <= RemoteAddress::MAX_BYTES && rest.bytes().all(plain);
        usable.then_some(said)
    }

    /// The host that addresses of repositories name, with its port if it has one.
    #[must_use]
    pub fn host(&self) -> &str {
        self.git.origin().split_once("://").map_or("", |(_, host)| host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_github_are_shown() {
        let github = GitHubEndpoints::github_com().unwrap();
        let pull = "https://github.com/acme/support/pull/7";
        assert_eq!(github.page(pull), Some(pull));
        let long = format!("https://github.com/{}", "a".repeat(3_000));
        for elsewhere in [
            "",
            "https://github.com",
            "https://github.com.evil.com/acme/support/pull/7",
            "https://github.com@evil.com/acme",
            "http://github.com/acme/support/pull/7",
            "https://github.com/acme)](https://evil.com/x",
            "https://github.com/\u{1b}]8;;https://evil.com\u{7}",
            "https://github.com/a b",
            "javascript:alert(1)",
            &long,
        ] {
            assert_eq!(github.page(elsewhere), None, "{elsewhere}");
        }
    }
}
