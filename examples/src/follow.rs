//! Watching a run to its end.

use std::io::{self, Write};

use staso_core::heal::RunHandle;
use staso_core::run::{RunArtifact, RunEvent};

use crate::progress::{Progress, Update};
use crate::terminal::Terminal;

/// What a run left behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Its artifact.
    pub artifact: RunArtifact,
    /// Everything it said, in order.
    pub events: Vec<RunEvent>,
}

/// A run could not be watched to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The output is closed.
    #[error("cannot write to the terminal")]
    Output(#[from] io::Error),
    /// A plug-in panicked.
    #[error("the run ended without an artifact")]
    Lost(#[from] tokio::task::JoinError),
}

/// Shows what a run does until it ends.
///
/// # Errors
/// When the output is closed (the run is cancelled then, and its artifact kept) or a plug-in of the run panicked.
pub async fn follow<W: Write + Send>(
    mut run: RunHandle,
    terminal: &mut Terminal<W>,
) -> Result<Finished, FollowError> {
    let mut progress = Progress::new(terminal.look());
    let mut events = Vec::new();
    let mut shown = Ok(());
    while let Some(event) = run.next_event().await {
        if shown.is_ok() {
            shown = show(&progress.update(&event.event), terminal);
            if shown.is_err() {
                run.cancel();
            }
        }
        events.push(event);
    }
    let artifact = run.artifact().await?;
    shown?;
    terminal.clear()?;
    Ok(Finished { artifact, events })
}

fn show<W: Write>(update: &Update, terminal: &mut Terminal<W>) -> io::Result<()> {
    match update {
        Update::Line(line) => terminal.line(line),
        Update::Status(status) => terminal.status(status),
        Update::Nothing => Ok(()),
    }
}
