//! The dates of HTTP.

use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::HeaderValue;
use staso_core::trace::Timestamp;

/// The time that a header such as `Date` gives, to the second.
pub(super) fn http_date(value: &HeaderValue) -> Option<Timestamp> {
    let time = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    Some(from_epoch(time.duration_since(UNIX_EPOCH).ok()?))
}

/// The time so long after the beginning of 1970.
pub(super) fn from_epoch(since: Duration) -> Timestamp {
    Timestamp::from_nanos(0).saturating_add(since)
}
