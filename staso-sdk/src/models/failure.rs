//! From what a provider or a connection reports to a [`ModelError`] that repeats nothing of it.

use std::time::Duration;

use genai::webc::StreamTimeout;
use reqwest::header::HeaderMap;
use serde_json::Value;
use staso_core::agent::ModelError;

use super::timeouts::ModelTimeouts;
use crate::secret::Secret;

const MAX_CODE_BYTES: usize = 48;
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What an error object says, without its prose.
struct Report<'v> {
    status: Option<u16>,
    codes: Vec<&'v str>,
    /// For recognising problems that some providers name in prose alone; never repeated.
    message: String,
    retry_after: Option<Duration>,
}

/// Judges an answer with an error status.
pub(super) fn of_status(status: u16, headers: &HeaderMap, body: &str, key: Option<&Secret>) -> ModelError {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let mut report = Report::read(&body);
    report.status = Some(status);
    report.retry_after = retry_after(headers).or(report.retry_after);
    report.judge(key)
}

/// Judges an error object in an answer that began well.
pub(super) fn of_body(body: &Value, key: Option<&Secret>) -> ModelError {
    Report::read(body).judge(key)
}

/// Judges what the client below could not do.
pub(super) fn of_client(error: &genai::Error, timeouts: ModelTimeouts, key: Option<&Secret>) -> ModelError {
    match error {
        genai::Error::HttpError { status, body, headers, .. } => {
            of_status(status.as_u16(), headers, body, key)
        }
        genai::Error::WebModelCall { webc_error, .. } | genai::Error::WebAdapterCall { webc_error, .. } => {
            of_web(webc_error, timeouts, key)
        }
        genai::Error::WebStream { error, .. } => {
            if let Some(error) = error.downcast_ref::<genai::Error>() {
                of_client(error, timeouts, key)
            } else if let Some(timeout) = error.downcast_ref::<StreamTimeout>() {
                timed_out(match timeout {
                    StreamTimeout::Headers => timeouts.first_byte,
                    StreamTimeout::Read => timeouts.idle,
                })
            } else if let Some(error) = error.downcast_ref::<reqwest::Error>() {
                of_connection(error, timeouts)
            } else {
                ModelError::Malformed { what: "it is not UTF-8" }
            }
        }
        _ => ModelError::Malformed { what: "it does not follow the provider's interface" },
    }
}

/// A call, or a part of it, took longer than its limit.
pub(super) fn timed_out(limit: Duration) -> ModelError {
    ModelError::Timeout { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) }
}

fn of_web(error: &genai::webc::Error, timeouts: ModelTimeouts, key: Option<&Secret>) -> ModelError {
    match error {
        genai::webc::Error::ResponseFailedStatus { status, body, headers } => {
            of_status(status.as_u16(), headers, body, key)
        }
        genai::webc::Error::Reqwest(error) => of_connection(error, timeouts),
        _ => ModelError::Malformed { what: "it is not JSON" },
    }
}

fn of_connection(error: &reqwest::Error, timeouts: ModelTimeouts) -> ModelError {
    if error.is_connect() {
        // A connection that timed out is the provider's affair as well.
        ModelError::Network { what: "connecting failed" }
    } else if error.is_timeout() {
        timed_out(timeouts.whole)
    } else {
        ModelError::Network { what: "the connection was lost" }
    }
}

impl<'v> Report<'v> {
    fn read(body: &'v Value) -> Self {
        // Gemini streams its errors in an array; Responses puts them into the response.
        let body = body.get(0).unwrap_or(body);
        let body = body.get("response").unwrap_or(body);
        let error = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
        let number = |name: &str| error.get(name).and_then(Value::as_u64);
        let status = number("code").or_else(|| number("status_code")).or_else(|| number("status"));
        let details = error.get("details").and_then(Value::as_array).into_iter().flatten();
        let mut codes: Vec<&str> =
            ["code", "type", "status"].iter().filter_map(|name| error.get(name)?.as_str()).collect();
        codes.extend(details.clone().filter_map(|detail| detail.get("reason")?.as_str()));
        let delays = details.filter_map(|detail| detail.get("retryDelay")?.as_str()?.strip_suffix('s'));
        Self {
            status: status.and_then(|status| u16::try_from(status).ok()).filter(|status| *status >= 400),
            codes,
            message: error.get("message").and_then(Value::as_str).unwrap_or_default().to_lowercase(),
            retry_after: delays.filter_map(seconds).next(),
        }
    }

    fn has(&self, known: &[&str]) -> bool {
        self.codes.iter().any(|code| known.iter().any(|known| code.eq_ignore_ascii_case(known)))
    }

    fn judge(&self, key: Option<&Secret>) -> ModelError {
        let retry_after = self.retry_after;
        if self.is_too_long() {
            return ModelError::ContextLength;
        }
        if self.has(&["content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"]) {
            return ModelError::ContentFilter;
        }
        let refused = ["authentication_error", "permission_error", "invalid_api_key", "API_KEY_INVALID"];
        match self.status {
            Some(401 | 403) => ModelError::Auth { status: self.status },
            _ if self.has(&refused) => ModelError::Auth { status: self.status },
            // Waiting does not fill an account.
            _ if self.has(&["insufficient_quota", "billing_error"]) => self.bad_request(key),
            Some(429) => ModelError::RateLimited { retry_after },
            Some(408 | 409 | 500 | 502 | 503 | 504 | 529) => {
                ModelError::Overloaded { status: self.status, retry_after }
            }
            Some(_) => self.bad_request(key),
            None if self.has(&["rate_limit_error", "rate_limit_exceeded", "RESOURCE_EXHAUSTED"]) => {
                ModelError::RateLimited { retry_after }
            }
            None if self.has(&[
                "overloaded_error",
                "api_error",
                "server_error",
                "internal_server_error",
                "timeout_error",
                "UNAVAILABLE",
                "INTERNAL",
                "DEADLINE_EXCEEDED",
            ]) =>
            {
                ModelError::Overloaded { status: None, retry_after }
            }
            None => self.bad_request(key),
        }
    }

    fn is_too_long(&self) -> bool {
        const PROSE: [&str; 6] = [
            "prompt is too long",
            "maximum context length",
            "context window",
            "input token count",
            "input is too long",
            "available context size",
        ];
        let codes = ["context_length_exceeded", "exceed_context_size_error", "request_too_large"];
        self.has(&codes)
            || (!matches!(self.status, Some(401 | 403 | 429))
                && PROSE.iter().any(|prose| self.message.contains(prose)))
    }

    fn bad_request(&self, key: Option<&Secret>) -> ModelError {
        ModelError::BadRequest { status: self.status, code: self.code(key) }
    }

    /// The first word that is one: letters, `_`, `-` and `.`. A server that echoes the key gets no word.
    fn code(&self, key: Option<&Secret>) -> Option<String> {
        let is_word = |code: &&&str| {
            (1..=MAX_CODE_BYTES).contains(&code.len())
                && code.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-.".contains(&byte))
                && !key.is_some_and(|key| key.expose().contains(**code) || code.contains(key.expose()))
        };
        self.codes.iter().find(is_word).map(|code| (*code).to_owned())
    }
}

/// `retry-after-ms`, else `retry-after` in seconds. Dates, which no provider of a model sends, count as nothing.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let milliseconds = text("retry-after-ms").and_then(seconds).map(|value| value / 1_000);
    milliseconds.or_else(|| text("retry-after").and_then(seconds))
}

fn seconds(text: &str) -> Option<Duration> {
    let value: f64 = text.trim().parse().ok()?;
    Duration::try_from_secs_f64(value).ok().map(|value| value.min(MAX_RETRY_AFTER * 1_000))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};
    use staso_core::agent::ModelError;

    use super::{of_status, retry_after};
    use crate::secret::Secret;

    #[test]
    fn waits_are_read_in_both_units() {
        let wait = |name: &'static str, value: &'static str| {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))]);
            retry_after(&headers).map(|wait| wait.as_millis())
        };
        assert_eq!(wait("retry-after", "7"), Some(7_000));
        assert_eq!(wait("retry-after", "0.25"), Some(250));
        assert_eq!(wait("retry-after-ms", "1500"), Some(1_500));
        for nonsense in ["", "-1", "NaN", "inf", "Wed, 21 Oct 2015 07:28:00 GMT"] {
            assert_eq!(wait("retry-after", nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_code_is_a_word_and_never_the_key() {
        let key = Secret::new("abc-canary-key");
        let code = |body: &str| match of_status(400, &HeaderMap::new(), body, Some(&key)) {
            ModelError::BadRequest { code, .. } => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(r#"{"error":{"code":"model_not_found"}}"#).as_deref(), Some("model_not_found"));
        assert_eq!(code(r#"{"error":{"code":"abc-canary-key"}}"#), None);
        assert_eq!(code(r#"{"error":{"code":"canary"}}"#), None);
        assert_eq!(code(r#"{"error":{"code":"see https://evil.example"}}"#), None);
        assert_eq!(code("<html>"), None);
    }
}
