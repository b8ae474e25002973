//! Publishing on GitHub: one branch with one commit, and one pull request.
//!
//! The order makes it safe to be killed anywhere: what is checked here, then the branch with its whole commit, then the
//! pull request, then labels and reviewers. Each step finds what an earlier run left. A credential that can write is
//! asked for after the checks and nowhere else.

mod blob;
mod branches;
mod check;
mod commit;
mod extras;
mod marker;
mod mutation;
mod open;
mod preview;
mod problem;
mod publication;
mod pull;
mod reference;
mod status;
mod target;
mod tree;

pub(crate) use preview::Show;
pub use preview::{CommitPreview, ProposalPreview, RequestPreview};
pub(crate) use publication::propose;
pub(crate) use status::status;

#[cfg(test)]
mod cases;
