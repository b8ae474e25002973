//! The contract of [`VcsProvider`](crate::vcs::VcsProvider), as a suite.
//!
//! [`all`] runs everything on one repository, which is used up by it. The repository must hold at least two commits on its
//! default branch, the newest of which has at least three text files, one of them executable if the provider knows
//! executable files. Each part can be run alone, too.
//!
//! # Running it on a provider of your own
//! Implement [`VcsFixture`] with whatever changes the repository behind the provider's back (the git program, the API of
//! the forge), and call [`all`] from a test:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use async_trait::async_trait;
//! use staso_core::code::RepoPath;
//! use staso_core::conformance::vcs::{self, VcsFixture};
//! use staso_core::id::{BranchName, CommitId};
//! use staso_core::run::RunContext;
//! use staso_core::testing::{MemoryRepository, MemoryVcs, memory_commit, test_context};
//! use staso_core::trace::RepositoryUrl;
//! use staso_core::vcs::NewContent;
//!
//! /// Here the forge is in memory; yours is a server that the test starts.
//! #[derive(Debug)]
//! struct Forge(MemoryVcs);
//!
//! # fn branch(name: &str) -> BranchName { BranchName::new(name).expect("a branch name") }
//! impl Forge {
//!     fn change(&self, change: impl FnOnce(&mut MemoryRepository)) {
//!         self.0.change(&self.url(), change);
//!     }
//! }
//!
//! #[async_trait]
//! impl VcsFixture for Forge {
//!     fn url(&self) -> RepositoryUrl { "https://git.acme.com/acme/support".parse().expect("an address") }
//!     fn default_branch(&self) -> BranchName { branch("main") }
//!     fn tip(&self) -> CommitId { memory_commit(2) }
//!     fn previous(&self) -> CommitId { memory_commit(1) }
//!     fn files(&self) -> BTreeMap<RepoPath, NewContent> {
//!         let file = |text: &str| NewContent { bytes: text.as_bytes().to_vec(), executable: false };
//!         ["a.py", "b.py", "c.py"].map(|at| (at.parse().expect("a path"), file("x = 1\n"))).into()
//!     }
//!     fn context(&self) -> RunContext { test_context() }
//!     async fn create_branch(&self, branch: &BranchName, commit: &CommitId) {
//!         self.change(|repository| repository.set_branch(branch.clone(), commit.clone()));
//!     }
//!     async fn delete_branch(&self, branch: &BranchName) {
//!         self.change(|repository| repository.remove_branch(branch));
//!     }
//!     async fn branch_tip(&self, branch: &BranchName) -> Option<CommitId> {
//!         self.0.repository(&self.url())?.branch(branch).cloned()
//!     }
//!     async fn commit_on_default(&self, path: &RepoPath, text: &str) -> CommitId {
//!         # let old = self.0.repository(&self.url()).expect("the repository");
//!         # let mut files = old.files(old.branch(&branch("main")).expect("main")).expect("files").clone();
//!         # files.insert(path.clone(), NewContent { bytes: text.as_bytes().to_vec(), executable: false });
//!         # let commit = memory_commit(100 + u32::try_from(text.len() * 100 + path.as_str().len()).unwrap_or(0));
//!         # self.change(|repository| repository.commit_files(commit.clone(), branch("main"), files));
//!         # commit
//!         // clone, write, commit, push
//!     }
//!     async fn merge(&self, commit: &CommitId) {
//!         self.change(|repository| repository.set_branch(branch("main"), commit.clone()));
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut repository = MemoryRepository::new("https://git.acme.com/acme/support".parse()?, branch("main"));
//! # repository.commit(memory_commit(1), branch("main"), []);
//! # let mut forge = Forge(MemoryVcs::new());
//! # repository.commit_files(memory_commit(2), branch("main"), forge.files());
//! # forge.0 = forge.0.with_repository(repository);
//! let provider = forge.0.clone();
//! vcs::resolves(&provider, &forge).await;
//! vcs::proposes_once(&provider, &forge).await;
//! // or vcs::all(&provider, &forge).await;
//! # Ok(())
//! # }
//! ```

mod asking;
mod fixture;
mod following;
mod proposing;
mod reading;
mod suite;

pub use fixture::{OddFiles, VcsFixture};
pub use following::{finds_conflicts, finds_its_own_after_a_merge, follows_a_proposal};
pub use proposing::{
    carries_every_kind_of_change, leaves_foreign_branches_alone, proposes_once, proposes_once_at_once,
    refuses_archived, refuses_bad_changes, refuses_to_change_odd_files,
};
pub use reading::{
    checks_out, lists_trees, notes_what_is_odd, reads_files, reads_odd_files, refuses_what_is_not_there,
    resolves,
};
pub use suite::{all, refuses_when_cancelled};
