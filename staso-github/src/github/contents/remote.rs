//! Reading a commit through the API, without bringing all of it here first.

use std::sync::Arc;

use staso_core::code::RepoPath;
use staso_core::id::CommitId;
use staso_core::run::RunContext;
use staso_core::vcs::{FileContent, RepositoryRef, Tree, VcsError};

use super::import::import;
use super::listing::{Listing, MAX_REQUESTS};
use super::source::Source;
use crate::git::{CommitStore, FoundFile, blob_id};
use crate::github::api::RepositoryName;
use crate::github::parts::{Parts, commit_key};
use crate::github::tree::{Depth, Entry};

/// Files of one commit that are read one by one; for more, all are brought at once.
const SINGLE_READS: usize = 8;

/// A commit on GitHub.
#[derive(Debug)]
pub(super) struct Remote<'a> {
    parts: &'a Parts,
    name: RepositoryName,
    store: CommitStore,
    commit: &'a CommitId,
    /// What its listing is remembered by.
    key: String,
    ctx: &'a RunContext,
}

impl<'a> Remote<'a> {
    pub(super) fn new(
        parts: &'a Parts,
        repository: &RepositoryRef,
        commit: &'a CommitId,
        ctx: &'a RunContext,
    ) -> Result<Self, VcsError> {
        let (name, store) = (parts.name(repository)?, parts.store(repository)?);
        Ok(Self { parts, name, store, commit, key: commit_key(repository, commit), ctx })
    }

    /// Lists the files.
    pub(super) async fn list_tree(&self, max_entries: usize) -> Result<Tree, VcsError> {
        self.listing(max_entries).await?.tree(max_entries)
    }

    /// Reads a file.
    pub(super) async fn read_file(&self, path: &RepoPath, max_bytes: u64) -> Result<FileContent, VcsError> {
        let listing = self.listing(0).await?;
        let entry = match listing.get(path.as_str()) {
            Some(entry) => Some(entry.clone()),
            None if listing.complete => None,
            None => self.descend(path).await?,
        };
        let missing = || VcsError::FileNotFound { path: path.clone(), commit: self.commit.clone() };
        let entry = entry.ok_or_else(missing)?;
        let kind = entry.kind().ok_or_else(missing)?;
        let found = FoundFile { kind, blob: blob_id(entry.id)?, size_bytes: entry.size_bytes };
        if let Some(content) = found.unread(max_bytes) {
            return Ok(content);
        }
        if listing.count_read() == SINGLE_READS
            && let Err(error) = self.bring().await
        {
            tracing::debug!(%error, "files go on being read one by one");
        }
        Ok(found.read(&self.source().blob(entry.id, entry.size_bytes).await?))
    }

    /// Brings all files here.
    pub(super) async fn bring(&self) -> Result<(), VcsError> {
        let listing = self.listing(self.parts.limits.checkout_entries).await?;
        import(&self.source(), &listing, &self.store, self.commit).await
    }

    /// The listing, at least `wanted` entries of it. It is asked for once: a commit does not change.
    async fn listing(&self, wanted: usize) -> Result<Arc<Listing>, VcsError> {
        let known = self.parts.listings.get(&self.key);
        if let Some(known) = known.as_ref().filter(|known| known.reaches(wanted)) {
            return Ok(Arc::clone(known));
        }
        let listing = Listing::fetch(&self.source(), self.commit, wanted).await?;
        let listing = Arc::new(listing.instead_of(known.as_deref()));
        self.parts.listings.put(self.key.clone(), Arc::clone(&listing));
        Ok(listing)
    }

    /// Goes down to a file of a commit that is too large to be listed.
    async fn descend(&self, path: &RepoPath) -> Result<Option<Entry>, VcsError> {
        if path.components().count() > MAX_REQUESTS {
            let limit = format!("{MAX_REQUESTS} directories that are read one by one");
            return Err(VcsError::TooLarge { what: path.to_string(), limit });
        }
        let mut directory = self.commit.to_string();
        let mut parts = path.components().peekable();
        while let Some(part) = parts.next() {
            let Some(listed) = self.source().list(&directory, Depth::One).await? else { return Ok(None) };
            let Some(entry) = listed.entries.iter().find(|entry| entry.path == part) else {
                return listed.check_whole().map(|()| None);
            };
            if parts.peek().is_none() {
                return Ok(Some(entry.clone()));
            }
            // A submodule has an id, too, and it may be that of a commit which is here.
            if entry.kind().is_some() {
                return Ok(None);
            }
            directory = entry.id.to_string();
        }
        Ok(None)
    }

    const fn source(&self) -> Source<'_> {
        Source { parts: self.parts, name: &self.name, ctx: self.ctx }
    }
}
