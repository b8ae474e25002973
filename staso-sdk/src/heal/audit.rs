//! Holding an artifact against what is kept on this machine.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use staso_core::code::{CodeSnapshot, RepoPath, SourceFile};
use staso_core::diagnosis::Locator;
use staso_core::id::CommitId;
use staso_core::run::{
    AuditFinding, AuditInputs, RunArtifact, RunContext, StoreError, Subject, TraceStore as _, verify_artifact,
};
use staso_core::trace::SourceRevision;
use staso_core::vcs::{FileContent, VcsError, VcsProvider};

use super::Local;

/// Largest cited file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 8 << 20;
/// Longest transcript that is read, in bytes: 100,000 events of a few KiB.
const MAX_TRANSCRIPT_BYTES: u64 = 512 << 20;

/// An artifact cannot be checked, because what it is to be held against is not there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The artifact is about a conversation, not about one trace.
    #[error("artifacts about conversations cannot be checked")]
    Conversation,
    /// The trace cannot be read.
    #[error("cannot read the trace that the artifact is about")]
    Trace(#[source] StoreError),
    /// The cited code cannot be read.
    #[error("cannot read the code that the artifact cites")]
    Code(#[source] VcsError),
    /// The transcript cannot be read.
    #[error("cannot read {}", path.display())]
    Transcript {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Local {
    /// Checks an artifact again, without a model: its trace, read from the store, the files that its receipts cite, read
    /// from the repository at the commit, and the transcript of the run. An empty list means that every statement that
    /// could be checked holds.
    ///
    /// # Errors
    /// When one of the three is not there any more.
    pub async fn verify(&self, artifact: &RunArtifact) -> Result<Vec<AuditFinding>, VerifyError> {
        let Subject::TraceId(trace_id) = artifact.subject else { return Err(VerifyError::Conversation) };
        let ctx = RunContext::new(artifact.run_id, self.clock().clone());
        let trace =
            self.store().get(&artifact.workspace, trace_id, &ctx).await.map_err(VerifyError::Trace)?;
        let code = cited_code(artifact, &**self.vcs(), &ctx).await.map_err(VerifyError::Code)?;
        let transcript = read_transcript(self.run_directory(artifact.run_id)).await?;
        let mut inputs = AuditInputs::new(&trace).with_transcript(&transcript).with_redactor(self.redactor());
        if let Some(code) = &code {
            inputs = inputs.with_code(code);
        }
        Ok(verify_artifact(artifact, &inputs))
    }
}

/// Exactly the files that receipts cite; `None` when they cite none. A file that is not there is left out.
async fn cited_code(
    artifact: &RunArtifact,
    vcs: &dyn VcsProvider,
    ctx: &RunContext,
) -> Result<Option<CodeSnapshot>, VcsError> {
    let (Some(commit), paths) = (&artifact.source.commit, cited_paths(artifact)) else { return Ok(None) };
    if paths.is_empty() {
        return Ok(None);
    }
    let revision = SourceRevision {
        repository_url: artifact.source.repository_url.clone(),
        branch: artifact.source.branch.clone(),
        commit: Some(commit.clone()),
        dirty: artifact.source.dirty,
    };
    let repository = vcs.resolve(&revision, ctx).await?.repository;
    let mut code = CodeSnapshot::new(commit.clone(), Vec::new(), true);
    for path in paths {
        match vcs.read_file(&repository, commit, path, MAX_FILE_BYTES, ctx).await {
            Ok(FileContent::Text { text, blob, executable }) => {
                code.insert(path.clone(), SourceFile { blob, text, executable });
            }
            Ok(_) | Err(VcsError::FileNotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(code))
}

fn cited_paths(artifact: &RunArtifact) -> Vec<&RepoPath> {
    let receipts = artifact.diagnosis.iter().flat_map(|diagnosis| &diagnosis.receipts);
    let of_commit = |commit: &CommitId| artifact.source.commit.as_ref() == Some(commit);
    let mut paths: Vec<_> = receipts
        .filter_map(|receipt| match &receipt.locator {
            Locator::File { commit, path, .. } if of_commit(commit) => Some(path),
            _ => None,
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

async fn read_transcript(directory: PathBuf) -> Result<String, VerifyError> {
    let path = directory.join("transcript.jsonl");
    let file = path.clone();
    let read = tokio::task::spawn_blocking(move || read_text(&file)).await;
    read.unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|source| VerifyError::Transcript { path, source })
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(MAX_TRANSCRIPT_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_TRANSCRIPT_BYTES) {
        return Ok(text);
    }
    Err(io::Error::other(format!("it is longer than {MAX_TRANSCRIPT_BYTES} bytes")))
}
