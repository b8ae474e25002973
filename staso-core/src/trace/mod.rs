//! What an agent run left behind: spans, where their code came from, and what was not captured.
//!
//! This module describes and indexes traces. Reading them from a wire format is the work of `staso-sdk`.

mod assemble;
mod captured;
mod pointer;
mod render;
mod source;
mod span;
mod timestamp;
#[expect(clippy::module_inception, reason = "the module's noun is its type")]
mod trace;
mod view;

pub use captured::{Captured, CapturedState};
pub use pointer::JsonPointer;
pub use render::{TextLimits, TraceText};
#[cfg(feature = "agent-tools")]
pub(crate) use render::{cut_middle, legible, one_line};
pub use source::{RepositoryUrl, RepositoryUrlError, SourceRevision};
pub use span::{
    AgentInfo, CodePlace, ModelInfo, Payload, Span, SpanError, SpanKind, SpanStatus, ToolInfo, Usage,
};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use trace::{Trace, TraceError, TraceLimits};
pub use view::TraceView;
