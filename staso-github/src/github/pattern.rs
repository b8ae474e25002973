//! Which repositories a provider may serve.

use std::fmt;
use std::str::FromStr;

use super::api::RepositoryName;
use super::name::is_name;

/// A repository as `owner/name`, or all of an owner's as `owner/*`. Capitals do not count.
///
/// # Examples
/// ```
/// use staso_github::RepositoryPattern;
///
/// let all_of_acme: RepositoryPattern = "acme/*".parse()?;
/// assert!("acme".parse::<RepositoryPattern>().is_err());
/// # drop(all_of_acme);
/// # Ok::<(), staso_github::RepositoryPatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryPattern {
    /// In lower case.
    owner: String,
    /// In lower case; `None` for every name.
    name: Option<String>,
}

/// The text names no repositories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a repository: expected owner/name, or owner/* for all of an owner")]
pub struct RepositoryPatternError;

impl RepositoryPattern {
    pub(super) fn matches(&self, repository: &RepositoryName) -> bool {
        let named = |name: &String| name.eq_ignore_ascii_case(&repository.name);
        self.owner.eq_ignore_ascii_case(&repository.owner) && self.name.as_ref().is_none_or(named)
    }
}

impl FromStr for RepositoryPattern {
    type Err = RepositoryPatternError;

    fn from_str(text: &str) -> Result<Self, RepositoryPatternError> {
        let (owner, name) = text.trim().split_once('/').ok_or(RepositoryPatternError)?;
        if !is_name(owner) || !(name == "*" || is_name(name)) {
            return Err(RepositoryPatternError);
        }
        let name = (name != "*").then(|| name.to_ascii_lowercase());
        Ok(Self { owner: owner.to_ascii_lowercase(), name })
    }
}

impl fmt::Display for RepositoryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name.as_deref().unwrap_or("*"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_one_repository_or_one_owner() {
        let repository = |owner: &str, name: &str| RepositoryName {
            owner: owner.to_owned(),
            name: name.to_owned(),
            url: "https://github.com/a/b".parse().unwrap(),
            id: None,
        };
        for (pattern, owner, name, expected) in [
            ("acme/support", "Acme", "SUPPORT", true),
            (" Acme/* ", "acme", "anything", true),
            ("acme/support", "acme", "support-2", false),
            ("acme/support", "acme2", "support", false),
            ("acme/*", "acme-evil", "support", false),
        ] {
            let pattern: RepositoryPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&repository(owner, name)), expected, "{pattern} {owner}/{name}");
        }
        for bad in ["", "acme", "*/*", "*/support", "acme/", "/x", "acme/a/b", "acme/..", "acme/s*", "ä/b"] {
            assert_eq!(bad.parse::<RepositoryPattern>(), Err(RepositoryPatternError), "{bad}");
        }
    }
}
