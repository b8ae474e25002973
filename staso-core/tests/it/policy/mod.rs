//! What a change may be, and what may not leave with it.

mod changes;
mod git_apply;
mod world;
