//! The one place of this crate that reads the environment: what the git program may see of it, and credentials that the
//! host asks to be taken from there.

use std::ffi::OsString;

/// What git needs to find itself and the network. Everything else stays out, above all `GIT_*`, `HOME` and helpers for
/// passwords.
const PASSED: [&str; 12] = [
    "PATH",
    "TMPDIR",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
];

/// The variables of this process that git is given.
pub(crate) fn for_git() -> Vec<(&'static str, OsString)> {
    #[expect(clippy::disallowed_methods, reason = "this module owns the environment")]
    PASSED.into_iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))).collect()
}

/// A variable of this process that holds text and is not empty.
#[cfg(feature = "github")]
pub(crate) fn text(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this module owns the environment")]
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
