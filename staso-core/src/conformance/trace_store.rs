//! What every [`TraceStore`] must do.

use std::collections::BTreeSet;

use crate::id::{ConversationId, RunId, SpanId, TraceId, WorkspaceId};
use crate::run::{RunContext, StoreError, TraceBatch, TraceFilter, TracePart, TraceStore};
use crate::testing::test_context;
use crate::trace::{SourceRevision, Span, SpanKind, SpanStatus, Timestamp, Trace};

/// Runs every check. Each uses workspaces of its own, whose names begin with `prefix`; run it on a store that has not
/// seen that prefix.
///
/// # Panics
/// When the store breaks the contract.
pub async fn all(store: &dyn TraceStore, prefix: &str) {
    what_was_put_comes_back(store, prefix).await;
    parts_are_merged(store, prefix).await;
    a_replay_writes_nothing(store, prefix).await;
    a_bad_batch_leaves_nothing(store, prefix).await;
    workspaces_are_apart(store, prefix).await;
    listings_are_filtered_and_newest_first(store, prefix).await;
    an_oversized_trace_is_named(store, prefix).await;
    unknown_traces_are_not_found(store, prefix).await;
    cancelled_reads_say_so(store, prefix).await;
}

/// A trace comes back as it was put, with every field.
///
/// # Panics
/// When it does not.
pub async fn what_was_put_comes_back(store: &dyn TraceStore, prefix: &str) {
    let workspace = workspace(prefix, "roundtrip");
    let mut failed = span(2, "tool", 20);
    failed.parent_span_id = Some(SpanId::from_u64(1));
    failed.status = SpanStatus::Error;
    failed.attributes.insert("nested".to_owned(), serde_json::json!({"a": [1, 2.5, null, "ä\u{0}"]}));
    failed.input = crate::trace::Captured::Truncated(crate::trace::Payload::new("{\"cut"));
    failed.output = crate::trace::Captured::Suppressed;
    let mut part = part(1, vec![span(1, "root", 10), failed]);
    part.conversation_id = Some(conversation("conv"));
    part.environment = Some("production".to_owned());
    part.source.dirty = Some(true);
    let receipt = put(store, &batch(&workspace, "k1", vec![part.clone()])).await;
    assert_eq!((receipt.traces, receipt.spans, receipt.replayed), (1, 2, false), "the receipt counts wrong");
    let trace = get(store, &workspace, 1).await;
    assert_eq!(trace.spans(), part.spans, "the spans changed on their way");
    assert_eq!(trace.source, part.source, "the revision changed on its way");
    assert_eq!(trace.conversation_id, part.conversation_id, "the conversation changed on its way");
    assert_eq!(trace.environment, part.environment, "the environment changed on its way");
}

/// Parts of several batches make one trace: the last span of an id wins, a provisional root never does.
///
/// # Panics
/// When they do not.
pub async fn parts_are_merged(store: &dyn TraceStore, prefix: &str) {
    let workspace = workspace(prefix, "merge");
    let mut provisional = span(1, "provisional", 10);
    provisional.attributes.insert("staso.provisional_root".to_owned(), true.into());
    provisional.status = SpanStatus::Error;
    put(store, &batch(&workspace, "k1", vec![part(1, vec![provisional.clone()])])).await;
    put(store, &batch(&workspace, "k2", vec![part(1, vec![span(2, "old", 20)])])).await;
    put(store, &batch(&workspace, "k3", vec![part(1, vec![span(1, "final", 10), span(2, "new", 20)])])).await;
    put(store, &batch(&workspace, "k4", vec![part(1, vec![provisional])])).await;
    let trace = get(store, &workspace, 1).await;
    let names: Vec<_> = trace.spans().iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["final", "new"], "the wrong span of an id won");
    let listed = find(store, &workspace, &TraceFilter::default()).await;
    assert_eq!(listed.len(), 1, "parts of one trace are listed as several traces");
    let summary = listed.first().map(|summary| (summary.spans, summary.failed, summary.start.as_nanos()));
    assert_eq!(summary, Some((2, false, 10)), "the listing disagrees with the trace");
}

/// The same key of the same workspace is taken once; another workspace's key is another key.
///
/// # Panics
/// When it is not.
pub async fn a_replay_writes_nothing(store: &dyn TraceStore, prefix: &str) {
    let (first, second) = (workspace(prefix, "replay-1"), workspace(prefix, "replay-2"));
    let original = batch(&first, "key", vec![part(1, vec![span(1, "original", 1)])]);
    put(store, &original).await;
    let again = put(store, &original).await;
    assert_eq!(
        (again.traces, again.spans, again.replayed),
        (1, 1, true),
        "a replay must answer as the original"
    );
    put(store, &batch(&first, "key", vec![part(1, vec![span(1, "other", 1), span(2, "more", 2)])])).await;
    let trace = get(store, &first, 1).await;
    assert_eq!(trace.spans().len(), 1, "a replayed key wrote spans");
    let elsewhere = put(store, &batch(&second, "key", vec![part(1, vec![span(1, "second", 1)])])).await;
    assert!(!elsewhere.replayed, "keys of two workspaces were mixed up");
}

/// A batch that cannot be taken leaves nothing behind, not even its key.
///
/// # Panics
/// When something is left.
pub async fn a_bad_batch_leaves_nothing(store: &dyn TraceStore, prefix: &str) {
    let workspace = workspace(prefix, "bad");
    for bad in [
        batch(&workspace, "k", vec![part(1, vec![span(1, "good", 1)]), part(2, Vec::new())]),
        batch(&workspace, "", vec![part(1, vec![span(1, "good", 1)])]),
        batch(&workspace, "k", Vec::new()),
    ] {
        let result = store.put(&bad).await;
        assert!(
            matches!(result, Err(StoreError::Invalid { .. })),
            "a bad batch was answered with {result:?}"
        );
    }
    assert!(
        find(store, &workspace, &TraceFilter::default()).await.is_empty(),
        "a refused batch left a trace"
    );
    let receipt = put(store, &batch(&workspace, "k", vec![part(1, vec![span(1, "good", 1)])])).await;
    assert!(!receipt.replayed, "a refused batch used up its key");
}

/// Workspaces never see each other's traces, even of one id.
///
/// # Panics
/// When they do.
pub async fn workspaces_are_apart(store: &dyn TraceStore, prefix: &str) {
    let (a, b) = (workspace(prefix, "apart-a"), workspace(prefix, "apart-b"));
    put(store, &batch(&a, "k", vec![part(1, vec![span(1, "of a", 1)])])).await;
    assert!(find(store, &b, &TraceFilter::default()).await.is_empty(), "a workspace lists another's trace");
    assert_not_found(store.get(&b, trace_id(1), &test_context()).await);
    put(store, &batch(&b, "k", vec![part(1, vec![span(1, "of b", 1)])])).await;
    let names = [get(store, &a, 1).await, get(store, &b, 1).await]
        .map(|trace| trace.spans().first().map(|s| s.name.clone()));
    assert_eq!(names, [Some("of a".to_owned()), Some("of b".to_owned())], "workspaces share a trace");
}

/// Listings come newest first, filtered and cut.
///
/// # Panics
/// When they do not.
pub async fn listings_are_filtered_and_newest_first(store: &dyn TraceStore, prefix: &str) {
    let workspace = workspace(prefix, "find");
    let mut parts = Vec::new();
    for n in 1..=5_u8 {
        let mut span = span(u64::from(n), "step", i64::from(n) * 10);
        if n % 2 == 0 {
            span.status = SpanStatus::Timeout;
        }
        let mut part = part(n, vec![span]);
        part.conversation_id = (n >= 4).then(|| conversation("late"));
        parts.push(part);
    }
    parts.reverse();
    put(store, &batch(&workspace, "k", parts)).await;
    let ids = |filter: TraceFilter| {
        let workspace = &workspace;
        async move {
            let found = find(store, workspace, &filter).await;
            found.into_iter().map(|summary| summary.trace_id).collect::<Vec<_>>()
        }
    };
    let wanted = |numbers: &[u8]| numbers.iter().map(|n| trace_id(*n)).collect::<Vec<_>>();
    assert_eq!(ids(TraceFilter::default()).await, wanted(&[5, 4, 3, 2, 1]), "not newest first");
    assert_eq!(ids(TraceFilter::default().failed()).await, wanted(&[4, 2]), "not only the failed ones");
    assert_eq!(ids(TraceFilter::default().with_limit(2)).await, wanted(&[5, 4]), "the limit is not kept");
    assert_eq!(ids(TraceFilter::default().with_limit(0)).await, wanted(&[]), "a limit of 0 found something");
    let late = TraceFilter::default().of_conversation(conversation("late"));
    assert_eq!(ids(late.clone()).await, wanted(&[5, 4]), "not only those of the conversation");
    assert_eq!(ids(late.failed()).await, wanted(&[4]), "two filters do not work together");
}

/// A trace with too many spans is taken, listed, and found unusable when it is read.
///
/// # Panics
/// When it is lost or comes back cut.
pub async fn an_oversized_trace_is_named(store: &dyn TraceStore, prefix: &str) {
    let workspace = workspace(prefix, "oversized");
    for (key, range) in [("k1", 1..=6_000), ("k2", 6_001..=12_000)] {
        let spans = range.map(|n| span(n, "step", 1)).collect();
        put(store, &batch(&workspace, key, vec![part(1, spans)])).await;
    }
    let result = store.get(&workspace, trace_id(1), &test_context()).await;
    assert!(matches!(result, Err(StoreError::Invalid { .. })), "12,000 spans were not refused as invalid");
    let listed = find(store, &workspace, &TraceFilter::default()).await;
    let spans = listed.iter().map(|summary| summary.spans).collect::<BTreeSet<_>>();
    assert_eq!(spans, BTreeSet::from([12_000]), "the oversized trace is not listed with its size");
}

/// Asking for what is not there is an answer, not a failure.
///
/// # Panics
/// When it is something else.
pub async fn unknown_traces_are_not_found(store: &dyn TraceStore, prefix: &str) {
    let workspace = workspace(prefix, "unknown");
    assert_not_found(store.get(&workspace, trace_id(9), &test_context()).await);
    assert!(
        find(store, &workspace, &TraceFilter::default()).await.is_empty(),
        "an empty workspace lists traces"
    );
}

/// Reading for a cancelled run ends with [`StoreError::Cancelled`].
///
/// # Panics
/// When it does not.
pub async fn cancelled_reads_say_so(store: &dyn TraceStore, prefix: &str) {
    let workspace = workspace(prefix, "cancelled");
    let ctx = cancelled_context();
    let got = store.get(&workspace, trace_id(1), &ctx).await;
    assert!(matches!(got, Err(StoreError::Cancelled)), "get of a cancelled run gave {got:?}");
    let found = store.find(&workspace, &TraceFilter::default(), &ctx).await;
    assert!(matches!(found, Err(StoreError::Cancelled)), "find of a cancelled run gave {found:?}");
}

fn cancelled_context() -> RunContext {
    let clock = std::sync::Arc::new(crate::testing::TestClock::default());
    let ctx = RunContext::new(RunId::from_bytes([9; 16]), clock);
    ctx.cancellation().cancel();
    ctx
}

fn assert_not_found(result: Result<Trace, StoreError>) {
    assert!(matches!(result, Err(StoreError::NotFound { .. })), "expected NotFound, got {result:?}");
}

async fn put(store: &dyn TraceStore, batch: &TraceBatch) -> crate::run::PutReceipt {
    match store.put(batch).await {
        Ok(receipt) => receipt,
        Err(error) => panic!("a good batch was refused: {error:?}"),
    }
}

async fn get(store: &dyn TraceStore, workspace: &WorkspaceId, n: u8) -> Trace {
    match store.get(workspace, trace_id(n), &test_context()).await {
        Ok(trace) => trace,
        Err(error) => panic!("a trace that was put cannot be read: {error:?}"),
    }
}

async fn find(
    store: &dyn TraceStore,
    workspace: &WorkspaceId,
    filter: &TraceFilter,
) -> Vec<crate::run::TraceSummary> {
    match store.find(workspace, filter, &test_context()).await {
        Ok(found) => found,
        Err(error) => panic!("a listing failed: {error:?}"),
    }
}

fn workspace(prefix: &str, name: &str) -> WorkspaceId {
    match WorkspaceId::new(format!("{prefix}-{name}")) {
        Ok(id) => id,
        Err(error) => panic!("the prefix makes no workspace name: {error}"),
    }
}

fn conversation(name: &str) -> ConversationId {
    match ConversationId::new(name) {
        Ok(id) => id,
        Err(error) => panic!("{error}"),
    }
}

const fn trace_id(n: u8) -> TraceId {
    TraceId::from_bytes([n; 16])
}

fn span(id: u64, name: &str, start: i64) -> Span {
    Span::new(SpanId::from_u64(id), name, SpanKind::Custom, Timestamp::from_nanos(start))
}

fn part(n: u8, spans: Vec<Span>) -> TracePart {
    let source = SourceRevision::default();
    TracePart { trace_id: trace_id(n), conversation_id: None, environment: None, source, spans }
}

fn batch(workspace: &WorkspaceId, key: &str, parts: Vec<TracePart>) -> TraceBatch {
    TraceBatch { workspace: workspace.clone(), idempotency_key: key.to_owned(), parts }
}
