//! Who may send traces, and into which workspace.

use std::fmt;

use staso_core::id::{Digest, WorkspaceId};

/// The keys that are accepted, each with the workspace that its traces go to.
///
/// Keys are kept as SHA-256 digests and compared in constant time.
#[derive(Clone)]
pub struct IngestAuth {
    keys: Vec<(Digest, WorkspaceId)>,
    /// Where traces without a key go; `None` refuses them.
    open: Option<WorkspaceId>,
}

impl IngestAuth {
    /// Accepts one key; more with [`with_key`](Self::with_key).
    #[must_use]
    pub fn new(key: impl AsRef<str>, workspace: WorkspaceId) -> Self {
        Self { keys: Vec::new(), open: None }.with_key(key, workspace)
    }

    /// Accepts everyone, whatever key they send. Only for a listener on the loopback interface.
    #[must_use]
    pub const fn without_keys(workspace: WorkspaceId) -> Self {
        Self { keys: Vec::new(), open: Some(workspace) }
    }

    /// Accepts one more key. An empty key is never accepted.
    #[must_use]
    pub fn with_key(mut self, key: impl AsRef<str>, workspace: WorkspaceId) -> Self {
        if !key.as_ref().is_empty() {
            self.keys.push((Digest::of(key.as_ref()), workspace));
        }
        self
    }

    /// The workspace that a key opens. Looks at every key, so that the time tells nothing.
    pub(super) fn workspace_of(&self, key: Option<&[u8]>) -> Option<&WorkspaceId> {
        if let Some(workspace) = &self.open {
            return Some(workspace);
        }
        let given = Digest::of(key.unwrap_or_default());
        let mut found = None;
        for (known, workspace) in &self.keys {
            if equal(known.as_str().as_bytes(), given.as_str().as_bytes()) {
                found = Some(workspace);
            }
        }
        found
    }
}

impl fmt::Debug for IngestAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IngestAuth").field("keys", &self.keys.len()).field("open", &self.open).finish()
    }
}

fn equal(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(name: &str) -> WorkspaceId {
        WorkspaceId::new(name).unwrap()
    }

    #[test]
    fn each_key_opens_its_own_workspace_and_nothing_else_does() {
        let auth = IngestAuth::new("key-a", workspace("a"))
            .with_key("key-b", workspace("b"))
            .with_key("", workspace("c"));
        let name = |key: Option<&[u8]>| auth.workspace_of(key).map(WorkspaceId::as_str);
        assert_eq!(name(Some(b"key-a")), Some("a"));
        assert_eq!(name(Some(b"key-b")), Some("b"));
        for wrong in [None, Some(&b""[..]), Some(b"key-"), Some(b"key-a "), Some(b"\xff")] {
            assert_eq!(name(wrong), None, "{wrong:?}");
        }
        assert!(!format!("{auth:?}").contains("key-a"));
    }
}
