//! The environment of the program. The only place that reads it.

use std::ffi::OsString;

use staso::Secret;

/// What the program takes from its environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Where programs are found.
    pub path: OsString,
    /// The user's directory; version switchers of Python need it.
    pub home: OsString,
    /// Whether the user asked for text without colours (<https://no-color.org>).
    pub no_color: bool,
    /// Columns of the terminal, when the shell exports them.
    pub columns: Option<usize>,
    /// The token for git servers that are no GitHub.
    pub git_token: Option<Secret>,
}

impl Environment {
    /// Reads `PATH`, `HOME`, `NO_COLOR`, `COLUMNS` and `STASO_GIT_TOKEN`.
    #[must_use]
    pub fn read() -> Self {
        Self {
            path: variable("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()),
            home: variable("HOME").unwrap_or_else(|| "/".into()),
            no_color: variable("NO_COLOR").is_some_and(|value| !value.is_empty()),
            columns: variable("COLUMNS").and_then(|value| value.to_str()?.parse().ok()),
            git_token: variable("STASO_GIT_TOKEN").and_then(|value| Some(Secret::from(value.to_str()?))),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this module owns the environment of the examples")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
