//! Where something stands in a repository or a trace, in words or as a link.

use std::fmt::Write as _;

use super::markdown::{code, link};
use crate::code::RepoPath;
use crate::diagnosis::{Locator, Receipt};
use crate::id::{CommitId, SpanId};
use crate::trace::RepositoryUrl;

/// The first digits of a commit id, as people write it.
pub(super) fn short_commit(commit: &CommitId) -> &str {
    commit.as_str().get(..10).unwrap_or(commit.as_str())
}

/// The digits of a span id that tell it from others: all zeros on the left of an OTLP id are left out.
pub(super) fn short_span(span: SpanId) -> String {
    let text = span.to_string().replace('-', "");
    text.get(16..).unwrap_or(&text).to_owned()
}

/// The lines a receipt cites, as plain text.
pub(super) fn place(receipt: &Receipt) -> String {
    match &receipt.locator {
        Locator::Span { span_id, pointer } => format!("span {} {pointer}", short_span(*span_id)),
        Locator::Violation { id } => format!("violation {id}"),
        Locator::File { commit, path, first_line, last_line, .. } => {
            format!("{} at {}", file_lines(path, *first_line, *last_line), short_commit(commit))
        }
        Locator::Tool { event } => format!("event {event}"),
        Locator::Nowhere { cited, .. } => cited.clone(),
    }
}

/// Lines of a file, as editors read it.
pub(super) fn file_lines(path: &RepoPath, first: u32, last: u32) -> String {
    if first == last { format!("{path}:{first}") } else { format!("{path}:{first}-{last}") }
}

/// Makes permanent links to lines on forges that the host named.
#[derive(Debug)]
pub(super) struct Permalinks<'a> {
    pub(super) repository: Option<&'a RepositoryUrl>,
    pub(super) forge_hosts: &'a [&'a str],
}

impl Permalinks<'_> {
    /// The place of a receipt in Markdown: a link where there is one, else code.
    pub(super) fn markdown(&self, receipt: &Receipt) -> String {
        let linked = match &receipt.locator {
            Locator::File { commit, path, first_line, last_line, .. } => self
                .address(commit, path, *first_line, *last_line)
                .and_then(|address| link(&file_lines(path, *first_line, *last_line), &address)),
            _ => None,
        };
        linked.unwrap_or_else(|| code(&place(receipt)))
    }

    fn address(&self, commit: &CommitId, path: &RepoPath, first: u32, last: u32) -> Option<String> {
        let url = self.repository?.as_str();
        let (host, _) = url.strip_prefix("https://")?.split_once('/')?;
        let known = host == "github.com" || self.forge_hosts.contains(&host);
        let range = if first == last { format!("#L{first}") } else { format!("#L{first}-L{last}") };
        known.then(|| format!("{url}/blob/{commit}/{}{range}", encoded(path)))
    }
}

/// The path with everything but unreserved characters of RFC 3986 encoded.
fn encoded(path: &RepoPath) -> String {
    let mut out = String::with_capacity(path.as_str().len());
    for byte in path.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_go_to_named_forges_only() {
        let commit = CommitId::new("a".repeat(40)).unwrap();
        let path = RepoPath::new("a b/ü#1.py").unwrap();
        let address = |url: &str| {
            let url: RepositoryUrl = url.parse().unwrap();
            Permalinks { repository: Some(&url), forge_hosts: &["git.example.com"] }
                .address(&commit, &path, 3, 5)
        };
        let tail = format!("/blob/{commit}/a%20b/%C3%BC%231.py#L3-L5");
        assert_eq!(address("git@github.com:o/r").unwrap(), format!("https://github.com/o/r{tail}"));
        assert_eq!(
            address("https://git.example.com/o/r").unwrap(),
            format!("https://git.example.com/o/r{tail}")
        );
        assert_eq!(address("https://github.com.evil.example/o/r"), None);
        assert_eq!(address("file:///srv/r"), None);
    }
}
