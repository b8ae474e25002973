//! Recording what agents do: helpers for agent, tool and model steps, and a `tracing` layer that also takes in the spans
//! of other instrumentation.
//!
//! A span belongs to an agent run when it has a field named `gen_ai.*` or `staso.*`; the spans around it and inside it
//! belong too, from level INFO. The parent of a span is the one that `tracing` gives it. No OpenTelemetry state is read or
//! set. Delivery is the matter of [`export`](crate::export).

mod agent;
mod content;
mod convert;
mod facts;
mod fields;
mod filter;
mod ids;
mod layer;
mod llm;
mod outcome;
mod policy;
mod recorded;
mod redact;
mod request;
mod source;
mod tool;

pub use agent::{AgentScope, agent};
pub use facts::BuildFacts;
pub use fields::{MAX_FIELDS, MAX_SPAN_BYTES, MAX_VALUE_BYTES};
pub use llm::{LlmCall, LlmRequest, llm};
pub use policy::{CaptureCategory, CapturePolicy, Redactor};
pub use source::{DetectedSource, SourceDetector};
pub use tool::{ToolScope, tool};

pub(crate) use convert::{SpanContext, span as convert};
pub(crate) use filter::CaptureFilter;
pub(crate) use ids::uuid_text;
pub(crate) use layer::{RecordLayer, Slot};
pub(crate) use policy::{EffectivePolicy, strict_bool};
pub(crate) use recorded::{Phase, Recorded};
pub(crate) use redact::redact;
pub(crate) use request::{json_or_text, with_tools};

use crate::clock::now as clock_now;

/// Set on spans whose future was dropped before it was ready.
const UNFINISHED_FIELD: &str = "staso.unfinished";
/// A JSON object of further attributes: `tracing` fixes the names of fields when the program is compiled.
const ATTRIBUTES_FIELD: &str = "staso.attributes";
