//! The SQLite store: the contracts of both traits, and files that are shared, old, foreign or broken.

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use staso::store::SqliteStore;
use staso_core::conformance;
use staso_core::id::{SpanId, TraceId, WorkspaceId};
use staso_core::run::{RunStore, StoreError, Subject, TraceBatch, TraceFilter, TracePart, TraceStore};
use staso_core::testing::test_context;
use staso_core::trace::{SourceRevision, Span, SpanKind, Timestamp};

fn workspace() -> WorkspaceId {
    WorkspaceId::new("acme").unwrap()
}

fn batch(key: &str, trace: u8, spans: impl IntoIterator<Item = u64>) -> TraceBatch {
    let span =
        |id| Span::new(SpanId::from_u64(id), format!("step {id}"), SpanKind::Tool, Timestamp::from_nanos(1));
    let part = TracePart {
        trace_id: TraceId::from_bytes([trace; 16]),
        conversation_id: None,
        environment: None,
        source: SourceRevision::default(),
        spans: spans.into_iter().map(span).collect(),
    };
    TraceBatch { workspace: workspace(), idempotency_key: key.to_owned(), parts: vec![part] }
}

async fn put(store: &SqliteStore, batch: &TraceBatch) {
    TraceStore::put(store, batch).await.unwrap();
}

async fn spans(store: &SqliteStore, trace: u8) -> usize {
    let id = TraceId::from_bytes([trace; 16]);
    TraceStore::get(store, &workspace(), id, &test_context()).await.unwrap().spans().len()
}

fn text(error: &StoreError) -> String {
    format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default())
}

#[tokio::test]
async fn a_file_conforms_also_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("staso.db");
    let store = SqliteStore::open(&path).unwrap();
    conformance::trace_store::all(&store, "first").await;
    conformance::run_store::all(&store).await;
    put(&store, &batch("kept", 1, [1, 2])).await;
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(spans(&store, 1).await, 2);
    assert!(TraceStore::put(&store, &batch("kept", 1, [3])).await.unwrap().replayed);
    conformance::trace_store::all(&store, "second").await;
    conformance::run_store::all(&store).await;
}

#[tokio::test]
async fn a_store_in_memory_conforms() {
    let store = SqliteStore::open_in_memory().unwrap();
    conformance::trace_store::all(&store, "memory").await;
    conformance::run_store::all(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_share_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("staso.db");
    let stores = [Arc::new(SqliteStore::open(&path).unwrap()), Arc::new(SqliteStore::open(&path).unwrap())];
    let mut writing = tokio::task::JoinSet::new();
    for n in 0..40_u64 {
        let store = Arc::clone(&stores[usize::try_from(n % 2).unwrap()]);
        writing.spawn(async move { put(&store, &batch(&format!("k{n}"), 1, [n + 1])).await });
    }
    while let Some(done) = writing.join_next().await {
        done.unwrap();
    }
    assert_eq!(spans(&stores[0], 1).await, 40);
    assert_eq!(spans(&stores[1], 1).await, 40);
}

#[tokio::test]
async fn an_abandoned_put_is_whole_or_nothing_and_its_retry_is_answered() {
    let store = SqliteStore::open_in_memory().unwrap();
    let batch = batch("k", 1, 1..=100);
    {
        let mut put = Box::pin(TraceStore::put(&store, &batch));
        assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(put.as_mut().poll(cx))).await.is_pending());
    }
    TraceStore::put(&store, &batch).await.unwrap();
    assert_eq!(spans(&store, 1).await, 100);
}

#[tokio::test]
async fn concurrent_retries_of_one_batch_write_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("staso.db")).unwrap();
    let batch = batch("k", 1, [1]);
    let (a, b, c) = tokio::join!(
        TraceStore::put(&store, &batch),
        TraceStore::put(&store, &batch),
        TraceStore::put(&store, &batch)
    );
    let replayed = [a, b, c].into_iter().filter(|receipt| receipt.as_ref().unwrap().replayed).count();
    assert_eq!(replayed, 2);
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("staso.db");
    drop(SqliteStore::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Invalid { .. }) && !error.is_retryable());
    assert!(text(&error).contains("has schema 7, written by a newer Staso"), "{}", text(&error));
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("other.db");
    Connection::open(&database).unwrap().execute_batch("CREATE TABLE users (name TEXT)").unwrap();
    let note = folder.path().join("note.txt");
    std::fs::write(
        &note,
        "just a text, long enough to be taken for the header of a database file. ".repeat(20),
    )
    .unwrap();
    for path in [&database, &note] {
        let before = std::fs::read(path).unwrap();
        let error = SqliteStore::open(path).unwrap_err();
        assert!(text(&error).contains("is not a database of Staso; use another file"), "{}", text(&error));
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
}

#[test]
fn a_missing_folder_is_named() {
    let error = SqliteStore::open(Path::new("/nonexistent/folder/staso.db")).unwrap_err();
    assert!(error.is_retryable());
    assert!(
        text(&error).contains("/nonexistent/folder/staso.db cannot be opened; check that its folder exists"),
        "{}",
        text(&error)
    );
}

#[tokio::test]
async fn a_damaged_file_is_named_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("staso.db");
    let store = SqliteStore::open(&path).unwrap();
    put(&store, &batch("k", 1, 1..=500)).await;
    drop(store);
    Connection::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let len = bytes.len();
    bytes[4096..len].fill(0xAA);
    std::fs::write(&path, bytes).unwrap();
    let damaged = |error: StoreError| {
        assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
        assert!(text(&error).contains("is damaged; move it away"), "{}", text(&error));
    };
    match SqliteStore::open(&path) {
        Err(error) => damaged(error),
        Ok(store) => {
            damaged(
                TraceStore::find(&store, &workspace(), &TraceFilter::default(), &test_context())
                    .await
                    .unwrap_err(),
            );
            damaged(TraceStore::put(&store, &batch("k2", 2, [1])).await.unwrap_err());
        }
    }
}

#[tokio::test]
async fn a_stored_artifact_of_another_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("staso.db");
    let store = SqliteStore::open(&path).unwrap();
    let artifact = conformance::run_store::artifact(1, Subject::TraceId(TraceId::from_bytes([1; 16])), 1);
    RunStore::put(&store, &artifact).await.unwrap();
    Connection::open(&path)
        .unwrap()
        .execute("UPDATE runs SET artifact = json_set(artifact, '$.schema_version', 99, '$.outcome', 1)", [])
        .unwrap();
    let error = RunStore::get(&store, artifact.run_id).await.unwrap_err();
    assert!(text(&error).contains("has schema 99"), "{}", text(&error));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("staso.db");
    drop(SqliteStore::open(&path).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
