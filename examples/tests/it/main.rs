//! The support agent for real: its tests, its tickets, its faults and the spans it sends.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod agent;
mod faults;
mod recording_server;
mod wire_rules;
