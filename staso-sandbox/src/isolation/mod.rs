//! The Linux half of [`LocalSandbox`](crate::LocalSandbox): the helper program, control groups, opening a session. What
//! the helper does once it runs is in `agent`.

#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(target_os = "linux")]
mod directory;
#[cfg(target_os = "linux")]
mod helper;
#[cfg(target_os = "linux")]
mod owner;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod remedy;
#[cfg(target_os = "linux")]
mod session;
#[cfg(any(test, not(target_os = "linux")))]
mod unsupported;

#[cfg(all(target_os = "linux", feature = "container"))]
pub(crate) use owner::start_time;
#[cfg(target_os = "linux")]
pub(crate) use session::{check_readable, open};
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::{check_readable, open};
