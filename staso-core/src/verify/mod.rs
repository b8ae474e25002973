//! Proof of a fix: the failure is made to happen again at the failing commit, is gone with the patch, and the
//! project's own tests still pass.

mod report;
mod runner;

pub use report::{TestCounts, TestReport, TestStatus};
pub use runner::{TestCommand, TestFramework, TestRunner};
