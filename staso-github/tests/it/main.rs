//! Repositories through the public API, on real git repositories.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod checkout;
mod conformance;
mod fault;
mod fixture;
mod git_http;
#[cfg(feature = "github")]
mod github_reading;
mod hostile;
mod killed;
mod mirror;
mod official;
mod peer;
mod propose;
mod resolve;
mod speed;
mod with_emulate;
mod with_prism;
