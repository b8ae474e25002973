//! A change of text files: made from replacements or from what a session wrote, written as git writes it, moved to
//! another commit.
//!
//! A patch is data. Whether it may leave is settled by [`PathPolicy`](super::PathPolicy), whether it repairs anything
//! by [`verify`](crate::verify).

mod change;
mod changes;
mod error;
mod file;
mod unified;

pub use change::{Patch, Replacement};
pub(super) use changes::folded;
pub use error::PatchError;
pub use file::PatchFile;
