//! The one thread that writes.

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use staso_core::run::PutReceipt;

use super::error::Failure;
use super::write::{EncodedBatch, EncodedRun, put_batch, put_run};

/// Jobs that may wait; more make their callers wait.
const QUEUE: usize = 256;
/// Spans after which a transaction is closed, however many jobs wait.
const SPANS_PER_COMMIT: usize = 500;

type Reply<T> = oneshot::Sender<Result<T, Failure>>;

/// One piece of work.
pub(super) enum Job {
    Batch(Box<EncodedBatch>, Reply<PutReceipt>),
    Run(Box<EncodedRun>, Reply<()>),
    /// Anything that only reads: a database in memory has a single connection.
    Read(Box<dyn FnOnce(&Connection) + Send>),
}

/// Starts the thread. It ends when the last sender is dropped and the queue is empty.
pub(super) fn start(mut db: Connection) -> std::io::Result<mpsc::Sender<Job>> {
    let (sender, mut jobs) = mpsc::channel(QUEUE);
    std::thread::Builder::new().name("staso-store".to_owned()).spawn(move || {
        while let Some(job) = jobs.blocking_recv() {
            write_group(&mut db, job, &mut jobs);
        }
    })?;
    Ok(sender)
}

/// Writes a job and those that came while the last group was written, in one transaction.
fn write_group(db: &mut Connection, first: Job, jobs: &mut mpsc::Receiver<Job>) {
    let mut group = Vec::new();
    let mut spans = 0;
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Read(read) => read(db),
            job => {
                spans += job.spans();
                group.push(job);
            }
        }
        next = if spans < SPANS_PER_COMMIT && group.len() < QUEUE { jobs.try_recv().ok() } else { None };
    }
    if !group.is_empty() {
        commit_group(db, group);
    }
}

/// Commits a group; callers hear of it only after the commit. When the transaction as a whole fails, everyone gets the
/// failure and nothing is written.
fn commit_group(db: &mut Connection, group: Vec<Job>) {
    let mut outcomes = Vec::with_capacity(group.len());
    let committed =
        db.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|mut transaction| {
            for job in &group {
                let savepoint = transaction.savepoint()?;
                let outcome = job.write(&savepoint);
                if outcome.is_ok() {
                    savepoint.commit()?;
                }
                outcomes.push(outcome);
            }
            transaction.commit()
        });
    let mut outcomes = outcomes.into_iter();
    for job in group {
        let outcome = match &committed {
            Ok(()) => outcomes.next().unwrap_or(Ok(None)),
            Err(error) => Err(Failure::Database(copy(error))),
        };
        job.answer(outcome);
    }
}

/// The same SQLite failure for another caller.
fn copy(error: &rusqlite::Error) -> rusqlite::Error {
    match error {
        rusqlite::Error::SqliteFailure(code, message) => {
            rusqlite::Error::SqliteFailure(*code, message.clone())
        }
        other => rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ERROR),
            Some(other.to_string()),
        ),
    }
}

impl Job {
    const fn spans(&self) -> usize {
        match self {
            Self::Batch(batch, _) => batch.spans(),
            Self::Run(..) | Self::Read(_) => 0,
        }
    }

    fn write(&self, db: &Connection) -> Result<Option<PutReceipt>, Failure> {
        match self {
            Self::Batch(batch, _) => put_batch(db, batch).map(Some),
            Self::Run(run, _) => put_run(db, run).map(|()| None),
            Self::Read(_) => Ok(None),
        }
    }

    /// A caller that went away needs no answer.
    fn answer(self, outcome: Result<Option<PutReceipt>, Failure>) {
        match self {
            Self::Batch(batch, reply) => {
                let receipt = outcome.map(|receipt| receipt.unwrap_or(batch.receipt()));
                drop(reply.send(receipt));
            }
            Self::Run(_, reply) => drop(reply.send(outcome.map(|_| ()))),
            Self::Read(_) => {}
        }
    }
}
