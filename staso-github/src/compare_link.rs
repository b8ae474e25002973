//! Where people look at a branch that has no pull request yet.

use std::fmt::Write as _;

use staso_core::id::BranchName;
use staso_core::trace::RepositoryUrl;

use crate::address::RemoteAddress;
use crate::shell::quoted;

/// The page of a forge that compares a branch with its base, where a person opens the pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompareLink {
    /// By the host of the recorded address: `github.com`, `gitlab.com`, `bitbucket.org` and `codeberg.org` are known; the
    /// git command for all others. The default.
    Guessed,
    /// As GitHub and GitHub Enterprise have it: `…/compare/main...fix?expand=1`.
    GitHub,
    /// As GitLab has it: `…/-/merge_requests/new?…`.
    GitLab,
    /// As Bitbucket Cloud has it: `…/pull-requests/new?source=fix&dest=main`.
    Bitbucket,
    /// As Gitea and Forgejo have it: `…/compare/main...fix`.
    Gitea,
    /// Any other: the text with `{repository}` (the recorded address), `{base}` and `{branch}` replaced, the latter two
    /// percent-encoded.
    Template(String),
    /// The git command that shows the branch.
    Command,
}

impl CompareLink {
    /// The link for one branch, or the command.
    pub(crate) fn of(
        &self,
        recorded: &RepositoryUrl,
        address: &RemoteAddress,
        base: &BranchName,
        branch: &BranchName,
    ) -> String {
        let template = match self {
            Self::Guessed => return guess(recorded).of(recorded, address, base, branch),
            Self::GitHub => "{repository}/compare/{base}...{branch}?expand=1",
            Self::GitLab => {
                "{repository}/-/merge_requests/new?merge_request%5Bsource_branch%5D={branch}\
                 &merge_request%5Btarget_branch%5D={base}"
            }
            Self::Bitbucket => "{repository}/pull-requests/new?source={branch}&dest={base}",
            Self::Gitea => "{repository}/compare/{base}...{branch}",
            Self::Template(template) => template,
            Self::Command => {
                let (address, branch) = (quoted(address.as_str()), quoted(branch.as_str()));
                return format!("git fetch {address} {branch} && git show FETCH_HEAD");
            }
        };
        fill(template, recorded, base, branch)
    }
}

fn guess(recorded: &RepositoryUrl) -> CompareLink {
    let host = recorded.as_str().strip_prefix("https://").and_then(|rest| rest.split('/').next());
    match host {
        Some("github.com") => CompareLink::GitHub,
        Some("gitlab.com") => CompareLink::GitLab,
        Some("bitbucket.org") => CompareLink::Bitbucket,
        Some("codeberg.org") => CompareLink::Gitea,
        _ => CompareLink::Command,
    }
}

/// Replaces in one pass, so that nothing in a name is taken for a placeholder.
fn fill(template: &str, recorded: &RepositoryUrl, base: &BranchName, branch: &BranchName) -> String {
    let mut link = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        link.push_str(before);
        let (value, left) = match after.split_once('}') {
            Some(("repository", left)) => (recorded.as_str().to_owned(), left),
            Some(("base", left)) => (encoded(base), left),
            Some(("branch", left)) => (encoded(branch), left),
            _ => ("{".to_owned(), after),
        };
        link.push_str(&value);
        rest = left;
    }
    link.push_str(rest);
    link
}

/// A branch name in a path or query: everything but letters, digits, `-`, `.`, `_`, `~` and `/` is encoded (RFC 3986).
fn encoded(branch: &BranchName) -> String {
    let mut text = String::new();
    for byte in branch.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(form: &CompareLink, recorded: &str) -> String {
        let (base, branch) =
            (BranchName::new("main").unwrap(), BranchName::new("fix/staso-ä&{base}-1").unwrap());
        let address = "https://git.acme.com/a/b".parse().unwrap();
        form.of(&recorded.parse().unwrap(), &address, &base, &branch)
    }

    #[test]
    fn every_form_is_as_its_forge_has_it() {
        let recorded = "https://git.acme.com/a/b";
        let name = "fix/staso-%C3%A4%26%7Bbase%7D-1";
        for (form, expected) in [
            (CompareLink::GitHub, format!("{recorded}/compare/main...{name}?expand=1")),
            (
                CompareLink::GitLab,
                format!(
                    "{recorded}/-/merge_requests/new?merge_request%5Bsource_branch%5D={name}\
                     &merge_request%5Btarget_branch%5D=main"
                ),
            ),
            (CompareLink::Bitbucket, format!("{recorded}/pull-requests/new?source={name}&dest=main")),
            (CompareLink::Gitea, format!("{recorded}/compare/main...{name}")),
            (CompareLink::Template("x {branch} {other}".into()), format!("x {name} {{other}}")),
            (
                CompareLink::Command,
                format!("git fetch {recorded} 'fix/staso-ä&{{base}}-1' && git show FETCH_HEAD"),
            ),
        ] {
            assert_eq!(link(&form, recorded), expected);
        }
    }

    #[test]
    fn known_hosts_are_guessed() {
        for (recorded, part) in [
            ("git@github.com:a/b.git", "?expand=1"),
            ("https://gitlab.com/g/s/b", "merge_requests"),
            ("https://bitbucket.org/a/b", "pull-requests"),
            ("https://codeberg.org/a/b", "/compare/main..."),
            ("https://github.com.evil.com/a/b", "git fetch"),
            ("file:///srv/a", "git fetch"),
        ] {
            let link = link(&CompareLink::Guessed, recorded);
            assert!(link.contains(part), "{recorded}: {link}");
        }
    }
}
