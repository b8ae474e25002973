//! What senders are told.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::ingest::IngestError;

/// The acknowledgement of `POST /v1/traces/ingest`. The SDKs check every field and take anything else for a failure.
#[derive(Debug, Serialize)]
pub(super) struct Acknowledgement {
    pub(super) accepted: usize,
    pub(super) rejected: usize,
    pub(super) spans_dropped: usize,
    pub(super) receipt_id: String,
}

/// The answer of OTLP over HTTP; empty when everything was taken.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OtlpAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partial_success: Option<PartialSuccess>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartialSuccess {
    /// A string, as protobuf JSON writes 64-bit numbers.
    pub(super) rejected_spans: String,
    pub(super) error_message: String,
}

/// A refusal: status, a lasting code, a sentence, and the place in the body where there is one.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    path: Option<String>,
}

#[derive(Serialize)]
struct ErrorBody<'r> {
    error: ErrorFields<'r>,
}

#[derive(Serialize)]
struct ErrorFields<'r> {
    code: &'static str,
    message: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'r str>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), path: None }
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes; send fewer spans at once");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Self {
        let status = match error {
            IngestError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        let path = Some(error.path().to_owned()).filter(|path| !path.is_empty());
        Self { status, code: error.code(), message: error.to_string(), path }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let fields = ErrorFields { code: self.code, message: &self.message, path: self.path.as_deref() };
        let mut response = (self.status, Json(ErrorBody { error: fields })).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
