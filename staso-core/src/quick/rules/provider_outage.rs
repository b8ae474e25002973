//! The provider is down or overloaded (catalogue 12).

use super::no_change::no_change;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::signal::Signal;

const SIGNAL: Signal = Signal {
    kinds: &[
        "InternalServerError",
        "ServiceUnavailableError",
        "OverloadedError",
        "BadGatewayError",
        "ServiceUnavailable",
    ],
    statuses: &[500, 502, 503, 504, 529],
    words: &[
        "overloaded_error",
        "overloaded",
        "service unavailable",
        "service_unavailable",
        "bad gateway",
        "internal server error",
        "temporarily unavailable",
        "upstream connect error",
        "gateway timeout",
        "server_error",
    ],
};

pub(super) const RULE: Rule = Rule {
    id: "provider_outage",
    version: 1,
    number: Some(12),
    generic: false,
    reads: &[Reads::ErrorMessage],
    explains: Explains::Everything,
    detect: |input| {
        no_change(
            input,
            &SIGNAL,
            |_| true,
            |who| format!("{who} was down or overloaded"),
            "The service failed, not the agent: the code at this commit did what it should, and a change of it would treat a symptom. Run again when the service is back; a retry with increasing pauses and a second provider would bridge the next outage.",
            "The service reports its own failure",
        )
    },
};
