//! Tests of `staso-core` through its public API.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must panic")]

mod agent;
#[cfg(feature = "agent-tools")]
mod deep;
#[cfg(feature = "agent-tools")]
mod fix_agent;
mod heal;
mod policy;
mod quick;
mod redaction;
mod report;
mod report_artifacts;
mod report_neutralise;
mod schema;
#[cfg(feature = "template-repair")]
mod template;
#[cfg(feature = "template-repair")]
mod template_limits;
#[cfg(feature = "template-repair")]
mod template_ranking;
#[cfg(feature = "agent-tools")]
mod tools;
mod transcript;
mod vcs;
