//! The two routes.

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use staso_core::id::Digest;
use staso_core::run::TraceBatch;

use super::IngestState;
use super::answer::{Acknowledgement, OtlpAnswer, PartialSuccess, Refusal};
use super::request::{Accepted, accept};
use crate::ingest::{IngestError, IngestLimits, parse_otlp_json, parse_staso};

/// Longest time for the store to take a batch.
const STORE_WAIT: Duration = Duration::from_secs(30);

/// The routes `POST /v1/traces/ingest` (the format of the staso SDKs) and `POST /v1/traces` (OTLP JSON), to serve alone
/// or to merge into the router of an application.
///
/// A batch is taken whole or not at all, and is in the store when it is acknowledged. The same `Idempotency-Key` gets
/// the same answer; OTLP, which has none, is told apart by its content.
pub fn router(state: IngestState) -> Router {
    let limit = DefaultBodyLimit::max(state.limits.max_body_bytes);
    Router::new()
        .route("/v1/traces/ingest", post(take_staso))
        .route("/v1/traces", post(take_otlp))
        .layer(limit)
        .with_state(state)
}

async fn take_staso(
    State(state): State<IngestState>,
    request: Request,
) -> Result<Json<Acknowledgement>, Refusal> {
    let Accepted { workspace, idempotency_key, body, _slot } = accept(&state, request).await?;
    let idempotency_key = idempotency_key.ok_or_else(|| {
        let message =
            "the header Idempotency-Key is missing; send one that stays the same for all attempts of a batch";
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", message)
    })?;
    let parts = parse(state.limits, move |limits| parse_staso(&body, limits)).await?;
    let receipt_id = idempotency_key.clone();
    let accepted = store(&state, TraceBatch { workspace, idempotency_key, parts }).await?;
    Ok(Json(Acknowledgement { accepted, rejected: 0, spans_dropped: 0, receipt_id }))
}

async fn take_otlp(State(state): State<IngestState>, request: Request) -> Result<Json<OtlpAnswer>, Refusal> {
    let Accepted { workspace, idempotency_key, body, _slot } = accept(&state, request).await?;
    let idempotency_key = idempotency_key.unwrap_or_else(|| format!("otlp {}", Digest::of(&body)));
    let taken = parse(state.limits, move |limits| parse_otlp_json(&body, limits)).await?;
    store(&state, TraceBatch { workspace, idempotency_key, parts: taken.parts }).await?;
    let partial_success = taken.refused.first().map(|first| PartialSuccess {
        rejected_spans: taken.refused.len().to_string(),
        error_message: format!("{}: {}", first.path, first.reason),
    });
    Ok(Json(OtlpAnswer { partial_success }))
}

/// Parses on a thread that may be busy: a body of 64 MiB takes longer than others should wait.
async fn parse<T: Send + 'static>(
    limits: IngestLimits,
    parse: impl FnOnce(&IngestLimits) -> Result<T, IngestError> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(move || parse(&limits)).await {
        Ok(parsed) => Ok(parsed?),
        Err(_) => Err(unavailable("the server is shutting down")),
    }
}

/// Puts the batch and tells how many traces it holds.
async fn store(state: &IngestState, batch: TraceBatch) -> Result<usize, Refusal> {
    if batch.parts.is_empty() {
        return Ok(0);
    }
    match tokio::time::timeout(STORE_WAIT, state.store.put(&batch)).await {
        Ok(Ok(receipt)) => Ok(receipt.traces),
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(error = %error, cause, "traces could not be stored; the sender will try again");
            Err(unavailable("the traces could not be stored; try again"))
        }
        Err(_) => {
            tracing::error!(limit_s = STORE_WAIT.as_secs(), "the trace store did not answer in time");
            Err(unavailable("the store did not answer in time; try again"))
        }
    }
}

fn unavailable(message: &str) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "backend_unavailable", message)
}
