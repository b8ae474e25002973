//! The one place of this crate that reads the environment: what the git program may see of it, and credentials that the
//! host asks to be taken from there.

use std::ffi::OsString;

/// What git needs to find itself and trusted certificates. Everything else stays out, above all `GIT_*`, `HOME` and
/// helpers for passwords.
const PASSED: [&str; 5] = ["PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"];

/// The way to other machines.
const PROXIES: [&str; 7] =
    ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];

/// What git is told instead of what it was taken away.
const GIVEN: [(&str, &str); 10] = [
    // A few hundred KB can unfold to a directory of gigabytes, which git would take into memory as a whole. Files of this
    // size it passes on in pieces.
    ("GIT_ALLOC_LIMIT", "640m"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_LFS_SKIP_SMUDGE", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    // Without one, the HTTP library looks for passwords in the `.netrc` of the account's home.
    ("HOME", "/dev/null"),
    ("LC_ALL", "C"),
];

/// All variables of a git program. No proxy stands between it and this machine.
pub(crate) fn for_git(on_this_machine: bool) -> Vec<(&'static str, OsString)> {
    let proxies: &[&str] = if on_this_machine { &[] } else { &PROXIES };
    let names = PASSED.into_iter().chain(proxies.iter().copied());
    #[expect(clippy::disallowed_methods, reason = "this module owns the environment")]
    let passed = names.filter_map(|name| std::env::var_os(name).map(|value| (name, value)));
    passed.chain(GIVEN.map(|(name, value)| (name, value.into()))).collect()
}

/// A variable of this process that holds text and is not empty.
#[cfg(feature = "github")]
pub(crate) fn text(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this module owns the environment")]
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Whether there is a git program to run. What it can do is found out by whoever runs it.
#[cfg(feature = "github")]
pub(crate) fn has_git() -> bool {
    #[expect(clippy::disallowed_methods, reason = "this module owns the environment")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join("git").is_file())
}
