//! Everything that healing needs, on one machine: a healer, its store of traces, and an ingest that fills it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use staso::heal::{Local, LocalError, LocalOptions, VerifyError, local};
use staso::ingest::{IngestAuth, IngestState, router, serve};
use staso_core::heal::{HealPolicy, Healer};
use staso_core::id::{InvalidId, RunId, TraceId, WorkspaceId};
use staso_core::run::{AuditFinding, RunArtifact, RunContext, StoreError, TraceFilter, TraceStore};
use staso_core::trace::RepositoryUrl;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The workspace of the examples. The support agent sends this name too.
pub const WORKSPACE: &str = "default";
/// Failed traces looked at when that of a run is searched.
const NEWEST_TRACES: usize = 20;

/// An assembled place to heal. Its ingest ends when it is dropped.
#[derive(Debug)]
pub struct Station {
    local: Local,
    /// Where the healer finds traces.
    pub traces: Arc<dyn TraceStore>,
    /// The tenant.
    pub workspace: WorkspaceId,
    /// Base URL of the ingest on the loopback interface.
    pub ingest_url: String,
    /// Where repositories, artifacts and caches are kept.
    pub directory: PathBuf,
    server: JoinHandle<io::Result<()>>,
    stop: DropGuard,
}

/// A station could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StationError {
    /// The store or its directory cannot be opened.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The ingest cannot listen.
    #[error("cannot listen on the loopback interface")]
    Listen(#[from] io::Error),
    /// The name of the workspace is no id.
    #[error(transparent)]
    Workspace(#[from] InvalidId),
}

/// Where [`LocalOptions`] keep everything of a station below `directory`, and which repository they serve: `repository` for
/// every trace, as a mirror when it is on another machine and no provider serves it, or else those that traces name.
#[must_use]
pub fn options(directory: &Path, repository: Option<&RepositoryUrl>, policy: HealPolicy) -> LocalOptions {
    let options = LocalOptions::new(data(directory)).with_policy(policy);
    match repository.map(|url| (url, url.local_path())) {
        Some((_, Some(path))) => options.with_fallback(path),
        Some((url, None)) => options.with_mirror(url.clone(), url.clone()),
        None => options.with_recorded_paths(),
    }
}

/// Where a station below `directory` keeps its data.
#[must_use]
pub fn data(directory: &Path) -> PathBuf {
    directory.join("data")
}

impl Station {
    /// Opens the station below `directory`, with an ingest on a free port. `repository` is used for every trace,
    /// whatever it records. Runs keep to `policy`.
    ///
    /// # Errors
    /// When the store cannot be opened or no port can be had.
    pub async fn open(
        directory: &Path,
        repository: Option<&RepositoryUrl>,
        policy: HealPolicy,
    ) -> Result<Self, StationError> {
        Self::with_options(directory, options(directory, repository, policy)).await
    }

    /// The same, with other options for healing, to begin with those of [`options`].
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn with_options(directory: &Path, options: LocalOptions) -> Result<Self, StationError> {
        let local = local(options)?;
        let traces: Arc<dyn TraceStore> = local.store().clone();
        let workspace = WorkspaceId::new(WORKSPACE)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let ingest_url = format!("http://{}", listener.local_addr()?);
        let stop = CancellationToken::new();
        let auth = IngestAuth::without_keys(workspace.clone());
        let app = router(IngestState::new(Arc::clone(&traces), auth));
        let server = tokio::spawn(serve(listener, app, stop.clone()));
        let (directory, stop) = (directory.to_owned(), stop.drop_guard());
        Ok(Self { local, traces, workspace, ingest_url, directory, server, stop })
    }

    /// Turns failed runs into artifacts.
    #[must_use]
    pub const fn healer(&self) -> &Healer {
        self.local.healer()
    }

    /// Where the artifact of a run is.
    #[must_use]
    pub fn artifact_file(&self, run_id: RunId) -> PathBuf {
        self.local.run_directory(run_id).join("run.json")
    }

    /// What of an artifact does not hold against its trace, its repository and its transcript.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub async fn audit(&self, artifact: &RunArtifact) -> Result<Vec<AuditFinding>, VerifyError> {
        self.local.verify(artifact).await
    }

    /// Ends the ingest and waits for it.
    pub async fn close(self) {
        drop(self.stop);
        // The requests that it was answering have nobody to go to any more.
        drop(self.server.await);
    }

    /// The newest failed trace of a run at this commit.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn failed_trace(&self, commit: &str) -> Result<Option<TraceId>, StoreError> {
        let ctx = RunContext::new(RunId::from_bytes(*b"no run: a search"), Arc::clone(self.local.clock()));
        let filter = TraceFilter::default().failed().with_limit(NEWEST_TRACES);
        for summary in self.traces.find(&self.workspace, &filter, &ctx).await? {
            let trace = self.traces.get(&self.workspace, summary.trace_id, &ctx).await?;
            if trace.source.commit.is_some_and(|found| found.as_str() == commit) {
                return Ok(Some(summary.trace_id));
            }
        }
        Ok(None)
    }
}
