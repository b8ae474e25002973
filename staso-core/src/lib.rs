//! The vocabulary, plug traits and deterministic engine of Staso.
//!
//! This crate turns a failed agent trace into a diagnosis with checked evidence and drives a fix through proof to
//! publication. It does no I/O: network, files, processes and clocks come in through the plug traits and
//! [`run::RunContext`].

pub mod agent;
pub mod code;
#[cfg(feature = "agent-tools")]
pub mod deep;
pub mod diagnosis;
pub mod fix;
pub mod guard;
pub mod heal;
pub mod id;
pub mod quick;
pub mod redaction;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod trace;
pub mod vcs;
pub mod verify;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod testing;
