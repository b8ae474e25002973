//! Reading replies: one file for each wire, for whole bodies and for the pieces of a stream.

mod chat;
mod draft;
mod generate;
mod messages;
mod reader;
mod responses;
mod state;

pub(super) use reader::{Reader, Wire};
pub(super) use state::State;
