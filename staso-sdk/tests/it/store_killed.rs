//! A process that is killed in the middle of writing loses nothing that was acknowledged.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use staso::store::SqliteStore;
use staso_core::id::{SpanId, TraceId, WorkspaceId};
use staso_core::run::{TraceBatch, TracePart, TraceStore};
use staso_core::testing::test_context;
use staso_core::trace::{SourceRevision, Span, SpanKind, Timestamp};

use crate::capture_fixture::block_on;
use crate::child;

const NAME: &str = "store_killed::what_was_acknowledged_survives_kill_9";
const WRITERS: u64 = 4;

fn workspace() -> WorkspaceId {
    WorkspaceId::new("acme").unwrap()
}

fn trace_id(n: u64) -> TraceId {
    TraceId::from_bytes(u128::from(n).to_be_bytes())
}

fn batch(n: u64) -> TraceBatch {
    let mut span = Span::new(SpanId::from_u64(n), "step", SpanKind::Tool, Timestamp::from_nanos(1));
    span.attributes.insert("filling".to_owned(), "x".repeat(2_000).into());
    let part = TracePart {
        trace_id: trace_id(n),
        conversation_id: None,
        environment: None,
        source: SourceRevision::default(),
        spans: vec![span],
    };
    TraceBatch { workspace: workspace(), idempotency_key: n.to_string(), parts: vec![part] }
}

/// Writes until it is killed, and says what was acknowledged.
fn write_for_ever(path: &Path) -> ! {
    let store = SqliteStore::open(path).unwrap();
    let write = |writer: u64| {
        let store = &store;
        async move {
            for n in 0.. {
                let n = writer + n * WRITERS + 1;
                TraceStore::put(store, &batch(n)).await.unwrap();
                let mut out = std::io::stdout().lock();
                writeln!(out, "ack {n}").unwrap();
                out.flush().unwrap();
            }
        }
    };
    block_on(async { tokio::join!(write(0), write(1), write(2), write(3)) });
    unreachable!("the loops do not end")
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    if let Some(path) = child::argument(NAME) {
        write_for_ever(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("staso.db");
    for acknowledged in [1, 40, 200] {
        let mut child = child::start(NAME, path.to_str().unwrap());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last = Vec::new();
        let is_ack = |line: &String| line.contains("ack ");
        last.extend(lines.by_ref().map(Result::unwrap).filter(is_ack).take(acknowledged));
        child.kill().unwrap();
        child.wait().unwrap();
        last.extend(lines.map_while(Result::ok).filter(is_ack));
        let store = SqliteStore::open(&path).unwrap();
        assert!(last.len() >= acknowledged);
        for line in last {
            // A line that the kill cut in two is no acknowledgement of another number.
            let Some(n) = line.split("ack ").last().and_then(|n| n.parse().ok()) else { continue };
            let trace = block_on(TraceStore::get(&store, &workspace(), trace_id(n), &test_context()));
            assert_eq!(trace.unwrap().spans().len(), 1, "{n}");
            assert!(block_on(TraceStore::put(&store, &batch(n))).unwrap().replayed, "{n}");
        }
    }
}
