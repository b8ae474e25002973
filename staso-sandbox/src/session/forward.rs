//! The reports of one command on their way to its stream.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use staso_core::run::RunContext;
use staso_core::sandbox::{ExecEvent, ExecExit, SandboxError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::connection::{Connection, Report, Reports};
use super::refused::interrupted;
use super::wire::Exit;

/// How long a killed command may take until it is gone.
const KILL_LIMIT: Duration = Duration::from_millis(1000);

/// Notices processes that were killed for want of memory.
pub(crate) trait OomWatch: Debug + Send + Sync {
    /// How many there were.
    fn kills(&self) -> u64;
}

/// For agents that notice themselves.
#[cfg(feature = "container")]
#[derive(Debug)]
pub(crate) struct NoOomWatch;

#[cfg(feature = "container")]
impl OomWatch for NoOomWatch {
    fn kills(&self) -> u64 {
        0
    }
}

/// Kills a command that nobody waits for any more.
#[derive(Debug)]
pub(super) struct KillOnDrop {
    pub(super) connection: Arc<Connection>,
    pub(super) id: u32,
    pub(super) armed: bool,
}

impl KillOnDrop {
    pub(super) fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if self.armed {
            self.connection.stop_request(self.id);
        }
    }
}

/// Carries the reports of one command to its stream.
pub(super) struct Forward {
    pub(super) reports: Arc<Reports>,
    pub(super) events: mpsc::Sender<Result<ExecEvent, SandboxError>>,
    pub(super) oom: Arc<dyn OomWatch>,
    /// The number of such processes before the command started. Of commands at the same time each says what was killed
    /// meanwhile.
    pub(super) oom_before: u64,
    pub(super) guard: KillOnDrop,
    pub(super) limit: Duration,
}

impl Forward {
    pub(super) async fn run(self, first: Report, ctx: RunContext, stop: CancellationToken) {
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Err(SandboxError::Closed),
            () = ctx.cancellation().cancelled() => Err(SandboxError::Cancelled),
            () = self.events.closed() => Err(SandboxError::Cancelled),
            done = self.forward(first, &ctx) => done,
        };
        match ended {
            Ok(()) => self.guard.disarm(),
            Err(error) => {
                self.kill().await;
                drop(self.events.send(Err(error)).await);
            }
        }
    }

    async fn forward(&self, first: Report, ctx: &RunContext) -> Result<(), SandboxError> {
        let mut report = first;
        loop {
            let event = match report {
                Report::Started => None,
                Report::Stdout(bytes) => Some(ExecEvent::Stdout(bytes)),
                Report::Stderr(bytes) => Some(ExecEvent::Stderr(bytes)),
                Report::Truncated(bytes) => Some(ExecEvent::Truncated { bytes }),
                Report::Exit(exit) => {
                    drop(self.events.send(Ok(ExecEvent::Exit(self.exit(exit)))).await);
                    return Ok(());
                }
                Report::Refused(_) | Report::Lost => return Err(SandboxError::Closed),
            };
            if let Some(event) = event
                && self.events.send(Ok(event)).await.is_err()
            {
                return Err(SandboxError::Cancelled);
            }
            let next = ctx.bounded(self.limit, self.reports.next()).await;
            report = next.map_err(|ended| interrupted(ended, "running the command"))?;
        }
    }

    /// Kills the command and waits until it is gone.
    async fn kill(&self) {
        let end = async {
            self.guard.connection.stop_request(self.guard.id);
            while !matches!(self.reports.next().await, Report::Exit(_) | Report::Refused(_) | Report::Lost) {}
        };
        drop(tokio::time::timeout(KILL_LIMIT, end).await);
    }

    fn exit(&self, exit: Exit) -> ExecExit {
        let signal = i32::try_from(exit.status & 0x7f).unwrap_or(0);
        let code = i32::try_from((exit.status >> 8) & 0xff).unwrap_or(0);
        let killed = signal != 0;
        ExecExit {
            code: (!killed).then_some(code),
            signal: killed.then_some(signal),
            oom: (self.oom.kills() > self.oom_before || exit.oom) && !exit.timed_out,
            timed_out: exit.timed_out,
        }
    }
}
