//! What operating systems do differently: modes and owners of files, links, groups of processes. The same functions for
//! each system, so that nothing else of this crate needs to know which one it is.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{
    close_to_others, foreign_owner, is_same_file, is_writable, kill_tree, lead_tree, link, make_directory,
    set_file_mode, set_mode, signs_of_change, with_mode,
};
#[cfg(windows)]
pub(crate) use windows::{
    close_to_others, foreign_owner, is_same_file, is_writable, kill_tree, lead_tree, link, make_directory,
    set_file_mode, set_mode, signs_of_change, with_mode,
};
