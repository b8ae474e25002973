//! The host's side of a session, wherever its agent runs: the conversation with it, and the trait over the conversation.
//! How an agent comes to be is the business of `isolation` and of `container`.

mod agent_session;
mod connection;
mod forward;
mod refused;
mod spec;
mod tree;
#[cfg_attr(not(test), expect(dead_code, reason = "the agent uses the other half"))]
#[path = "../agent/wire.rs"]
pub(crate) mod wire;

pub(crate) use agent_session::AgentSession;
pub(crate) use connection::Connection;
#[cfg(feature = "container")]
pub(crate) use forward::NoOomWatch;
#[cfg(target_os = "linux")]
pub(crate) use forward::OomWatch;
pub(crate) use refused::{backend, interrupted, invalid};
pub(crate) use spec::{SYSTEM_PATH, check_spec, environment};
#[cfg(feature = "container")]
pub(crate) use tree::ReadCheckout;
pub(crate) use tree::TreeCache;
