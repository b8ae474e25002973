//! The one place of the tests that reads where servers were started for them.

/// A variable that `.ci/peers` sets. Without it the test says loudly that it was skipped.
pub(crate) fn started(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "this module owns the environment of the tests' peers")]
    let value = std::env::var(name).ok();
    if value.is_none() {
        say(&format!("SKIPPED: {name} is not set; run .ci/peers"));
    }
    value
}

/// A line that `--nocapture` shows.
pub(crate) fn say(text: &str) {
    #[expect(clippy::print_stderr, reason = "what was skipped and what ran is for people")]
    {
        eprintln!("{text}");
    }
}
