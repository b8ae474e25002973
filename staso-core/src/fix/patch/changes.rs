//! A patch from what a session did to its checkout.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

use super::{Patch, PatchError, PatchFile};
use crate::code::{CodeSnapshot, RepoPath};
use crate::redaction::is_hidden;
use crate::sandbox::SessionChange;

/// The changed files, without those that stayed as they were.
pub(super) fn collect(
    base: &CodeSnapshot,
    changes: &BTreeMap<RepoPath, SessionChange>,
) -> Result<BTreeMap<RepoPath, PatchFile>, PatchError> {
    if changes.len() > Patch::MAX_FILES {
        return Err(PatchError::TooManyFiles { files: changes.len(), limit: Patch::MAX_FILES });
    }
    let mut files = BTreeMap::new();
    for (path, change) in changes {
        if let Some(file) = one(base, path, change)? {
            files.insert(path.clone(), file);
        }
    }
    check_new_files(base.paths(), &files)?;
    Ok(files)
}

/// Refuses a new file whose path, or a directory of it, is taken for an existing one that is written differently, and
/// one below something that is no directory.
pub(super) fn check_new_files(
    existing: &[RepoPath],
    files: &BTreeMap<RepoPath, PatchFile>,
) -> Result<(), PatchError> {
    let created: Vec<&RepoPath> =
        files.iter().filter(|(_, file)| file.is_new()).map(|(path, _)| path).collect();
    if created.is_empty() { Ok(()) } else { check_collisions(existing, &created) }
}

fn one(
    base: &CodeSnapshot,
    path: &RepoPath,
    change: &SessionChange,
) -> Result<Option<PatchFile>, PatchError> {
    let path = path.clone();
    match change {
        SessionChange::Written { content, executable } => written(base, path, content, *executable),
        SessionChange::Deleted => Err(PatchError::Deleted { path }),
        SessionChange::Symlink { .. } => Err(PatchError::Symlink { path }),
        SessionChange::Refused { why } => Err(PatchError::Refused { path, why: why.clone() }),
    }
}

/// Whether the commit has the path, as far as the snapshot knows, read or not.
pub(super) fn is_there(code: &CodeSnapshot, path: &RepoPath) -> bool {
    code.paths().binary_search(path).is_ok()
        || code.listed(path).is_some()
        || code.skipped().iter().any(|file| file.path == *path)
}

fn written(
    base: &CodeSnapshot,
    path: RepoPath,
    content: &[u8],
    executable: bool,
) -> Result<Option<PatchFile>, PatchError> {
    let known = base.file(&path);
    if known.is_none() && is_there(base, &path) {
        return Err(PatchError::UnknownFile { path });
    }
    match known {
        Some(file) if file.executable != executable => return Err(PatchError::ModeChanged { path }),
        None if executable => return Err(PatchError::NewExecutable { path }),
        None => check_new_name(&path)?,
        Some(_) => {}
    }
    if content.len() > Patch::MAX_FILE_BYTES {
        let (bytes, limit_bytes) = (content.len(), Patch::MAX_FILE_BYTES);
        return Err(PatchError::TooLarge { path, bytes, limit_bytes });
    }
    let text = match std::str::from_utf8(content) {
        Ok(text) if !text.contains('\0') => text,
        _ => return Err(PatchError::NotText { path }),
    };
    let after: Arc<str> = text.into();
    Ok(match known {
        Some(file) if file.text == after => None,
        Some(file) => Some(PatchFile::changed(file.clone(), after)),
        None => Some(PatchFile::created(after)),
    })
}

/// Refuses names that a Windows or macOS checkout would not write as they are. Only asked about new files: what the
/// repository has is its own choice. Those that reach into `.git` are no [`RepoPath`] at all.
fn check_new_name(path: &RepoPath) -> Result<(), PatchError> {
    let problem = path.components().find_map(|part| {
        let stem = part.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
        if part.ends_with(['.', ' ']) || part.starts_with(' ') {
            Some("it begins with a blank or ends in a blank or a dot")
        } else if part.chars().any(|c| is_hidden(c) || c.is_control()) {
            Some("it holds a character that shows nothing")
        } else if part.contains([':', '<', '>', '"', '|', '?', '*']) {
            Some("it holds a character that Windows forbids or reads as a stream")
        } else if is_short_name(&stem) {
            Some("it looks like a short name of NTFS")
        } else if is_device(&stem) {
            Some("it is a device on Windows")
        } else {
            None
        }
    });
    problem.map_or(Ok(()), |reason| Err(PatchError::UnsafeName { path: path.clone(), reason }))
}

/// `GITHUB~1` and the like, by which NTFS also finds `.github`.
fn is_short_name(stem: &str) -> bool {
    stem.len() <= 8
        && stem
            .rsplit_once('~')
            .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_device(stem: &str) -> bool {
    let numbered = |name| {
        stem.strip_prefix(name)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    matches!(stem, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

/// The path as file systems compare it that ignore case and Unicode form.
pub(in crate::fix) fn folded(path: &str) -> String {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    path.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
}

fn check_collisions(existing: &[RepoPath], created: &[&RepoPath]) -> Result<(), PatchError> {
    // A name as it is compared, and whose path that is.
    let mut taken: BTreeMap<String, &RepoPath> = BTreeMap::new();
    let mut directories = BTreeSet::new();
    for path in existing {
        for (part, is_file) in prefixes(path) {
            if is_file || directories.insert(part) {
                taken.entry(folded(part)).or_insert(path);
            }
        }
    }
    for &path in created {
        for (part, is_file) in prefixes(path) {
            if !is_file && directories.contains(part) {
                continue;
            }
            if let Some(owner) = taken.get(&folded(part)) {
                return Err(PatchError::Collision { path: path.clone(), existing: RepoPath::clone(owner) });
            }
            taken.insert(folded(part), path);
            if !is_file {
                directories.insert(part);
            }
        }
    }
    Ok(())
}

/// Every directory above a path and the path itself, with whether it is the path itself.
fn prefixes(path: &RepoPath) -> impl Iterator<Item = (&str, bool)> {
    let text = path.as_str();
    let directories = text.match_indices('/').filter_map(move |(at, _)| text.get(..at));
    directories.map(|part| (part, false)).chain([(text, true)])
}
