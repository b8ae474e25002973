//! What a change may be, and what may not leave with it.

mod branches;
mod changes;
mod git_apply;
mod limits;
mod paths;
mod tests_kept;
mod world;
