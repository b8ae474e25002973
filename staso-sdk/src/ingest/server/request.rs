//! Reading a request: the checks on its head come before its body is read.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request};
use axum::http::{HeaderMap, StatusCode, header};
use staso_core::id::WorkspaceId;
use tokio::sync::OwnedSemaphorePermit;

use super::IngestState;
use super::answer::Refusal;

/// Longest wait for a free slot.
const SLOT_WAIT: Duration = Duration::from_secs(1);
/// Longest time for a body to arrive.
const BODY_WAIT: Duration = Duration::from_secs(60);
/// Longest idempotency key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// A request that may be read, with its body.
pub(super) struct Accepted {
    pub(super) workspace: WorkspaceId,
    pub(super) idempotency_key: Option<String>,
    pub(super) body: Bytes,
    /// Held until the request is answered: what a body becomes takes several times its size.
    pub(super) _slot: OwnedSemaphorePermit,
}

pub(super) async fn accept(state: &IngestState, request: Request) -> Result<Accepted, Refusal> {
    let headers = request.headers();
    let workspace = state.auth.workspace_of(api_key(headers)).cloned().ok_or_else(|| {
        let message = "the API key is missing or not valid; send it in the header X-API-Key";
        Refusal::new(StatusCode::UNAUTHORIZED, "invalid_key", message)
    })?;
    check_form(headers)?;
    let idempotency_key = idempotency_key(headers)?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > state.limits.max_body_bytes) {
        return Err(Refusal::too_large(state.limits.max_body_bytes));
    }
    let slot = tokio::time::timeout(SLOT_WAIT, Arc::clone(&state.slots).acquire_owned()).await;
    let Ok(Ok(slot)) = slot else {
        let message = "too many requests at once; try again in a second";
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message));
    };
    let body = read_body(state, request).await?;
    Ok(Accepted { workspace, idempotency_key, body, _slot: slot })
}

async fn read_body(state: &IngestState, request: Request) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(BODY_WAIT, Bytes::from_request(request, state)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Refusal::too_large(state.limits.max_body_bytes))
        }
        Ok(Err(_)) => {
            Err(Refusal::new(StatusCode::BAD_REQUEST, "incomplete_body", "the body did not arrive whole"))
        }
        Err(_) => {
            let message = format!("the body did not arrive within {} s", BODY_WAIT.as_secs());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", message))
        }
    }
}

/// `X-API-Key`, or `Authorization: Bearer` as exporters of OpenTelemetry often send it.
fn api_key(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = || headers.get(header::AUTHORIZATION)?.as_bytes().strip_prefix(b"Bearer ");
    headers.get("x-api-key").map(axum::http::HeaderValue::as_bytes).or_else(bearer)
}

fn check_form(headers: &HeaderMap) -> Result<(), Refusal> {
    let unsupported =
        |code, message: &str| Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, message));
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let encoding = text(header::CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity") {
        return unsupported(
            "unsupported_encoding",
            "compressed bodies are not supported; send the body as it is",
        );
    }
    let media_type = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    unsupported(
        "unsupported_media_type",
        "send JSON with Content-Type: application/json (for OTLP set OTEL_EXPORTER_OTLP_PROTOCOL=http/json)",
    )
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        let message = format!("the header Idempotency-Key must have 1 to {MAX_KEY_BYTES} ASCII characters");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_idempotency_key", message));
    }
    Ok(Some(key.to_owned()))
}
