//! Agents of Staso's own: the [`LanguageModel`] and [`Tool`] plug traits and the [`AgentLoop`] that lets a model work with
//! tools under hard limits.
//!
//! What a model says is untrusted: it is data for the code that asked, never an instruction to the host.

mod canonical;
mod limits;
mod message;
mod model;
mod price;
#[cfg(feature = "agent-tools")]
mod read_ahead;
mod reply;
mod request;
mod run_loop;
mod shown;
#[cfg(feature = "agent-tools")]
mod template;
mod tool;
#[cfg(feature = "agent-tools")]
pub mod tools;

pub(crate) use canonical::{canonical, sorted};
pub use limits::AgentLimits;
pub use message::{Message, ProviderState, ToolCall, ToolResult};
pub use model::{LanguageModel, ModelError, ModelId, ModelIdError, ModelLimits};
pub use price::{Price, PriceTable};
#[cfg(feature = "agent-tools")]
pub(crate) use read_ahead::read_ahead;
pub use reply::{ModelReply, StopReason, TokenUsage};
pub use request::{DeltaSink, ModelRequest, NoDeltas, ToolChoice};
pub(crate) use run_loop::Intake;
pub use run_loop::{AgentEnd, AgentError, AgentLoop, AgentRun};
pub use shown::{Shown, ShownOutput};
#[cfg(feature = "agent-tools")]
pub(crate) use template::fill;
pub use tool::{Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
