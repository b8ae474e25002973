//! The provider does not accept the credential (catalogue 13).

use super::no_change::no_change;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::signal::Signal;

const SIGNAL: Signal = Signal {
    kinds: &["AuthenticationError", "PermissionDeniedError", "UnauthorizedError"],
    statuses: &[401, 403],
    words: &[
        "invalid_api_key",
        "incorrect api key",
        "invalid x-api-key",
        "authentication_error",
        "invalid api key",
        "api key expired",
        "401 unauthorized",
        "403 forbidden",
    ],
};

pub(super) const RULE: Rule = Rule {
    id: "authentication_failed",
    version: 1,
    number: Some(13),
    generic: false,
    reads: &[Reads::ErrorMessage],
    explains: Explains::Everything,
    detect: |input| {
        no_change(
            input,
            &SIGNAL,
            |_| true,
            |who| format!("{who} did not accept the credential of the call"),
            "The credential is missing, wrong, expired or lacks a permission where the agent runs; it does not belong into the code. Replace it in the environment of the agent, then run again.",
            "The credential was refused",
        )
    },
};
