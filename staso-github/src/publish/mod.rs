//! Publishing one change as one branch of a host that others write to as well.
//!
//! The algorithm knows branches and commits; whether they are pushed with git or made through an API is the host's.

mod host;

pub(crate) use host::{BranchHost, CommitDraft, CommitFacts, MadeBranch, Prepared, StandingBranch};
