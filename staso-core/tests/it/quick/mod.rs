//! Quick diagnosis of realistic failures, whole.

mod attribution;
mod case;
mod determinism;
mod hostile;
mod patterns;
