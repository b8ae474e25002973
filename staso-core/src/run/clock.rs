//! Time, as the host gives it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::trace::Timestamp;

/// A pending wait.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A source of time. The core reads no clock of its own, so that runs can be repeated.
///
/// # Contract
/// [`monotonic`](Self::monotonic) never goes back, whatever happens to the wall clock.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary fixed point.
    fn monotonic(&self) -> Duration;

    /// Waits. Dropping the future stops waiting.
    fn sleep(&self, duration: Duration) -> Sleep;
}
