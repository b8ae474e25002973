//! A repository in memory, and changes of it.

use std::collections::BTreeMap;

use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::fix::{Patch, PatchError, PathPolicy};
use staso_core::id::{BlobId, CommitId, Digest};
use staso_core::sandbox::SessionChange;

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

/// A commit with these files, all read; `run.sh` is executable.
pub(crate) fn snapshot(files: &[(&str, &str)]) -> CodeSnapshot {
    let mut code = CodeSnapshot::new(CommitId::new("a".repeat(40)).unwrap(), Vec::new(), false);
    for (name, text) in files {
        let blob = BlobId::new(Digest::of(text).hex()).unwrap();
        let executable = name.ends_with("run.sh");
        code.insert(path(name), SourceFile { blob, text: (*text).into(), executable });
    }
    code
}

/// A file that a session wrote, with the mode that [`snapshot`] gives it.
pub(crate) fn written(name: &str, content: impl AsRef<[u8]>) -> (RepoPath, SessionChange) {
    let content = content.as_ref().to_vec();
    (path(name), SessionChange::Written { content, executable: name.ends_with("run.sh") })
}

pub(crate) fn changed(
    base: &CodeSnapshot,
    changes: impl IntoIterator<Item = (RepoPath, SessionChange)>,
) -> Result<Patch, PatchError> {
    Patch::from_changes(base, &changes.into_iter().collect::<BTreeMap<_, _>>())
}

/// The rule that refuses to make `after` of a file; `before` is `None` for a new one.
pub(crate) fn rule(
    policy: &PathPolicy,
    name: &str,
    before: Option<&str>,
    after: &str,
) -> Option<&'static str> {
    let files: Vec<_> = before.map(|text| (name, text)).into_iter().collect();
    let patch = changed(&snapshot(&files), [written(name, after)]).unwrap();
    policy.check(&patch).err().map(|found| found.rule)
}
