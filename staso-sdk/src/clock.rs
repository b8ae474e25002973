//! The only place of the capture side that reads the wall clock.

use std::time::SystemTime;

use staso_core::trace::Timestamp;

/// The time of day, for the start of spans.
#[expect(
    clippy::disallowed_methods,
    reason = "recording happens outside of any run, so there is no RunContext"
)]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}
