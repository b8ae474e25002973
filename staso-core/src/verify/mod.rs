//! Proof of a fix: the failure is made to happen again at the failing commit, is gone with the patch, and the
//! project's own tests still pass.
//!
//! Everything that runs, runs in a [`SandboxSession`](crate::sandbox::SandboxSession). The commands come from the host
//! and from files of the repository, never from a trace: of a trace only the arguments of a recorded call are used,
//! as data.

mod bench;
mod call;
mod limits;
mod report;
mod runner;

pub use bench::{Baseline, Reproduction, TestBench, Trial};
pub use call::{CallOutcome, CallVerdict};
pub use limits::VerifyLimits;
pub use report::{TestCounts, TestReport, TestStatus};
pub use runner::{TestCommand, TestFramework, TestRunner};
