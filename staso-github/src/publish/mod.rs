//! Publishing one change as one branch of a host that others write to as well.
//!
//! The algorithm knows branches and commits; whether they are pushed with git or made through an API is the host's.
//!
//! A branch is ours when one of its newest commits carries the trailer `Staso-Key` with the digest of the idempotency key
//! and does to its parent exactly what is wanted. Whoever has the same key therefore finds it again, from any machine and
//! without a record; the branch is the one thing that appears, and it appears whole.

mod git;
mod host;
#[cfg(test)]
mod memory_host;
mod message;
mod publication;
mod publisher;
mod secrets;

pub(crate) use git::GitBranches;
#[cfg(feature = "github")]
pub(crate) use host::{BranchHost, CommitDraft, CommitFacts, MadeBranch, Prepared, Standing, StandingBranch};
#[cfg(feature = "github")]
pub(crate) use message::title;
pub(crate) use message::{CommitMessage, Trailers};
pub(crate) use publication::{MAX_NUMBER, Publication, Published, number_of, numbered};
pub(crate) use publisher::publish;
pub(crate) use secrets::{check_added, check_texts, suspects};
