//! [`AgentFixer`]: a language model that mends the code in a sandbox session.
//!
//! It sees the accepted diagnosis and the code, never the trace. What it leaves behind in its session is read as data and
//! must pass the same checks as any other change; what it says of it is not believed.

mod attempt;
mod draft;
mod fixer;
mod opening;
mod ranking;
mod words;

pub(crate) use draft::FixDraft;
pub use fixer::AgentFixer;
