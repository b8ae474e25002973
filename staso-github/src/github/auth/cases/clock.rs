//! A clock that does not make tests wait.

use std::sync::Mutex;
use std::time::Duration;

use staso_core::run::{Clock, Sleep};
use staso_core::trace::Timestamp;

/// Stands at 2016-07-11T21:14:10Z until it is moved. Short waits move it, and are over at once; long ones, the limits of
/// operations, pass in real time. Only waits are counted against the run.
#[derive(Debug, Default)]
pub(super) struct JumpClock {
    moved: Mutex<Duration>,
    waits: Mutex<Vec<Duration>>,
}

const START: &str = "2016-07-11T21:14:10Z";
const SHORT: Duration = Duration::from_secs(5);

impl JumpClock {
    pub(super) fn pass(&self, time: Duration) {
        *self.moved.lock().unwrap() += time;
    }

    /// The short waits so far, in seconds.
    pub(super) fn waits(&self) -> Vec<u64> {
        self.waits.lock().unwrap().iter().map(Duration::as_secs).collect()
    }
}

impl Clock for JumpClock {
    fn now(&self) -> Timestamp {
        START.parse::<Timestamp>().unwrap().saturating_add(*self.moved.lock().unwrap())
    }

    fn monotonic(&self) -> Duration {
        self.waits.lock().unwrap().iter().sum()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        if duration > SHORT {
            return Box::pin(tokio::time::sleep(duration));
        }
        if !duration.is_zero() {
            self.waits.lock().unwrap().push(duration);
            self.pass(duration);
        }
        Box::pin(std::future::ready(()))
    }
}
