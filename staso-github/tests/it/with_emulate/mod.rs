//! Against `emulate`, which `.ci/peers` starts.

mod app;
mod forge;
mod installed;
mod peer;
