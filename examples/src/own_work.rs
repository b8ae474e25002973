//! Healing the failed runs in a file.

use std::io::{self, Read as _, Write};
use std::path::Path;

use staso_core::heal::HealRequest;
use staso_core::id::TraceId;
use staso_core::run::{OutcomeState, RunArtifact, StoreError, TraceBatch, TracePart};
use staso_core::verify::TestCommand;
use tokio_util::sync::CancellationToken;

use crate::follow::{Finished, FollowError, follow};
use crate::options::OwnWork;
use crate::station::Station;
use crate::terminal::{Terminal, Tone};

/// Largest file, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// A file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refuses.
    #[error("{file}: cannot read it")]
    Io {
        /// The file, as the user named it.
        file: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is larger than [`MAX_FILE_BYTES`].
    #[error("{file}: larger than {} MiB", MAX_FILE_BYTES >> 20)]
    TooLarge {
        /// The file, as the user named it.
        file: String,
    },
}

/// The run of a trace could not be brought to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnWorkError {
    /// The trace could not be kept.
    #[error("cannot keep the trace")]
    Store(#[from] StoreError),
    /// The run could not be watched.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The output is closed.
    #[error("cannot write to the terminal")]
    Output(#[from] io::Error),
}

/// The bytes of a file; `-` is standard input.
///
/// # Errors
/// When it cannot be read or is larger than [`MAX_FILE_BYTES`].
pub fn read(file: &Path) -> Result<Vec<u8>, ReadError> {
    let name = file.display().to_string();
    let failed = |source| ReadError::Io { file: name.clone(), source };
    let mut bytes = Vec::new();
    let mut limited: Box<dyn io::Read> = if name == "-" {
        Box::new(io::stdin().lock().take(MAX_FILE_BYTES + 1))
    } else {
        Box::new(std::fs::File::open(file).map_err(failed)?.take(MAX_FILE_BYTES + 1))
    };
    limited.read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE_BYTES) {
        Ok(bytes)
    } else {
        Err(ReadError::TooLarge { file: name })
    }
}

/// Keeps the parts of a file and returns the traces that they belong to, in order.
///
/// # Errors
/// When the store refuses.
pub async fn keep(station: &Station, parts: Vec<TracePart>, key: String) -> Result<Vec<TraceId>, StoreError> {
    let mut ids: Vec<TraceId> = Vec::new();
    for part in &parts {
        if !ids.contains(&part.trace_id) {
            ids.push(part.trace_id);
        }
    }
    let batch = TraceBatch { workspace: station.workspace.clone(), idempotency_key: key, parts };
    station.traces.put(&batch).await?;
    Ok(ids)
}

/// Heals one trace as the user asked.
///
/// # Errors
/// When the run could not be watched. A run that does not heal is no error.
pub async fn heal<W: Write + Send>(
    station: &Station,
    trace_id: TraceId,
    work: &OwnWork,
    cancel: &CancellationToken,
    terminal: &mut Terminal<W>,
) -> Result<Finished, OwnWorkError> {
    terminal.line(&format!("{}  {trace_id}", terminal.look().paint(Tone::Strong, "trace")))?;
    let mut request = HealRequest::new(station.workspace.clone(), trace_id)
        .until(work.until)
        .with_cancellation(cancel.clone());
    if let Some(repository) = &work.repository {
        request = request.with_repository(repository.url.clone());
    }
    if let Some(command) = &work.test_command {
        request = request.with_test_command(TestCommand::shell(command));
    }
    Ok(follow(station.healer().start(request), terminal).await?)
}

/// Whether the run reached what the user asked for, or rightly found that no change of code helps.
#[must_use]
pub const fn succeeded(artifact: &RunArtifact) -> bool {
    matches!(artifact.outcome.state, OutcomeState::Completed | OutcomeState::NoCodeFix)
}
