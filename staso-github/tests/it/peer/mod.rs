//! Servers on the loopback interface that tests speak to.

pub(crate) mod choice;
pub(crate) mod description;
pub(crate) mod fault;
pub(crate) mod git_http;
pub(crate) mod official;
pub(crate) mod recorded;
pub(crate) mod script;
pub(crate) mod server;
