//! The core through its public API.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod vcs;
