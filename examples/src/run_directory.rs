//! What a run leaves on disk: `run.json`, `transcript.jsonl` and, where there is a fix, `patch.diff`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::follow::Finished;

/// The files could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct WriteError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Writes the files into a directory named after the run, below `parent`, and returns the path of `run.json`.
///
/// # Errors
/// When one of them cannot be written.
pub fn write(parent: &Path, run: &Finished) -> Result<PathBuf, WriteError> {
    let directory = parent.join(run.artifact.run_id.to_string());
    fs::create_dir_all(&directory).map_err(|source| WriteError { path: directory.clone(), source })?;
    let transcript: Vec<_> = run.events.iter().map(json).collect();
    save(directory.join("transcript.jsonl"), &(transcript.join("\n") + "\n"))?;
    if let Some(fix) = &run.artifact.fix {
        save(directory.join("patch.diff"), &fix.diff)?;
    }
    // Last, so that an artifact is never there without what it speaks of.
    let artifact = directory.join("run.json");
    save(artifact.clone(), &(json(&run.artifact) + "\n"))?;
    Ok(artifact)
}

/// A value as one line of JSON.
pub fn json(value: &impl serde::Serialize) -> String {
    // The types of an artifact have string keys only, so this cannot fail.
    serde_json::to_string(value).unwrap_or_default()
}

fn save(path: PathBuf, text: &str) -> Result<(), WriteError> {
    fs::write(&path, text).map_err(|source| WriteError { path, source })
}
