//! What all bare repositories below the data directory have in common: how they are made, cleaned and packed.
//!
//! Beside `<name>.git` stand `<name>.lock`, held by whoever fetches into it, `<name>.packs`, shared by all who read and
//! held alone while packs are replaced, and `<name>.use`, shared by all who do either and held alone by who removes the
//! repository. That comes before the others, and its time is the last use. A repository that is to be removed is first
//! given the name `<name>.away`.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use git2::{Repository, RepositoryInitOptions};
use staso_core::run::RunContext;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::VcsError;

use super::checkout::remove_tree;
use super::data::{self, Hold};
use super::in_use::InUse;
use super::leftovers::remove_leftovers;
use super::transport::GitTransport;
use crate::blocking::{self, Stop};
use crate::error;
use crate::limits::GitLimits;

/// Files of packs and their indexes after which they are made one.
const MAX_PACK_FILES: usize = 60;

/// Waits until nobody else fetches into `directory`, and makes it ready to be fetched into. The lock is held until the
/// file is dropped.
pub(super) async fn lock(directory: &Path, limits: &GitLimits, ctx: &RunContext) -> Result<File, VcsError> {
    let path = directory.with_extension("lock");
    let held = data::wait(&path, Hold::Alone, "waiting for another fetch", limits.fetch, ctx).await?;
    let directory = directory.to_owned();
    let operation = "preparing a repository";
    blocking::run(ctx, operation, limits.operation, move |_| {
        prepare(&directory).map(|()| held).map_err(|error| error::backend(operation, error))
    })
    .await
}

/// While it lives, no pack of `directory` is replaced.
pub(super) fn read_lock(directory: &Path, stop: &Stop) -> Result<File, VcsError> {
    data::lock(&directory.with_extension("packs"), Hold::Shared, stop)
}

/// Makes many packs one, unless someone reads them.
pub(super) async fn compact(
    directory: &Path,
    transport: &dyn GitTransport,
    url: &RepositoryUrl,
    ctx: &RunContext,
) -> Result<(), VcsError> {
    let packs = fs::read_dir(directory.join("objects/pack")).into_iter().flatten();
    if packs.count() <= MAX_PACK_FILES {
        return Ok(());
    }
    let lock = data::try_lock(&directory.with_extension("packs"), Hold::Alone);
    let Some(_alone) = lock.map_err(|error| error::backend("locking a repository", error))? else {
        return Ok(());
    };
    transport.compact(directory, ctx).await.map_err(|error| error.into_vcs("packing a repository", url))
}

/// Empties a repository that has become too large over time, when nobody else uses it and no proposal is known by it
/// alone. Whether that made it smaller. The lock for fetching is held.
pub(super) async fn start_over(
    directory: &Path,
    in_use: &InUse,
    limits: &GitLimits,
    ctx: &RunContext,
) -> Result<bool, VcsError> {
    let (directory, in_use) = (directory.to_owned(), in_use.clone());
    let operation = "emptying a repository";
    blocking::run(ctx, operation, limits.operation, move |stop| {
        let fail = |error| error::backend(operation, error);
        // What the fetch that was too large brought is no reason.
        remove_leftovers(&directory).map_err(fail)?;
        if packed_bytes(&directory) == 0 || holds_proposals(&directory) {
            return Ok(false);
        }
        let emptied = in_use.alone(stop, || remove_tree(&directory))?;
        prepare(&directory).map_err(fail)?;
        emptied.transpose().map(|emptied| emptied.is_some()).map_err(fail)
    })
    .await
}

/// The size of the packs of a repository, half-received ones included.
pub(super) fn packed_bytes(directory: &Path) -> u64 {
    let packs = fs::read_dir(directory.join("objects/pack")).into_iter().flatten();
    packs.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
}

/// Whether a repository has the record of a proposal, which nothing else may know.
pub(super) fn holds_proposals(directory: &Path) -> bool {
    let Ok(repository) = Repository::open_bare(directory) else { return false };
    repository.references_glob("refs/staso/proposals/*").is_ok_and(|mut found| found.next().is_some())
}

/// Makes the bare repository, or removes what a killed git left in it. The lock is held: nobody is at work there.
fn prepare(directory: &Path) -> io::Result<()> {
    if directory.exists() {
        return remove_leftovers(directory);
    }
    let temporary = directory.with_extension("tmp");
    remove_tree(&temporary)?;
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false).mkpath(true);
    Repository::init_opts(&temporary, &options).map(drop).map_err(io::Error::other)?;
    fs::rename(&temporary, directory)
}
