//! Queries.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use staso_core::id::{RunId, TraceId, WorkspaceId};
use staso_core::run::{ARTIFACT_SCHEMA_VERSION, RunArtifact, TraceFilter, TraceSummary};
use staso_core::trace::{Timestamp, Trace, TraceLimits};

use super::error::Failure;
use super::segment;

pub(super) fn trace(db: &Connection, workspace: &WorkspaceId, id: TraceId) -> Result<Trace, Failure> {
    let mut query = db.prepare_cached(
        "SELECT s.body FROM workspaces w
         JOIN traces t ON t.workspace = w.id AND t.trace_id = ?2
         JOIN segments s ON s.trace = t.id
         WHERE w.name = ?1 ORDER BY s.seq",
    )?;
    let mut rows = query.query(params![workspace.as_str(), id.as_bytes()])?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        parts.push(segment::decode(id, body)?);
    }
    if parts.is_empty() {
        return Err(Failure::NotFound { what: "trace", id: id.to_string() });
    }
    Trace::assemble(id, parts, TraceLimits::default())
        .map_err(|error| Failure::Invalid { what: "trace", reason: error.to_string() })
}

pub(super) fn listing(
    db: &Connection,
    workspace: &WorkspaceId,
    filter: &TraceFilter,
) -> Result<Vec<TraceSummary>, Failure> {
    let limit = i64::try_from(filter.limit.min(TraceFilter::MAX_LIMIT)).unwrap_or(i64::MAX);
    let mut wanted: Vec<SqlValue> = vec![workspace.as_str().to_owned().into(), limit.into()];
    let mut sql = "SELECT trace_id, start, spans, failed FROM traces
         WHERE workspace = (SELECT id FROM workspaces WHERE name = ?1)"
        .to_owned();
    if filter.failed_only {
        sql.push_str(" AND failed > 0");
    }
    if let Some(conversation) = &filter.conversation_id {
        sql.push_str(" AND conversation = ?3");
        wanted.push(conversation.as_str().to_owned().into());
    }
    sql.push_str(" ORDER BY start DESC, trace_id DESC LIMIT ?2");
    let mut query = db.prepare_cached(&sql)?;
    let rows = query.query_map(params_from_iter(wanted), |row| {
        Ok(TraceSummary {
            trace_id: TraceId::from_bytes(row.get(0)?),
            start: Timestamp::from_nanos(row.get(1)?),
            spans: row.get(2)?,
            failed: row.get::<_, i64>(3)? > 0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn run(db: &Connection, id: RunId) -> Result<RunArtifact, Failure> {
    let text: Option<String> = db
        .prepare_cached("SELECT artifact FROM runs WHERE run_id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    let text = text.ok_or_else(|| Failure::NotFound { what: "run", id: id.to_string() })?;
    artifact(&text).map_err(|reason| Failure::Invalid {
        what: "stored artifact",
        reason: format!("the artifact of run {id} {reason}"),
    })
}

fn artifact(text: &str) -> Result<RunArtifact, String> {
    #[derive(serde::Deserialize)]
    struct Version {
        schema_version: u32,
    }
    let unreadable = |error: serde_json::Error| format!("cannot be read: {error}");
    let Version { schema_version } = serde_json::from_str(text).map_err(unreadable)?;
    if schema_version > ARTIFACT_SCHEMA_VERSION {
        return Err(format!(
            "has schema {schema_version}; this version reads up to {ARTIFACT_SCHEMA_VERSION}"
        ));
    }
    serde_json::from_str(text).map_err(unreadable)
}

pub(super) fn runs_of_trace(db: &Connection, trace: TraceId) -> Result<Vec<RunId>, Failure> {
    let mut query = db.prepare_cached(
        "SELECT run_id FROM runs WHERE trace_id = ?1 ORDER BY started_at DESC, run_id DESC LIMIT 100",
    )?;
    let rows = query.query_map([trace.as_bytes()], |row| row.get(0).map(RunId::from_bytes))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
