//! The [`AgentLoop`]: a model works with tools until it submits or a limit is reached.
//!
//! A turn is: hear the host, save room, plan what may be spent, ask the model, carry out the calls of its reply. The loop
//! is driven by the presence of tool calls, never by the provider's stop reason. It is not for prompts or for what a
//! submission must hold: those belong to the agents that use it.

mod agent_loop;
mod allowance;
mod arguments;
mod call;
mod calls;
mod deltas;
mod end;
mod guard;
mod intake;
mod left;
mod mask;
mod reception;
mod turn;

pub use agent_loop::AgentLoop;
pub use end::{AgentEnd, AgentError, AgentRun};
