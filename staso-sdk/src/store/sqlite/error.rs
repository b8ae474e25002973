//! What SQLite says, in words that tell what to do.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use staso_core::run::StoreError;

/// Name of this store in errors.
pub(super) const PROVIDER: &str = "sqlite";

/// A failure of the database.
#[derive(Debug, thiserror::Error)]
pub(super) enum DatabaseError {
    #[error("{} is locked by another process for more than {} s; stop that process or use another file", .path.display(), super::schema::BUSY_SECONDS)]
    Locked { path: PathBuf },
    #[error("the disk or the database {} is full; free some space", .path.display())]
    Full { path: PathBuf },
    #[error("{} cannot be written; check its permissions and those of its folder", .path.display())]
    ReadOnly { path: PathBuf },
    #[error("{} cannot be opened; check that its folder exists and may be read and written", .path.display())]
    CannotOpen { path: PathBuf },
    #[error("the writing thread has ended; open the store again")]
    WriterGone,
    #[error("the database did not answer within {limit_ms} ms")]
    Slow { limit_ms: u64 },
    #[error("{message}")]
    Other { message: String },
}

/// A failure, and whether the same call may succeed later.
#[derive(Debug)]
pub(super) enum Failure {
    Database(rusqlite::Error),
    Invalid { what: &'static str, reason: String },
    NotFound { what: &'static str, id: String },
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    pub(super) fn into_store_error(self, operation: &'static str, path: &std::path::Path) -> StoreError {
        let error = match self {
            Self::Invalid { what, reason } => return StoreError::Invalid { what, reason },
            Self::NotFound { what, id } => return StoreError::NotFound { what, id },
            Self::Database(error) => error,
        };
        let path = path.to_path_buf();
        let error = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => DatabaseError::Locked { path },
            Some(ErrorCode::DiskFull) => DatabaseError::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => DatabaseError::ReadOnly { path },
            Some(ErrorCode::CannotOpen) => DatabaseError::CannotOpen { path },
            Some(ErrorCode::DatabaseCorrupt) => {
                let advice =
                    "is damaged; move it away together with its -wal and -shm files, or restore a backup";
                return StoreError::Invalid {
                    what: "database",
                    reason: format!("{} {advice}", path.display()),
                };
            }
            Some(ErrorCode::NotADatabase) => return not_ours(&path),
            _ => DatabaseError::Other { message: error.to_string() },
        };
        backend(operation, error)
    }
}

pub(super) fn backend(operation: &'static str, error: DatabaseError) -> StoreError {
    StoreError::Backend { provider: PROVIDER, operation, source: Box::new(error) }
}

pub(super) fn not_ours(path: &std::path::Path) -> StoreError {
    let reason = format!("{} is not a database of Staso; use another file", path.display());
    StoreError::Invalid { what: "database", reason }
}
