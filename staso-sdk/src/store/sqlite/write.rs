//! What the writing thread does inside a transaction.

use rusqlite::{Connection, OptionalExtension, params};
use staso_core::id::WorkspaceId;
use staso_core::run::{PutReceipt, RunArtifact, Subject, TraceBatch, TracePart};

use super::error::Failure;
use super::segment;

/// Idempotency keys that are remembered, over all workspaces.
const KEPT_KEYS: i64 = 1_000_000;

/// A batch in the form in which it is written.
#[derive(Debug)]
pub(super) struct EncodedBatch {
    workspace: WorkspaceId,
    key: String,
    receipt: PutReceipt,
    parts: Vec<EncodedPart>,
}

#[derive(Debug)]
struct EncodedPart {
    trace_id: [u8; 16],
    conversation: Option<String>,
    spans: Vec<SpanRow>,
    body: Vec<u8>,
}

#[derive(Debug)]
struct SpanRow {
    span_id: [u8; 16],
    start: i64,
    failed: bool,
    provisional: bool,
}

impl EncodedBatch {
    /// Encodes part after part, giving way to other tasks in between.
    pub(super) async fn of(batch: &TraceBatch) -> Result<Self, Failure> {
        let mut parts = Vec::with_capacity(batch.parts.len());
        for part in &batch.parts {
            parts.push(EncodedPart::of(part)?);
            tokio::task::yield_now().await;
        }
        let (workspace, key) = (batch.workspace.clone(), batch.idempotency_key.clone());
        Ok(Self { workspace, key, receipt: batch.receipt(), parts })
    }

    pub(super) const fn receipt(&self) -> PutReceipt {
        self.receipt
    }

    pub(super) const fn spans(&self) -> usize {
        self.receipt.spans
    }
}

impl EncodedPart {
    fn of(part: &TracePart) -> Result<Self, Failure> {
        let body = segment::encode(part)
            .map_err(|error| Failure::Invalid { what: "batch", reason: error.to_string() })?;
        let row = |span: &staso_core::trace::Span| SpanRow {
            span_id: *span.span_id.as_bytes(),
            start: span.start.as_nanos(),
            failed: span.is_failed(),
            provisional: span.is_provisional(),
        };
        Ok(Self {
            trace_id: *part.trace_id.as_bytes(),
            conversation: part.conversation_id.as_ref().map(|id| id.as_str().to_owned()),
            spans: part.spans.iter().map(row).collect(),
            body,
        })
    }
}

/// Writes a batch, or finds that it was written before.
pub(super) fn put_batch(db: &Connection, batch: &EncodedBatch) -> Result<PutReceipt, Failure> {
    let workspace = workspace_row(db, &batch.workspace)?;
    let known = db
        .prepare_cached("SELECT traces, spans FROM batches WHERE workspace = ?1 AND key = ?2")?
        .query_row(params![workspace, batch.key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((traces, spans)) = known {
        return Ok(PutReceipt { traces, spans, replayed: true });
    }
    for part in &batch.parts {
        put_part(db, workspace, part)?;
    }
    db.prepare_cached("INSERT INTO batches (workspace, key, traces, spans) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![workspace, batch.key, batch.receipt.traces, batch.receipt.spans])?;
    db.prepare_cached("DELETE FROM batches WHERE seq <= ?1")?
        .execute([db.last_insert_rowid() - KEPT_KEYS])?;
    Ok(batch.receipt)
}

fn workspace_row(db: &Connection, name: &WorkspaceId) -> Result<i64, Failure> {
    let name = name.as_str();
    let find = || {
        db.prepare_cached("SELECT id FROM workspaces WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()
    };
    if let Some(id) = find()? {
        return Ok(id);
    }
    db.prepare_cached("INSERT INTO workspaces (name) VALUES (?1)")?.execute([name])?;
    Ok(db.last_insert_rowid())
}

fn put_part(db: &Connection, workspace: i64, part: &EncodedPart) -> Result<(), Failure> {
    let trace: i64 = db
        .prepare_cached(
            "INSERT INTO traces (workspace, trace_id, start, spans, failed, conversation)
             VALUES (?1, ?2, 0, 0, 0, ?3)
             ON CONFLICT (workspace, trace_id) DO UPDATE SET
                 conversation = coalesce(conversation, excluded.conversation)
             RETURNING id",
        )?
        .query_row(params![workspace, part.trace_id, part.conversation], |row| row.get(0))?;
    let mut put_span = db.prepare_cached(
        "INSERT INTO spans (trace, span_id, start, failed, provisional) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (trace, span_id) DO UPDATE SET
             start = excluded.start, failed = excluded.failed, provisional = excluded.provisional
             WHERE provisional OR NOT excluded.provisional",
    )?;
    for span in &part.spans {
        put_span.execute(params![trace, span.span_id, span.start, span.failed, span.provisional])?;
    }
    db.prepare_cached("INSERT INTO segments (trace, body) VALUES (?1, ?2)")?
        .execute(params![trace, part.body])?;
    db.prepare_cached(
        "UPDATE traces SET (start, spans, failed) =
             (SELECT min(start), count(*), sum(failed) FROM spans WHERE trace = ?1)
         WHERE id = ?1",
    )?
    .execute([trace])?;
    Ok(())
}

/// An artifact in the form in which it is written.
#[derive(Debug)]
pub(super) struct EncodedRun {
    run_id: [u8; 16],
    trace_id: Option<[u8; 16]>,
    started_at: i64,
    artifact: String,
}

impl EncodedRun {
    pub(super) fn of(artifact: &RunArtifact) -> Result<Self, Failure> {
        let text = serde_json::to_string(artifact)
            .map_err(|error| Failure::Invalid { what: "artifact", reason: error.to_string() })?;
        let trace_id = match &artifact.subject {
            Subject::TraceId(id) => Some(*id.as_bytes()),
            Subject::ConversationId(_) => None,
        };
        let (run_id, started_at) = (*artifact.run_id.as_bytes(), artifact.started_at.as_nanos());
        Ok(Self { run_id, trace_id, started_at, artifact: text })
    }
}

pub(super) fn put_run(db: &Connection, run: &EncodedRun) -> Result<(), Failure> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO runs (run_id, trace_id, started_at, artifact) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![run.run_id, run.trace_id, run.started_at, run.artifact])?;
    Ok(())
}
