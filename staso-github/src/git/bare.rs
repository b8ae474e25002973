//! What all bare repositories below the data directory have in common: how they are made, cleaned and packed.
//!
//! Beside `<name>.git` stand `<name>.lock`, held by whoever fetches into it, and `<name>.packs`, shared by all who read
//! and held alone while packs are replaced.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use git2::{Repository, RepositoryInitOptions};
use staso_core::run::RunContext;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::VcsError;

use super::checkout::remove_tree;
use super::data::{self, Hold};
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
