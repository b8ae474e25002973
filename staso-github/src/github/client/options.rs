//! How hard a GitHub is asked.

use std::time::Duration;

/// How many requests go to a GitHub at once, how long one may take, and what is kept of the answers.
///
/// The defaults are what GitHub asks of integrations. Tests and mock servers may set the pauses to zero.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Sent as `X-GitHub-Api-Version`; `None` sends no such header, for old GitHub Enterprise Servers. Default
    /// `2022-11-28`.
    pub api_version: Option<String>,
    /// Longest time for connecting. Default 10 s.
    pub connect: Duration,
    /// Longest time for one request and its answer, a redirect or a repetition counting as another one. Default 60 s.
    pub request: Duration,
    /// Shortest pause between the end of a change and the start of the next, for each installation or user. Default 1 s.
    pub mutation_interval: Duration,
    /// Reading requests at one time, for each installation or user. At least 1. Default 4.
    pub readers: usize,
    /// Pause before a failed request is repeated for the first time. It doubles each time, up to 30 s, and is longer by a
    /// random part of up to one half. Default 1 s.
    pub retry_delay: Duration,
    /// Answers kept to be asked for again only if they have changed. 0 keeps none. Default 512.
    pub cache_entries: usize,
    /// Bytes of all kept answers together. Default 32 MiB.
    pub cache_bytes: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            api_version: Some("2022-11-28".to_owned()),
            connect: Duration::from_secs(10),
            request: Duration::from_secs(60),
            mutation_interval: Duration::from_secs(1),
            readers: 4,
            retry_delay: Duration::from_secs(1),
            cache_entries: 512,
            cache_bytes: 32 << 20,
        }
    }
}

impl ClientOptions {
    /// Sets the API version that is asked for.
    #[must_use]
    pub fn with_api_version(mut self, version: impl Into<String>) -> Self {
        self.api_version = Some(version.into());
        self
    }

    /// Asks for no API version.
    #[must_use]
    pub fn without_api_version(mut self) -> Self {
        self.api_version = None;
        self
    }

    /// Sets the longest time for connecting.
    #[must_use]
    pub const fn with_connect(mut self, limit: Duration) -> Self {
        self.connect = limit;
        self
    }

    /// Sets the longest time for one request.
    #[must_use]
    pub const fn with_request(mut self, limit: Duration) -> Self {
        self.request = limit;
        self
    }

    /// Sets the pause between changes.
    #[must_use]
    pub const fn with_mutation_interval(mut self, pause: Duration) -> Self {
        self.mutation_interval = pause;
        self
    }

    /// Sets how many requests read at one time.
    #[must_use]
    pub const fn with_readers(mut self, readers: usize) -> Self {
        self.readers = readers;
        self
    }

    /// Sets the pause before the first repetition.
    #[must_use]
    pub const fn with_retry_delay(mut self, pause: Duration) -> Self {
        self.retry_delay = pause;
        self
    }

    /// Sets how many answers are kept, and how many bytes they have together.
    #[must_use]
    pub const fn with_cache(mut self, entries: usize, bytes: usize) -> Self {
        self.cache_entries = entries;
        self.cache_bytes = bytes;
        self
    }
}
