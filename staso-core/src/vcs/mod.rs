//! Repositories and forges: the [`VcsProvider`] plug trait and its vocabulary.
//!
//! This module only describes. Git and GitHub live in `staso-github`.

mod change;
mod checkout;
mod content;
mod error;
mod proposal;
mod provider;
mod repository;

pub use change::{ChangeSet, FileEdit, NewContent};
pub use checkout::Checkout;
pub use content::{FileContent, Tree, TreeEntry, TreeEntryKind};
pub use error::{RateLimitKind, VcsError};
pub use proposal::{CommitSignature, Proposal, ProposalAction, ProposalState, ProposeRequest};
pub use provider::VcsProvider;
pub use repository::{Access, RepositoryRef, ResolvedSource};
