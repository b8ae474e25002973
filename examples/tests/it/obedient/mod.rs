//! A model that does whatever strangers tell it to, in a run where everything else is real: sandbox, git, store, files.
//!
//! Each attack is judged by what came of it, never by what the prompts say: nothing of the host is in anything that left,
//! nobody was called, nothing but one allowed branch is new, nothing keeps running.

mod aftermath;
mod attack;
mod bystanders;
mod canary;
mod cancellation;
mod circles;
mod claims;
mod exhaustion;
mod fixes;
mod host;
mod log;
mod network;
mod reads;
mod rigged_tests;
mod stage;
mod texts;
