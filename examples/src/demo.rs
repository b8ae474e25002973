//! The demo: a fault is planted, the agent fails for real, its trace arrives, and the run is healed.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use staso_core::heal::HealRequest;
use staso_core::id::TraceId;
use staso_core::run::StoreError;
use tokio_util::sync::CancellationToken;

use crate::agent_process::{AgentError, AgentRun, answer_ticket};
use crate::agent_repository::{AgentRepository, RepositoryError};
use crate::environment::Environment;
use crate::follow::{Finished, FollowError, follow};
use crate::git::Git;
use crate::scenario::Scenario;
use crate::station::Station;
use crate::terminal::{Terminal, Tone, printable};

/// Directories of one scenario in one place.
const MAX_REPETITIONS: usize = 1_000;

/// Runs scenarios at a station.
#[derive(Debug)]
pub struct Demo<'a> {
    station: &'a Station,
    environment: &'a Environment,
    cancel: &'a CancellationToken,
}

/// A scenario could not be brought to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// The repository could not be made.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The directory for the repository could not be made.
    #[error("cannot create {}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The agent could not be run.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The agent did not fail, so there is nothing to heal.
    #[error("the agent answered {ticket} in spite of the fault")]
    Answered {
        /// The ticket.
        ticket: &'static str,
    },
    /// The failing run left no trace.
    #[error("the failing run left no trace; the agent said: {complaint}")]
    NoTrace {
        /// The last line of what the agent said.
        complaint: String,
    },
    /// The store of traces failed.
    #[error("cannot look for the trace of the failing run")]
    Store(#[from] StoreError),
    /// The run could not be watched.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The output is closed.
    #[error("cannot write to the terminal")]
    Output(#[from] io::Error),
    /// The user pressed Ctrl-C before there was a run.
    #[error("cancelled before there was a run to heal")]
    Cancelled,
}

impl<'a> Demo<'a> {
    /// Runs at `station` until `cancel` is cancelled.
    #[must_use]
    pub const fn new(
        station: &'a Station,
        environment: &'a Environment,
        cancel: &'a CancellationToken,
    ) -> Self {
        Self { station, environment, cancel }
    }

    /// Plants the fault, lets the agent fail and heals the run.
    ///
    /// # Errors
    /// When the scenario could not be brought to a run, or its run could not be watched. A run that does not heal is
    /// no error.
    pub async fn run<W: Write + Send>(
        &self,
        scenario: &Scenario,
        terminal: &mut Terminal<W>,
    ) -> Result<Finished, DemoError> {
        let title = terminal.look().paint(Tone::Strong, scenario.name);
        terminal.line(&format!("{title}  commit \"{}\"", scenario.message))?;
        let trace_id = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(DemoError::Cancelled),
            trace_id = self.failed_trace(scenario, terminal) => trace_id?,
        };
        let request =
            HealRequest::new(self.station.workspace.clone(), trace_id).with_cancellation(self.cancel.clone());
        Ok(follow(self.station.healer().start(request), terminal).await?)
    }

    async fn failed_trace<W: Write + Send>(
        &self,
        scenario: &Scenario,
        terminal: &mut Terminal<W>,
    ) -> Result<TraceId, DemoError> {
        let directory = new_directory(&self.station.directory, scenario.name)?;
        let git = Git::new(self.environment.clone());
        let repository = AgentRepository::create(&directory, Some(scenario), &git).await?;
        let sink = Some(self.station.ingest_url.as_str());
        let clone = repository.clone_directory();
        let run = answer_ticket(clone, scenario.ticket, sink, self.environment).await?;
        terminal.line(&described(scenario, &run))?;
        if run.answered() {
            return Err(DemoError::Answered { ticket: scenario.ticket });
        }
        let trace_id = self.station.failed_trace(repository.commit()).await?;
        let trace_id =
            trace_id.ok_or_else(|| DemoError::NoTrace { complaint: printable(run.complaint()) })?;
        terminal.line(&format!("  trace     {trace_id} arrived"))?;
        Ok(trace_id)
    }
}

/// A directory `name` below `parent`, or `name-2`, `name-3` … when earlier runs left theirs.
fn new_directory(parent: &Path, name: &str) -> Result<PathBuf, DemoError> {
    let mut path = parent.join(name);
    for number in 2..=MAX_REPETITIONS {
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = parent.join(format!("{name}-{number}"));
            }
            Err(source) => return Err(DemoError::Directory { path, source }),
            Ok(()) => return Ok(path),
        }
    }
    let source = io::Error::other("earlier runs left too many directories");
    Err(DemoError::Directory { path, source })
}

fn described(scenario: &Scenario, run: &AgentRun) -> String {
    let code = run.exit_code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
    let seconds = run.duration.as_secs_f64();
    let complaint = printable(run.complaint());
    format!(
        "  agent     python3 -m support {} ended with {code} after {seconds:.1} s: {complaint}",
        scenario.ticket
    )
}
