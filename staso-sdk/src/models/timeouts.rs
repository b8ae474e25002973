//! How long a model may take.

use std::time::Duration;

/// How long each part of one call may take. The time left of the run bounds all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelTimeouts {
    /// Until the connection stands. Default 10 s.
    pub connect: Duration,
    /// Until the reply begins. Models may think that long before they write. Default 120 s.
    pub first_byte: Duration,
    /// Silence in the middle of a reply. Default 60 s.
    pub idle: Duration,
    /// The whole call. Default 600 s.
    pub whole: Duration,
}

impl Default for ModelTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            whole: Duration::from_secs(600),
        }
    }
}

impl ModelTimeouts {
    /// Sets the time until the connection stands.
    #[must_use]
    pub const fn with_connect(mut self, limit: Duration) -> Self {
        self.connect = limit;
        self
    }

    /// Sets the time until the reply begins.
    #[must_use]
    pub const fn with_first_byte(mut self, limit: Duration) -> Self {
        self.first_byte = limit;
        self
    }

    /// Sets the longest silence in the middle of a reply.
    #[must_use]
    pub const fn with_idle(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// Sets the time for the whole call.
    #[must_use]
    pub const fn with_whole(mut self, limit: Duration) -> Self {
        self.whole = limit;
        self
    }
}
