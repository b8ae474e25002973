//! The revision that the attributes of a root span or a resource name.

use serde_json::Value;
use staso_core::id::{BranchName, CommitId};
use staso_core::trace::{RepositoryUrl, SourceRevision};

use super::attributes::Attributes;
use super::fields;

/// Takes the revision out of the attributes. Values that name none stay where they are, without credentials: a bad
/// branch must not lose the trace.
pub(super) fn take_source(attributes: &mut Attributes) -> SourceRevision {
    if attributes.0.is_empty() {
        return SourceRevision::default();
    }
    let source = SourceRevision {
        commit: attributes.take_parsed(fields::COMMIT, commit),
        branch: attributes.take_parsed(fields::BRANCH, branch),
        repository_url: attributes.take_parsed(fields::REPOSITORY, |text| text.parse::<RepositoryUrl>().ok()),
        dirty: take_dirty(attributes),
    };
    for key in fields::REPOSITORY {
        if let Some(Value::String(address)) = attributes.0.get_mut(*key) {
            *address = without_credentials(address);
        }
    }
    source
}

fn commit(text: &str) -> Option<CommitId> {
    CommitId::new(text.trim().to_ascii_lowercase()).ok()
}

fn branch(text: &str) -> Option<BranchName> {
    let text = text.trim();
    BranchName::new(text.strip_prefix("refs/heads/").unwrap_or(text)).ok()
}

fn take_dirty(attributes: &mut Attributes) -> Option<bool> {
    let truth = |value: &Value| match value {
        Value::Bool(dirty) => Some(*dirty),
        Value::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    };
    let (key, dirty) = fields::DIRTY.iter().find_map(|key| Some((*key, truth(attributes.0.get(*key)?)?)))?;
    attributes.0.remove(key);
    Some(dirty)
}

/// The address with everything between `//` and the last `@` of its host part cut out.
fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}
