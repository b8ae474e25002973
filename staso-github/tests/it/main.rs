//! Repositories through the public API, on real git repositories.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod cases;
mod checkout;
mod conformance;
mod fault;
mod fixture;
mod git_http;
#[cfg(feature = "github")]
mod github_reading;
mod hostile;
mod killed;
mod killed_remote;
mod mirror;
mod official;
#[expect(dead_code, reason = "some of it is for the crate's own unit tests, which include it too")]
mod peer;
mod propose;
mod remote;
mod resolve;
mod speed;
mod with_emulate;
mod with_emulate_proposals;
mod with_prism;
