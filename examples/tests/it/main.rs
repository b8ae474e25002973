//! The support agent for real: its tests, its tickets, its faults and the spans it sends.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod agent;
mod faults;
mod heal_demo;
mod heal_hostile;
mod heal_interrupted;
mod heal_malformed;
mod heal_model;
mod heal_outcomes;
mod heal_process;
mod heal_project;
mod heal_remote;
mod obedient;
mod peer;
mod processes;
mod pull_requests;
mod recording_server;
mod sandbox_doctor;
mod wire_rules;
