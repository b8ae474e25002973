//! Taking the files out of an archive that the API gives of a commit.
//!
//! Nothing is written under a name of the archive's: what an entry holds is stored by the id that the listing says it
//! has, and only when it has that id. Paths, links and owners in the archive have no effect.

use std::collections::HashMap;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use git2::{ObjectType, Odb, Oid};
use staso_core::vcs::VcsError;
use tar::Archive;

use super::listing::Listing;
use super::source::bad_answer;
use crate::blocking::Stop;
use crate::git::GitRepository;
use crate::github::tree::Entry;

/// Bytes that an archive may have for each entry, beyond its content: headers and padding.
const ENTRY_BYTES: u64 = 4096;

/// Stores the listed files that the archive holds unchanged.
pub(super) fn unpack(
    repository: &GitRepository,
    archive: &[u8],
    listing: &Listing,
    stop: &Stop,
) -> Result<(), VcsError> {
    // A few bytes can unpack to gigabytes, so more than the listed files take is not unpacked.
    let mut archive = Archive::new(GzDecoder::new(archive).take(unpacked_bytes(listing)));
    match store_files(&mut archive, repository, listing, stop) {
        // A repository may have archives hold the content of Git LFS, which takes more than its pointers.
        Err(VcsError::BadAnswer { .. }) if archive.into_inner().limit() == 0 => Ok(()),
        stored => stored,
    }
}

fn store_files(
    archive: &mut Archive<impl Read>,
    repository: &GitRepository,
    listing: &Listing,
    stop: &Stop,
) -> Result<(), VcsError> {
    let odb = repository.git().odb().map_err(|error| repository.fail("opening the objects", error))?;
    let files: HashMap<&[u8], &Entry> =
        listing.entries.iter().map(|entry| (entry.path.as_bytes(), entry)).collect();
    for entry in archive.entries().map_err(broken)? {
        stop.check()?;
        let mut entry = entry.map_err(broken)?;
        let listed = {
            let path = entry.path_bytes();
            // All files stand in one directory that is named after the commit.
            let below = path.iter().position(|byte| *byte == b'/').and_then(|at| path.get(at + 1..));
            below.and_then(|path| files.get(path).copied())
        };
        let Some(listed) = listed.filter(|listed| listed.kind().is_some() && !odb.exists(listed.id)) else {
            continue;
        };
        if let Some(bytes) = content(&mut entry, listed.size_bytes).map_err(broken)? {
            store(repository, &odb, listed.id, &bytes)?;
        }
    }
    Ok(())
}

/// What a file or link of the archive holds, when it is as long as listed.
fn content(entry: &mut tar::Entry<'_, impl Read>, size_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let kind = entry.header().entry_type();
    if kind.is_symlink() {
        return Ok(entry.link_name_bytes().map(std::borrow::Cow::into_owned));
    }
    if !kind.is_file() || entry.size() != size_bytes {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Stores content unless it is another one than wanted, as when attributes change files on the way into an archive.
fn store(repository: &GitRepository, odb: &Odb<'_>, id: Oid, bytes: &[u8]) -> Result<(), VcsError> {
    if Oid::hash_object(ObjectType::Blob, bytes).is_ok_and(|found| found == id) {
        odb.write(ObjectType::Blob, bytes).map_err(|error| repository.fail("storing a file", error))?;
    }
    Ok(())
}

fn unpacked_bytes(listing: &Listing) -> u64 {
    let each = listing.entries.iter().map(|entry| entry.size_bytes.saturating_add(ENTRY_BYTES));
    each.fold(1 << 20, u64::saturating_add)
}

#[expect(clippy::needless_pass_by_value, reason = "it is called with what map_err gives")]
fn broken(error: io::Error) -> VcsError {
    bad_answer(format!("the archive cannot be unpacked: {error}"))
}
