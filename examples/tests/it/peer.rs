//! The git server of the tests of `staso-github`.
#![expect(dead_code, clippy::expect_used, reason = "the server does more than these tests need")]

#[path = "../../../staso-github/tests/it/peer/git_http.rs"]
pub(crate) mod git_http;
#[path = "../../../staso-github/tests/it/peer/server.rs"]
pub(crate) mod server;
