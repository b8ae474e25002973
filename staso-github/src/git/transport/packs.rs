//! Making many packs one, with libgit2.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use git2::Repository;
use tokio_util::sync::CancellationToken;

use super::TransportError;

/// Writes all objects of a repository into one pack and removes the others. Nobody else reads it meanwhile.
pub(super) fn join(directory: &Path, stop: &CancellationToken) -> Result<(), TransportError> {
    let packs = directory.join("objects/pack");
    let before = names(&packs)?;
    let repository = Repository::open_bare(directory)?;
    let odb = repository.odb()?;
    let mut builder = repository.packbuilder()?;
    let mut failed = None;
    let walked = odb.foreach(|oid| {
        failed = builder.insert_object(*oid, None).err();
        !stop.is_cancelled() && failed.is_none()
    });
    if stop.is_cancelled() {
        return Err(TransportError::Cancelled);
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    walked?;
    builder.write(&packs, 0o444)?;
    let made = builder.name()?.map(str::to_owned);
    drop((odb, builder));
    for name in before {
        if made.as_ref().is_none_or(|made| !name.to_string_lossy().contains(made.as_str())) {
            fs::remove_file(packs.join(name))?;
        }
    }
    Ok(())
}

fn names(packs: &Path) -> io::Result<Vec<OsString>> {
    fs::read_dir(packs)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

impl From<git2::Error> for TransportError {
    fn from(error: git2::Error) -> Self {
        Self::Failed { reason: error.message().to_owned() }
    }
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        Self::Failed { reason: error.to_string() }
    }
}
