//! Tables, settings of a connection, and the guard against databases of other programs and newer versions.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::error::Failure;

/// Version of the tables, kept in `PRAGMA user_version`.
pub(super) const SCHEMA_VERSION: i64 = 1;
/// Marks a database as ours, in `PRAGMA application_id`: "STSO".
const APPLICATION_ID: i64 = 0x5354_534f;
/// How long to wait for another process that holds the database.
pub(super) const BUSY_SECONDS: u64 = 5;

const TABLES: &str = "
    CREATE TABLE workspaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE traces (
        id INTEGER PRIMARY KEY,
        workspace INTEGER NOT NULL,
        trace_id BLOB NOT NULL,
        start INTEGER NOT NULL,
        spans INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        conversation TEXT,
        UNIQUE (workspace, trace_id)
    );
    CREATE INDEX traces_by_start ON traces (workspace, start, trace_id);
    CREATE INDEX failed_traces_by_start ON traces (workspace, start, trace_id) WHERE failed > 0;
    CREATE INDEX traces_by_conversation ON traces (workspace, conversation, start, trace_id)
        WHERE conversation IS NOT NULL;
    CREATE TABLE spans (
        trace INTEGER NOT NULL,
        span_id BLOB NOT NULL,
        start INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        provisional INTEGER NOT NULL,
        PRIMARY KEY (trace, span_id)
    ) WITHOUT ROWID;
    CREATE TABLE segments (seq INTEGER PRIMARY KEY, trace INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE INDEX segments_of_trace ON segments (trace, seq);
    CREATE TABLE batches (
        seq INTEGER PRIMARY KEY,
        workspace INTEGER NOT NULL,
        key TEXT NOT NULL,
        traces INTEGER NOT NULL,
        spans INTEGER NOT NULL,
        UNIQUE (workspace, key)
    );
    CREATE TABLE runs (
        run_id BLOB PRIMARY KEY,
        trace_id BLOB,
        started_at INTEGER NOT NULL,
        artifact TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX runs_of_trace ON runs (trace_id, started_at, run_id) WHERE trace_id IS NOT NULL;
";

/// Settings that every connection needs.
pub(super) fn configure(connection: &Connection) -> Result<(), Failure> {
    connection.busy_timeout(Duration::from_secs(BUSY_SECONDS))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    Ok(())
}

/// Makes the tables of a new database, or checks that an old one can be used.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), Failure> {
    configure(connection)?;
    if is_current(connection, path)? {
        return Ok(());
    }
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    debug_assert!(mode == "wal" || mode == "memory");
    // Another process may have made the tables since; only the one that holds the write lock may look and make.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !is_current(&transaction, path)? {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    Ok(transaction.commit()?)
}

/// Whether the tables are there; `false` for an empty database.
fn is_current(connection: &Connection, path: &Path) -> Result<bool, Failure> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let invalid = |reason| Err(Failure::Invalid { what: "database", reason });
    if application == 0 && version == 0 && tables == 0 {
        return Ok(false);
    }
    if application != APPLICATION_ID {
        return invalid(format!("{} is not a database of Staso; use another file", path.display()));
    }
    if version > SCHEMA_VERSION {
        return invalid(format!(
            "{} has schema {version}, written by a newer Staso; this one reads up to {SCHEMA_VERSION}: update it or \
             use another file",
            path.display()
        ));
    }
    if version < SCHEMA_VERSION {
        return invalid(format!("{} has schema {version}, which never was released", path.display()));
    }
    Ok(true)
}
