//! What happened to the fields of a span on their way, where the wire format has no place to say it.
//!
//! `staso.truncated_attributes` lists what was cut and `staso.suppressed_attributes` what was withheld; fields that are
//! no attributes stand there under the name that OpenTelemetry gives them.

/// The attribute that lists what was cut.
pub(crate) const TRUNCATED: &str = "staso.truncated_attributes";
/// The attribute that lists what the sender's capture policy withheld.
pub(crate) const SUPPRESSED: &str = "staso.suppressed_attributes";

/// The names of a span's input.
pub(crate) const INPUT: &[&str] = &["gen_ai.input.messages", "gen_ai.tool.call.arguments"];
/// The names of a span's output.
pub(crate) const OUTPUT: &[&str] = &["gen_ai.output.messages", "gen_ai.tool.call.result"];
/// The name of the tools that a model is offered.
pub(crate) const TOOL_DEFINITIONS: &[&str] = &["gen_ai.tool.definitions"];
/// The name of an error's message.
pub(crate) const ERROR_MESSAGE: &[&str] = &["exception.message"];
/// The name of an error's stack trace.
pub(crate) const ERROR_STACK: &[&str] = &["exception.stacktrace"];
