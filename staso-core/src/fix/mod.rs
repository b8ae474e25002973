//! Changes that may repair a failure: [`Patch`], [`FixCandidate`] and the [`Fixer`] plug trait.
//!
//! A fixer only proposes. Whether a candidate is a fix is settled by [`verify`](crate::verify).

#[cfg(feature = "agent-tools")]
pub(crate) mod agent;
mod candidate;
#[cfg(feature = "agent-tools")]
pub(crate) mod edit;
mod fixer;
pub(crate) mod kind;
mod patch;
mod policy;
#[cfg(feature = "template-repair")]
mod template;

#[cfg(feature = "agent-tools")]
pub use agent::AgentFixer;
pub use candidate::FixCandidate;
pub use fixer::{FixError, FixRequest, Fixer};
pub use patch::{Patch, PatchError, PatchFile, Replacement};
pub use policy::{PathPolicy, PolicyViolation};
#[cfg(feature = "template-repair")]
pub use template::TemplateFixer;
