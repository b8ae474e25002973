//! Reading the service's answer to a batch.

use std::time::Duration;

use serde_json::Value;

use super::exporter::ExportError;
use super::report::FailureKind;

/// What an answer of this status and body means for a batch of so many traces.
pub(super) fn judge(
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
    traces: usize,
    key: &str,
) -> Result<(), ExportError> {
    match status {
        200..300 if acknowledges(body, traces, key) => Ok(()),
        401 => Err(ExportError::permanent(FailureKind::InvalidKey)),
        402 => Err(ExportError::permanent(FailureKind::PlanExpired)),
        403 => Err(ExportError::permanent(FailureKind::Forbidden)),
        429 => Err(rate_limited(retry_after)),
        500.. => Err(ExportError::retryable(FailureKind::BackendUnavailable)),
        _ => Err(ExportError::permanent(FailureKind::MalformedResponse)),
    }
}

/// Only a number of seconds says for sure when to come back.
fn rate_limited(retry_after: Option<&str>) -> ExportError {
    let seconds =
        retry_after.and_then(|text| text.trim().parse::<f64>().ok()).filter(|seconds| *seconds >= 0.0);
    match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(wait) => {
            ExportError { retry_after: Some(wait), ..ExportError::retryable(FailureKind::RateLimited) }
        }
        None => ExportError::permanent(FailureKind::RateLimited),
    }
}

/// All or nothing: the answer must confirm exactly this batch.
fn acknowledges(body: &[u8], traces: usize, key: &str) -> bool {
    let Ok(Value::Object(answer)) = serde_json::from_slice(body) else { return false };
    let count = |name: &str| answer.get(name).filter(|value| value.is_u64()).and_then(Value::as_u64);
    count("accepted") == u64::try_from(traces).ok()
        && count("rejected") == Some(0)
        && count("spans_dropped") == Some(0)
        && answer.get("receipt_id").and_then(Value::as_str) == Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"accepted":2,"rejected":0,"spans_dropped":0,"receipt_id":"k","more":1}"#;

    #[test]
    fn only_the_exact_acknowledgement_counts() {
        assert_eq!(judge(200, None, GOOD.as_bytes(), 2, "k"), Ok(()));
        assert_eq!(judge(202, None, GOOD.as_bytes(), 2, "k"), Ok(()));
        let bad = [
            "",
            "[]",
            r#"{"accepted":2,"rejected":0,"spans_dropped":0}"#,
            r#"{"accepted":2,"rejected":0,"spans_dropped":0,"receipt_id":"other"}"#,
            r#"{"accepted":1,"rejected":1,"spans_dropped":0,"receipt_id":"k"}"#,
            r#"{"accepted":2,"rejected":0,"spans_dropped":3,"receipt_id":"k"}"#,
            r#"{"accepted":2.0,"rejected":0,"spans_dropped":0,"receipt_id":"k"}"#,
            r#"{"accepted":2,"rejected":false,"spans_dropped":0,"receipt_id":"k"}"#,
            r#"{"accepted":"2","rejected":0,"spans_dropped":0,"receipt_id":"k"}"#,
        ];
        for body in bad {
            let error = judge(200, None, body.as_bytes(), 2, "k").unwrap_err();
            assert_eq!(error, ExportError::permanent(FailureKind::MalformedResponse), "{body}");
        }
    }

    #[test]
    fn each_status_has_its_meaning() {
        let cases = [
            (301, FailureKind::MalformedResponse, false),
            (400, FailureKind::MalformedResponse, false),
            (401, FailureKind::InvalidKey, false),
            (402, FailureKind::PlanExpired, false),
            (403, FailureKind::Forbidden, false),
            (404, FailureKind::MalformedResponse, false),
            (429, FailureKind::RateLimited, false),
            (500, FailureKind::BackendUnavailable, true),
            (503, FailureKind::BackendUnavailable, true),
        ];
        for (status, kind, retryable) in cases {
            let error = judge(status, None, GOOD.as_bytes(), 2, "k").unwrap_err();
            assert_eq!((error.kind, error.retryable), (kind, retryable), "{status}");
        }
    }

    #[test]
    fn a_rate_limit_is_retried_only_when_it_names_seconds() {
        let wait = |text| judge(429, Some(text), b"", 1, "k").unwrap_err().retry_after;
        assert_eq!(wait("2"), Some(Duration::from_secs(2)));
        assert_eq!(wait("0.5"), Some(Duration::from_millis(500)));
        for text in ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "nan", "inf", ""] {
            assert_eq!(wait(text), None, "{text}");
        }
    }
}
