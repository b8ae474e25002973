//! Tests that need a process of their own: the test binary runs itself once more for one test.

use std::process::{Child, Command, Stdio};

/// Set to the name of the test in the process that plays the child.
const ROLE: &str = "STASO_TEST_CHILD";

/// What the parent says to the child, when this process is the child of the test `name`.
pub(crate) fn argument(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the environment is how a parent talks to its child")]
    let said = std::env::var(ROLE).ok()?;
    said.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)
}

/// Starts the child of the test `name`, with its output piped.
pub(crate) fn start(name: &str, argument: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, format!("{name}={argument}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}
