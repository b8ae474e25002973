//! Webhooks through the public API, on the payloads that GitHub's examples hold.

mod apply;
mod labels;
mod manual;
mod meaning;
mod official;
mod outcome;
mod payloads;
mod refused;
mod retry;
