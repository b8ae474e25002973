//! Too many calls in too short a time (catalogue 10).

use super::no_change::no_change;
use super::quota;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::signal::Signal;

const SIGNAL: Signal = Signal {
    kinds: &["RateLimitError", "TooManyRequests", "ThrottlingException", "RateLimitExceeded"],
    statuses: &[429],
    words: &[
        "rate_limit",
        "rate limit",
        "too many requests",
        "tokens per min",
        "requests per min",
        "resource_exhausted",
    ],
};

pub(super) const RULE: Rule = Rule {
    id: "rate_limited",
    version: 1,
    number: Some(10),
    generic: false,
    reads: &[Reads::ErrorMessage],
    explains: Explains::Everything,
    detect: |input| {
        no_change(
            input,
            &SIGNAL,
            |failure| quota::SIGNAL.matches(failure).is_none(),
            |who| format!("{who} refused the call because of its rate limit"),
            "The limit belongs to the account and the moment, not to the code at this commit. Run fewer agents at once, ask for a higher limit, or let the client wait as long as `retry-after` says before it tries again.",
            "The rate limit was reached",
        )
    },
};
