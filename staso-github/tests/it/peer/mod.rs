//! Servers on the loopback interface that tests speak to.

pub(crate) mod git_http;
pub(crate) mod script;
pub(crate) mod server;
