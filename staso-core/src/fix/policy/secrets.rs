//! No credential leaves with a change.

use std::collections::BTreeSet;

use super::PolicyViolation;
use crate::code::RepoPath;
use crate::fix::PatchFile;
use crate::redaction::Redactor;

/// Refuses a change that writes what looks like a credential, and does not repeat it. The lines are read together, so
/// that one that is spread over several is found too. What was there before is not ours to judge.
pub(super) fn check_file(
    path: &RepoPath,
    file: &PatchFile,
    redactor: &Redactor,
) -> Result<(), PolicyViolation> {
    let before: BTreeSet<&str> = file.before().lines().collect();
    let added: Vec<&str> = file.after().lines().filter(|line| !before.contains(line)).collect();
    if redactor.finds(&added.join("\n")) {
        let reason = format!("an added line of {path} looks like a credential");
        return Err(PolicyViolation::new("secrets-in-diff", reason));
    }
    if file.is_new() && redactor.finds(path.as_str()) {
        return Err(PolicyViolation::new(
            "secrets-in-diff",
            "the name of a new file looks like a credential",
        ));
    }
    Ok(())
}

pub(super) fn check_text(what: &str, text: &str, redactor: &Redactor) -> Result<(), PolicyViolation> {
    if redactor.finds(text) {
        return Err(PolicyViolation::new(
            "secrets-in-text",
            format!("{what} holds what looks like a credential"),
        ));
    }
    Ok(())
}
