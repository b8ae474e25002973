//! Quick diagnosis of realistic failures, whole.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its case has to stop")]
#![expect(clippy::print_stderr, reason = "figures and skipped tests are told to whoever runs them")]

mod attribution;
mod calibration;
pub(crate) mod case;
mod determinism;
mod hostile;
mod patterns;
