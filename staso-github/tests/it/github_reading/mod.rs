//! GitHub as it is read: a real repository behind git over HTTP, and behind official examples that agree with it.

mod answers;
mod api;
mod budget;
mod calls;
mod git;
mod preflight;
mod resolve;
mod world;
