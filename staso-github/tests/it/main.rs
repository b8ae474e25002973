//! Repositories through the public API, on real git repositories.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod cache;
mod cases;
mod checkout;
mod conformance;
mod failure_cases;
mod fault;
mod fixture;
mod git_http;
#[cfg(feature = "github")]
mod github_reading;
mod graphql;
mod hostile;
mod kept;
mod killed;
mod killed_remote;
mod mirror;
mod official;
#[cfg_attr(
    not(feature = "github"),
    expect(dead_code, reason = "some of it is for GitHub alone, and for the crate's own unit tests")
)]
mod peer;
mod propose;
mod remote;
mod resolve;
mod script;
mod speed;
#[cfg(feature = "github")]
mod webhook;
#[cfg(feature = "github")]
mod with_emulate;
#[cfg(feature = "github")]
mod with_emulate_proposals;
#[cfg(feature = "github")]
mod with_prism;
