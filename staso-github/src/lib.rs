//! Repositories for Staso: checkouts per commit, fixes as branches and proposals.
//!
//! [`LocalGit`] is the provider for repositories on this machine and for plain git remotes. Nothing here runs code of a
//! repository: no hook, filter, submodule, diff driver or LFS client, and nobody's working tree is ever touched.

mod blocking;
mod environment;
mod error;
mod git;
mod limits;
mod local;

pub use limits::GitLimits;
pub use local::LocalGit;
