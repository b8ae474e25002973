//! Integration tests of the SDK, one module a subject.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

#[cfg(feature = "capture")]
mod capture_delivery;
#[cfg(feature = "capture")]
mod capture_fixture;
#[cfg(feature = "git-detect")]
mod capture_platforms;
#[cfg(feature = "capture")]
mod capture_policy;
#[cfg(feature = "capture")]
mod capture_process;
#[cfg(feature = "git-detect")]
mod capture_source;
#[cfg(feature = "capture")]
mod capture_spans;
