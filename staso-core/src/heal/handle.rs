//! A run in progress, as the host holds it.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::id::RunId;
use crate::run::{EventSink, RedirectError, Redirections, RunArtifact, RunEvent};

/// A run in progress. Dropping it cancels the run; the artifact is still written.
#[derive(Debug)]
pub struct RunHandle {
    run_id: RunId,
    events: mpsc::UnboundedReceiver<RunEvent>,
    cancel: CancellationToken,
    redirections: Redirections,
    task: JoinHandle<RunArtifact>,
}

impl RunHandle {
    pub(super) const fn new(
        run_id: RunId,
        events: mpsc::UnboundedReceiver<RunEvent>,
        cancel: CancellationToken,
        redirections: Redirections,
        task: JoinHandle<RunArtifact>,
    ) -> Self {
        Self { run_id, events, cancel, redirections, task }
    }

    /// The run.
    #[must_use]
    pub const fn run_id(&self) -> RunId {
        self.run_id
    }

    /// The next event; `None` after the terminal one.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next_event(&mut self) -> Option<RunEvent> {
        self.events.recv().await
    }

    /// Tells the run to stop. It ends within two seconds, with an artifact.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Says something to the agent at work; it reads it before its next turn. Without an agent at work it waits for one.
    ///
    /// # Errors
    /// When the text is empty or too long, or too many wait.
    pub fn redirect(&self, text: impl Into<String>) -> Result<(), RedirectError> {
        self.redirections.send(text)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When the runtime was shut down under the run, or a plug-in panicked.
    pub async fn artifact(mut self) -> Result<RunArtifact, tokio::task::JoinError> {
        (&mut self.task).await
    }
}

impl Drop for RunHandle {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Queues events for the handle. The recorder's own bound on events bounds the queue.
#[derive(Debug)]
pub(super) struct HandleSink(pub(super) mpsc::UnboundedSender<RunEvent>);

impl EventSink for HandleSink {
    fn emit(&self, event: &RunEvent) {
        // The host may have stopped listening.
        drop(self.0.send(event.clone()));
    }
}
