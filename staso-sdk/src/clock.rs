//! The only place that reads the wall clock.

use std::time::SystemTime;

use staso_core::trace::Timestamp;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "everything else asks here, or the clock of its run")]
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(0).saturating_add(since_epoch)
}
