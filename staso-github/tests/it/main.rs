//! Repositories through the public API, on real git repositories.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod cases;
mod checkout;
mod conformance;
mod fixture;
mod git_http;
mod hostile;
mod killed;
mod killed_remote;
mod mirror;
mod peer;
mod propose;
mod remote;
mod resolve;
mod speed;
