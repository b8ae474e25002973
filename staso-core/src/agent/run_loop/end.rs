//! How an agent ends.

use crate::agent::{Message, ModelError, Shown};
use crate::run::BudgetUse;
use crate::sandbox::SandboxError;

/// What became of an agent.
#[derive(Debug)]
#[non_exhaustive]
pub struct AgentRun {
    /// Why it ended.
    pub end: AgentEnd,
    /// Model replies.
    pub turns: u64,
    /// What this agent used; the run's meter holds it too.
    pub used: BudgetUse,
    /// Everything that the model was shown.
    pub shown: Shown,
    /// The whole conversation as it stood at the end: credentials taken out, masked observations replaced.
    pub messages: Vec<Message>,
}

/// Why an agent ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum AgentEnd {
    /// It submitted, and the submission was accepted.
    Submitted,
    /// A limit was reached first.
    Exhausted {
        /// Which one, with its unit.
        resource: &'static str,
        /// The limit.
        limit: u64,
    },
    /// It repeated itself.
    Stuck {
        /// How, in a few words.
        how: String,
    },
    /// Too many malformed replies in a row.
    Malformed,
    /// The model did not answer.
    Model(ModelError),
}

/// An agent could not be brought to an end of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(SandboxError),
    /// A limit on money was set, but the model has no price.
    #[error(
        "a limit on cost is set, but there is no price for model {model}; give a price or drop the limit"
    )]
    NoPrice {
        /// The model.
        model: String,
    },
}
