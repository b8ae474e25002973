//! Rate limits: which answers are one, and what they ask for.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use staso_core::trace::Timestamp;
use staso_core::vcs::RateLimitKind;

use super::date::{from_epoch, http_date};
use super::{ApiAnswer, status};

/// An answer that asks to come again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) kind: RateLimitKind,
    /// How long, when the server says so.
    pub(super) wait: Option<Duration>,
}

impl Limit {
    /// What the answer asks for; `None` when it is no rate limit. `now` counts where the server does not say its own time.
    ///
    /// The order is GitHub's: `retry-after`, then `x-ratelimit-reset` when nothing remains, then a minute.
    pub(super) fn of(answer: &ApiAnswer, now: Timestamp) -> Option<Self> {
        let now = answer.date().unwrap_or(now);
        let exhausted = number(&answer.headers, "x-ratelimit-remaining") == Some(0);
        let says_so = says_limit(answer);
        let limited = match answer.status {
            429 => true,
            // The last request before a limit may well be refused for another reason.
            403 => says_so.unwrap_or(exhausted) || answer.headers.contains_key("retry-after"),
            200 => answer.is_graphql() && graphql_limited(answer),
            _ => false,
        };
        let kind = if exhausted { RateLimitKind::Primary } else { RateLimitKind::Secondary };
        let reset = || exhausted.then(|| reset(&answer.headers, now)).flatten();
        limited.then(|| Self { kind, wait: retry_after(&answer.headers, now).or_else(reset) })
    }
}

/// How long `retry-after` asks for, in seconds or as a date.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get("retry-after")?;
    match number(headers, "retry-after") {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => http_date(value).map(|date| date.since(now)),
    }
}

fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    number(headers, "x-ratelimit-reset").map(|seconds| from_epoch(Duration::from_secs(seconds)).since(now))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Whether the message speaks of a limit; `None` when there is no message.
fn says_limit(answer: &ApiAnswer) -> Option<bool> {
    let message = status::raw_message(answer)?.to_ascii_lowercase();
    Some(["rate limit", "abuse"].iter().any(|words| message.contains(words)))
}

/// GraphQL answers 200 with an error of a certain type.
fn graphql_limited(answer: &ApiAnswer) -> bool {
    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        errors: Vec<Failure>,
    }
    #[derive(Deserialize)]
    struct Failure {
        #[serde(default, rename = "type")]
        kind: String,
        #[serde(default)]
        message: String,
    }
    let limited = |error: &Failure| {
        error.kind == "RATE_LIMITED" || error.message.to_ascii_lowercase().contains("secondary rate limit")
    };
    serde_json::from_slice::<Body>(&answer.body).is_ok_and(|body| body.errors.iter().any(limited))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    const NOW: Timestamp = Timestamp::from_nanos(1_767_225_600_000_000_000);

    fn answer(status: u16, headers: &[(&'static str, &str)], message: &str) -> ApiAnswer {
        let body = serde_json::json!({ "message": message }).to_string();
        let mut answer = ApiAnswer::of(status, body);
        for (name, value) in headers {
            answer.headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        answer
    }

    #[test]
    fn what_is_a_limit_and_for_how_long() {
        use RateLimitKind::{Primary, Secondary};
        let secondary = "You have exceeded a secondary rate limit. Please wait a few minutes.";
        let left = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767225690")];
        let dated = [left[0], left[1], ("date", "Thu, 01 Jan 2026 00:01:00 GMT")];
        let http_date = ("retry-after", "Thu, 01 Jan 2026 00:00:07 GMT");
        let denied = "Resource not accessible by integration";
        for (status, headers, message, expected) in [
            (403, &left[..], "API rate limit exceeded for installation.", Some((Primary, Some(90)))),
            (429, &dated, "API rate limit exceeded", Some((Primary, Some(30)))),
            (403, &[("retry-after", "7")], secondary, Some((Secondary, Some(7)))),
            (403, &[http_date], secondary, Some((Secondary, Some(7)))),
            (429, &[left[0], left[1], ("retry-after", "5")], "", Some((Primary, Some(5)))),
            (403, &[], secondary, Some((Secondary, None))),
            (403, &[], "You have triggered an abuse detection mechanism.", Some((Secondary, None))),
            (429, &[("retry-after", "soon")], "", Some((Secondary, None))),
            (429, &[("x-ratelimit-remaining", "12")], "", Some((Secondary, None))),
            (403, &left, denied, None),
            (403, &[], denied, None),
            (404, &left, "Not Found", None),
            (200, &left, "", None),
        ] {
            let limit = Limit::of(&answer(status, headers, message), NOW);
            let found = limit.map(|limit| (limit.kind, limit.wait.map(|wait| wait.as_secs())));
            assert_eq!(found, expected, "{status} {headers:?} {message}");
        }
    }

    #[test]
    fn graphql_says_it_with_status_200() {
        let mut limited = answer(200, &[("x-ratelimit-remaining", "0")], "");
        limited.body =
            br#"{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}"#.to_vec();
        assert_eq!(Limit::of(&limited, NOW), None, "that is no answer of the REST API");
        limited.asked.1.clear();
        assert_eq!(Limit::of(&limited, NOW).map(|limit| limit.kind), Some(RateLimitKind::Primary));
        let mut second = answer(200, &[], "");
        second.asked.1.clear();
        second.body = br#"{"errors":[{"message":"You have exceeded a secondary rate limit."}]}"#.to_vec();
        assert_eq!(Limit::of(&second, NOW).map(|limit| limit.kind), Some(RateLimitKind::Secondary));
        second.body = br#"{"data":null,"errors":[{"type":"NOT_FOUND","message":"no"}]}"#.to_vec();
        assert_eq!(Limit::of(&second, NOW), None);
    }

    proptest! {
        #[test]
        fn no_header_breaks_it(value in "[ -~]{0,40}|[0-9]{1,30}", body in any::<Vec<u8>>()) {
            let mut any = ApiAnswer::of(429, body);
            for name in ["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "date"] {
                any.headers.insert(name, HeaderValue::from_str(&value).unwrap());
            }
            prop_assert!(Limit::of(&any, NOW).is_some());
            any.date();
        }
    }
}
