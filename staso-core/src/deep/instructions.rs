//! What a repository says to agents that work in it: data of lower trust.

use crate::code::{CodeSnapshot, RepoPath};
use crate::redaction::Redactor;
use crate::run::{Note, RunContext};
use crate::sandbox::{SandboxError, SandboxSession};
use crate::trace::{cut_middle, legible};

const NAMES: [&str; 6] = [
    "AGENTS.md",
    "CLAUDE.md",
    "GEMINI.md",
    ".cursorrules",
    ".github/copilot-instructions.md",
    "CONTRIBUTING.md",
];
/// Shown of one file, in bytes.
const MAX_FILE_BYTES: usize = 4 * 1024;
/// Shown of all, in bytes, about.
const MAX_BYTES: usize = 12 * 1024;
/// Larger files are not read, in bytes.
const MAX_READ_BYTES: u64 = 256 * 1024;

/// The instruction files of the repository, cut. Call it before any tool has run in the session.
///
/// # Errors
/// When the run was cancelled or the session is gone.
pub(super) async fn read(
    code: Option<&CodeSnapshot>,
    session: &dyn SandboxSession,
    redactor: &Redactor,
    ctx: &RunContext,
) -> Result<String, SandboxError> {
    let mut text = String::new();
    for name in NAMES {
        let Ok(path) = RepoPath::new(name) else { continue };
        let known = code.and_then(|code| code.file(&path)).map(|file| file.text.to_string());
        let content = match known {
            Some(content) => Some(content),
            None => match session.read_file(&path, MAX_READ_BYTES, ctx).await {
                Ok(bytes) => String::from_utf8(bytes).ok(),
                Err(error @ (SandboxError::Cancelled | SandboxError::Closed)) => return Err(error),
                Err(_) => None,
            },
        };
        let Some(content) = content.filter(|content| !content.trim().is_empty()) else { continue };
        ctx.note(Note::File(name.to_owned()));
        let shown = cut_middle(&legible(&content, redactor), MAX_FILE_BYTES);
        if text.len() + shown.len() <= MAX_BYTES {
            text.push_str(&format!("{name}\n{}\n\n", shown.trim_end()));
        } else {
            text.push_str(&format!("{name}: not shown here, read it when it matters\n\n"));
        }
    }
    Ok(text)
}
