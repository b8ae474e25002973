//! [`SqliteStore`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, OpenFlags};
use staso_core::id::{RunId, TraceId, WorkspaceId};
use staso_core::run::{
    Interrupted, PutReceipt, RunArtifact, RunContext, RunStore, StoreError, TraceBatch, TraceFilter,
    TraceStore, TraceSummary,
};
use staso_core::trace::Trace;
use tokio::sync::{mpsc, oneshot};

use super::error::{DatabaseError, Failure, PROVIDER, backend};
use super::readers::Readers;
use super::write::{EncodedBatch, EncodedRun};
use super::writer::{self, Job};
use super::{read, schema};

/// Longest time for one query.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// Traces and artifacts in one SQLite file, or in memory.
///
/// Several stores and processes may use one file at the same time. What was put survives the death of the process; after
/// a loss of power the last moments may be missing, but the file is never damaged (write-ahead log, `synchronous =
/// NORMAL`). The file is made readable by its owner only.
///
/// # Example
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = staso::store::SqliteStore::open("staso.db")?;
/// # drop(store); Ok(()) }
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    jobs: mpsc::Sender<Job>,
    /// `None` when the database is in memory.
    readers: Option<Arc<Readers>>,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens the file, and makes it when it is not there. Its folder must exist. Blocks for a moment, and up to five
    /// seconds while another process holds the file.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the file is damaged, of another program or of a newer version;
    /// [`StoreError::Backend`] when it cannot be opened. The message says what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let store = || {
            create_private(path);
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut connection = Connection::open_with_flags(path, flags)?;
            schema::prepare(&mut connection, path)?;
            Ok(connection)
        };
        let connection = store().map_err(|error: Failure| error.into_store_error("open", path))?;
        let readers = Some(Arc::new(Readers::new(path.to_path_buf())));
        Self::start(connection, readers, path)
    }

    /// A store in memory, which forgets everything when it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Backend`] when there is no memory or no thread to be had.
    pub fn open_in_memory() -> Result<Self, StoreError> {
        let path = Path::new(":memory:");
        let store = || {
            let mut connection = Connection::open_in_memory()?;
            schema::prepare(&mut connection, path)?;
            Ok(connection)
        };
        let connection = store().map_err(|error: Failure| error.into_store_error("open", path))?;
        Self::start(connection, None, path)
    }

    fn start(connection: Connection, readers: Option<Arc<Readers>>, path: &Path) -> Result<Self, StoreError> {
        let jobs = writer::start(connection).map_err(|error| StoreError::Backend {
            provider: PROVIDER,
            operation: "open",
            source: Box::new(error),
        })?;
        Ok(Self { jobs, readers, path: path.to_path_buf() })
    }

    async fn write<T>(
        &self,
        operation: &'static str,
        job: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Job,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = || backend(operation, DatabaseError::WriterGone);
        self.jobs.send(job(reply)).await.map_err(|_| gone())?;
        let outcome = answer.await.map_err(|_| gone())?;
        outcome.map_err(|error| error.into_store_error(operation, &self.path))
    }

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        query: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = || backend(operation, DatabaseError::WriterGone);
        match &self.readers {
            Some(readers) => {
                let readers = Arc::clone(readers);
                tokio::task::spawn_blocking(move || drop(reply.send(readers.read(query))));
            }
            None => {
                let job = Job::Read(Box::new(move |db| drop(reply.send(query(db)))));
                self.jobs.send(job).await.map_err(|_| gone())?;
            }
        }
        let outcome = answer.await.map_err(|_| gone())?;
        outcome.map_err(|error| error.into_store_error(operation, &self.path))
    }

    async fn read_for_run<T: Send + 'static>(
        &self,
        operation: &'static str,
        ctx: &RunContext,
        query: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        match ctx.bounded(READ_LIMIT, self.read(operation, query)).await {
            Ok(answer) => answer,
            Err(Interrupted::Cancelled) => Err(StoreError::Cancelled),
            Err(Interrupted::TimedOut { limit_ms }) => {
                Err(backend(operation, DatabaseError::Slow { limit_ms }))
            }
        }
    }
}

/// Traces hold what users typed: only the owner of the file may read it. SQLite gives its side files the same mode. When
/// this fails, opening will say why.
fn create_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(path));
}

#[async_trait]
impl TraceStore for SqliteStore {
    async fn put(&self, batch: &TraceBatch) -> Result<PutReceipt, StoreError> {
        batch.check()?;
        let encoded =
            EncodedBatch::of(batch).await.map_err(|error| error.into_store_error("put", &self.path))?;
        self.write("put", |reply| Job::Batch(Box::new(encoded), reply)).await
    }

    async fn get(&self, workspace: &WorkspaceId, id: TraceId, ctx: &RunContext) -> Result<Trace, StoreError> {
        let workspace = workspace.clone();
        self.read_for_run("get", ctx, move |db| read::trace(db, &workspace, id)).await
    }

    async fn find(
        &self,
        workspace: &WorkspaceId,
        filter: &TraceFilter,
        ctx: &RunContext,
    ) -> Result<Vec<TraceSummary>, StoreError> {
        let (workspace, filter) = (workspace.clone(), filter.clone());
        self.read_for_run("find", ctx, move |db| read::listing(db, &workspace, &filter)).await
    }
}

#[async_trait]
impl RunStore for SqliteStore {
    async fn put(&self, artifact: &RunArtifact) -> Result<(), StoreError> {
        let run = EncodedRun::of(artifact).map_err(|error| error.into_store_error("put", &self.path))?;
        self.write("put", |reply| Job::Run(Box::new(run), reply)).await
    }

    async fn get(&self, id: RunId) -> Result<RunArtifact, StoreError> {
        self.read("get", move |db| read::run(db, id)).await
    }

    async fn find_by_trace(&self, trace: TraceId) -> Result<Vec<RunId>, StoreError> {
        self.read("find", move |db| read::runs_of_trace(db, trace)).await
    }
}
