//! Names as addresses and requests carry them. What a trace recorded goes into a path of the API only through here.

use staso_core::trace::RepositoryUrl;
use staso_core::vcs::VcsError;

use super::api::{PROVIDER, RepositoryName, segment};
use super::endpoints::GitHubEndpoints;

/// Longest names that GitHub gives: 39 for users, 100 for repositories, with room for other versions of it.
const NAME_MAX_BYTES: usize = 128;

impl RepositoryName {
    /// The owner and name in a recorded address.
    ///
    /// # Errors
    /// [`VcsError::Unsupported`] for addresses of another host, [`VcsError::RepositoryNotFound`] for those that name no
    /// repository.
    pub(crate) fn parse(url: &RepositoryUrl, endpoints: &GitHubEndpoints) -> Result<Self, VcsError> {
        let rest = url.as_str().strip_prefix("https://").unwrap_or_default();
        let (host, path) = rest.split_once('/').unwrap_or_default();
        if !is_host_of(host, endpoints.host()) {
            return Err(VcsError::Unsupported { url: url.clone(), provider: PROVIDER });
        }
        match path.split_once('/') {
            Some((owner, name)) if is_name(owner) && is_name(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned(), url: url.clone(), id: None })
            }
            _ => Err(VcsError::RepositoryNotFound { url: url.clone() }),
        }
    }

    /// The path of a request about something in this repository. `rest` begins with a slash and is encoded.
    pub(crate) fn below(&self, rest: &str) -> String {
        format!("{}{rest}", self.path())
    }
}

/// `ssh.github.com` takes ssh on port 443; `www.` leads to the same pages.
fn is_host_of(host: &str, ours: &str) -> bool {
    [Some(host), host.strip_prefix("ssh."), host.strip_prefix("www.")].contains(&Some(ours))
}

/// Neither a slash nor anything that is read in another way when it stands in a path.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !matches!(name, "" | "." | "..") && name.len() <= NAME_MAX_BYTES && name.bytes().all(plain)
}

/// A name with slashes, such as a branch, as the end of a path: each of its parts is encoded.
pub(crate) fn encode(name: &str) -> String {
    let parts: Vec<_> = name.split('/').map(segment).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(url: &str, endpoints: &GitHubEndpoints) -> Result<String, VcsError> {
        RepositoryName::parse(&url.parse().unwrap(), endpoints).map(|name| name.path())
    }

    #[test]
    fn every_spelling_leads_to_one_request() {
        let github = GitHubEndpoints::github_com().unwrap();
        for url in [
            "https://github.com/acme/support",
            "https://token@GitHub.com/acme/support.git",
            "git@github.com:acme/support.git",
            "ssh://git@ssh.github.com:443/acme/support.git",
            "https://www.github.com/acme/support/",
        ] {
            assert_eq!(parse(url, &github).unwrap(), "/repos/acme/support", "{url}");
        }
        let enterprise = GitHubEndpoints::enterprise("ghe.acme.com:8443").unwrap();
        assert_eq!(parse("https://ghe.acme.com:8443/a/b", &enterprise).unwrap(), "/repos/a/b");
        let usual_port = GitHubEndpoints::enterprise("ghe.acme.com:443").unwrap();
        for url in ["https://ghe.acme.com/a/b", "https://ghe.acme.com:443/a/b", "git@ghe.acme.com:a/b.git"] {
            assert_eq!(parse(url, &usual_port).unwrap(), "/repos/a/b");
        }
    }

    #[test]
    fn nothing_else_gets_into_a_path() {
        let github = GitHubEndpoints::github_com().unwrap();
        for url in ["https://gitlab.com/a/b", "https://evilgithub.com/a/b", "https://github.com.evil.com/a/b"]
        {
            assert!(matches!(parse(url, &github), Err(VcsError::Unsupported { .. })), "{url}");
        }
        for url in [
            "https://github.com/acme",
            "https://github.com/a/b/c",
            "https://github.com/a/b%2fc",
            "https://github.com/./b",
            "https://github.com/a/b c",
            "https://github.com/a/ü",
        ] {
            assert!(matches!(parse(url, &github), Err(VcsError::RepositoryNotFound { .. })), "{url}");
        }
        assert!(matches!(parse("file:///srv/a/b", &github), Err(VcsError::Unsupported { .. })));
    }

    proptest! {
        #[test]
        fn a_path_names_one_repository_and_nothing_else(path in "[ -~äß\\PC]{0,40}", rest in "[./%a-z-]{0,20}") {
            let github = GitHubEndpoints::github_com().unwrap();
            for path in [path, rest] {
                let Ok(url) = format!("https://github.com/{path}").parse() else { continue };
                let Ok(name) = RepositoryName::parse(&url, &github) else { continue };
                let asked = reqwest::Url::parse(&format!("https://api.github.com{}", name.path())).unwrap();
                let parts: Vec<_> = asked.path_segments().unwrap().collect();
                prop_assert_eq!(parts, ["repos", &name.owner, &name.name]);
                prop_assert!(asked.query().is_none() && asked.fragment().is_none());
            }
        }
    }

    #[test]
    fn branches_are_encoded_part_by_part() {
        assert_eq!(encode("feature/a%2Fb"), "feature/a%252Fb");
        assert_eq!(encode("ünï/#1?"), "%C3%BCn%C3%AF/%231%3F");
    }
}
