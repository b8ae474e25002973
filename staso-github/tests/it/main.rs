//! Repositories through the public API, on real git repositories.

mod checkout;
mod conformance;
mod fixture;
mod hostile;
mod killed;
mod mirror;
mod propose;
mod resolve;
mod speed;
