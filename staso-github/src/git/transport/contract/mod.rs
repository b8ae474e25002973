//! What every transport promises, run over all of them.

mod file;
pub(crate) mod server;
