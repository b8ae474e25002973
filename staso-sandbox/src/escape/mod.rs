//! The escape suite: what hostile code tries in a session, tried on any backend.
//!
//! [`run`] takes a [`Sandbox`](staso_core::sandbox::Sandbox) of any kind and a [`Ground`], a place on this machine with
//! things to steal and to break, and gives a [`Report`]: one row for every promise, what was tried, and what became of
//! it. Every attempt is a small compiled program (see `src/probe`) that makes raw system calls; the same attempt is made
//! outside of the sandbox first, where it must succeed. An attempt that cannot succeed anywhere proves nothing, so a row
//! whose control fails counts as failed.
//!
//! What a session's [tier](staso_core::sandbox::IsolationTier) does not promise is reported as not claimed, never as
//! held. Nothing is ever skipped: on a machine that claims a tier, a row holds or the report is not clean.
//!
//! The suite is for tests. It needs Linux on x86-64 or AArch64, a machine that may be loaded for a minute, and a process
//! of its own: it looks for what sessions leave behind, and sessions of other tests would look like that. So would mounts
//! that other programs make meanwhile: a mount namespace of its own keeps them away. The tests of this crate show how.
//!
//! ```no_run
//! # async fn example(ctx: &staso_core::run::RunContext) -> Result<(), Box<dyn std::error::Error>> {
//! use staso_sandbox::{LocalSandbox, escape};
//!
//! let ground = escape::Ground::new("/var/tmp/escape-ground".as_ref())?;
//! let report = escape::run(&LocalSandbox::new(), &ground, ctx).await;
//! report.assert_clean();
//! # Ok(())
//! # }
//! ```

mod claims;
mod control;
mod ground;
mod host;
mod inside;
mod outcome;
mod probe;
mod report;
mod row;
mod rows;
mod runner;
mod scenarios;
mod second;
mod verdict;

pub use ground::Ground;
pub use report::{AttemptReport, Report, RowReport};
pub use row::Group;
pub use runner::run;
pub use second::second_host;
pub use verdict::Verdict;
