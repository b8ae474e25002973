//! Credentials in what is about to be published.

use std::collections::BTreeSet;

use staso_core::redaction::Redactor;
use staso_core::vcs::{ChangeSet, FileEdit, VcsError};

/// The texts of a proposal are read by more people than its files.
pub(crate) fn check_texts(changes: &ChangeSet, redactor: &Redactor) -> Result<(), VcsError> {
    for (what, text) in
        [("title", &changes.title), ("commit message", &changes.message), ("text", &changes.body)]
    {
        if redactor.finds(text) {
            let reason = format!("its {what} holds what looks like a credential");
            return Err(VcsError::InvalidChange { reason });
        }
    }
    Ok(())
}

/// The files that hold what looks like a credential. What they held before is not looked at yet.
pub(crate) fn suspects<'a>(
    changes: &'a ChangeSet,
    redactor: &Redactor,
) -> impl Iterator<Item = &'a FileEdit> {
    let holds = |edit: &&FileEdit| {
        edit.after.as_ref().is_some_and(|new| redactor.finds(&String::from_utf8_lossy(&new.bytes)))
    };
    changes.edits.iter().filter(holds)
}

/// Refuses a credential in lines that were not there before. The lines are read together, so that one that is spread
/// over several is found too.
pub(crate) fn check_added(edit: &FileEdit, before: &[u8], redactor: &Redactor) -> Result<(), VcsError> {
    let Some(new) = &edit.after else { return Ok(()) };
    let (before, after) = (String::from_utf8_lossy(before), String::from_utf8_lossy(&new.bytes));
    let before: BTreeSet<&str> = before.lines().collect();
    let added: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
    if redactor.finds(&added.join("\n")) {
        let what = "what looks like a credential".to_owned();
        return Err(VcsError::SecretInChange { path: edit.path.clone(), what });
    }
    Ok(())
}
