//! Bringing all files of a commit here through the API, and proving that they are those of the commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use git2::{ObjectType, Oid};
use staso_core::id::CommitId;
use staso_core::vcs::{TreeEntryKind, VcsError};

use super::listing::Listing;
use super::source::Source;
use super::{archive, kept};
use crate::git::{CommitStore, GitRepository};
use crate::github::tree::{Entry, encode};
use crate::limits::GitLimits;

/// Longest compressed archive, in bytes.
const ARCHIVE_BYTES: usize = 256 << 20;
/// Files that are asked for one by one rather than with an archive.
const FEW_FILES: usize = 8;
/// Files that are asked for one by one when the archive leaves them out.
const MAX_LEFT_OUT: usize = 500;

/// Stores the files of a commit below their ids, and its tree as that of the commit.
pub(super) async fn import(
    source: &Source<'_>,
    listing: &Arc<Listing>,
    store: &CommitStore,
    commit: &CommitId,
) -> Result<(), VcsError> {
    check(listing, &source.parts.limits)?;
    let _lock = store.lock(source.ctx).await?;
    if kept::holds(store, commit, source.ctx).await? {
        return Ok(());
    }
    let root = source.root(commit).await?;
    let mut missing = missing(source, listing, store).await?;
    if missing.len() > FEW_FILES {
        let archive = source.archive(commit, ARCHIVE_BYTES).await?;
        let listed = Arc::clone(listing);
        let unpack =
            move |repository: &GitRepository, stop: &_| archive::unpack(repository, &archive, &listed, stop);
        store.work("unpacking an archive", source.ctx, unpack).await?;
        missing = self::missing(source, listing, store).await?;
    }
    if missing.len() > MAX_LEFT_OUT {
        let what = "the number of files that are not in the archive of the commit".to_owned();
        return Err(VcsError::TooLarge { what, limit: format!("{MAX_LEFT_OUT} files; install git") });
    }
    for (id, size_bytes) in missing {
        let bytes = source.blob(id, size_bytes).await?;
        let write =
            move |repository: &GitRepository, _: &_| write(repository, ObjectType::Blob, &bytes).map(drop);
        store.work("storing a file", source.ctx, write).await?;
    }
    let (listing, commit) = (Arc::clone(listing), commit.clone());
    let finish = move |repository: &GitRepository, _: &_| {
        build(repository, &listing, root)?;
        repository.keep_tree(&commit, root)
    };
    store.work("storing a tree", source.ctx, finish).await
}

/// Bounds are checked on what is listed, before anything is brought.
fn check(listing: &Listing, limits: &GitLimits) -> Result<(), VcsError> {
    let too_large = |what: &str, limit: String| Err(VcsError::TooLarge { what: what.to_owned(), limit });
    if !listing.complete || listing.entries.len() > limits.checkout_entries {
        return too_large("the number of files", format!("{} files", limits.checkout_entries));
    }
    if let Some(large) = listing.entries.iter().find(|entry| entry.size_bytes > limits.file_bytes) {
        return too_large(&large.path, format!("{} bytes", limits.file_bytes));
    }
    let bytes = listing.entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.size_bytes));
    if bytes > limits.checkout_bytes {
        return too_large("the checkout", format!("{} bytes", limits.checkout_bytes));
    }
    Ok(())
}

/// The files that are not here, with their sizes.
async fn missing(
    source: &Source<'_>,
    listing: &Arc<Listing>,
    store: &CommitStore,
) -> Result<BTreeMap<Oid, u64>, VcsError> {
    let listing = Arc::clone(listing);
    let look = move |repository: &GitRepository, _: &_| {
        let odb = repository.git().odb().map_err(|error| repository.fail("opening the objects", error))?;
        let has_content = |entry: &&Entry| !matches!(entry.kind(), None | Some(TreeEntryKind::Submodule));
        let files = listing.entries.iter().filter(has_content).map(|entry| (entry.id, entry.size_bytes));
        Ok(files.filter(|(id, _)| !odb.exists(*id)).collect())
    };
    store.work("looking for files", source.ctx, look).await
}

/// Makes every directory of the listing. Its id covers names, modes and ids of what is in it, so when the root has the
/// id that the commit says, all of it is as the commit says.
fn build(repository: &GitRepository, listing: &Listing, root: Oid) -> Result<(), VcsError> {
    let mut directories: BTreeMap<&str, (Oid, Vec<_>)> = BTreeMap::from([("", (root, Vec::new()))]);
    for entry in listing.entries.iter().filter(|entry| entry.kind().is_none()) {
        directories.insert(&entry.path, (entry.id, Vec::new()));
    }
    for entry in &listing.entries {
        let (parent, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
        if let Some((_, children)) = directories.get_mut(parent) {
            children.push((name, entry.mode, entry.id));
        }
    }
    for (id, children) in directories.into_values() {
        if write(repository, ObjectType::Tree, &encode(children))? != id {
            let reason =
                "what the API lists does not make up the tree of the commit, as when a name is not UTF-8; \
                          install git on this machine"
                    .to_owned();
            return Err(VcsError::Unreadable { url: repository.url().clone(), reason });
        }
    }
    Ok(())
}

fn write(repository: &GitRepository, kind: ObjectType, bytes: &[u8]) -> Result<Oid, VcsError> {
    let odb = repository.git().odb().map_err(|error| repository.fail("opening the objects", error))?;
    odb.write(kind, bytes).map_err(|error| repository.fail("storing an object", error))
}
