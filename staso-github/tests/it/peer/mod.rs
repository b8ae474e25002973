//! Who stands in for github.com.

pub(crate) mod git_http;
pub(crate) mod server;
