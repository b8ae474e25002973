//! The account at the provider is out of credit (catalogue 11).

use super::no_change::no_change;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::signal::Signal;

pub(super) const SIGNAL: Signal = Signal {
    kinds: &["InsufficientQuotaError", "QuotaExceededError", "BillingError"],
    statuses: &[402],
    words: &[
        "insufficient_quota",
        "exceeded your current quota",
        "credit balance is too low",
        "billing_hard_limit",
        "payment required",
        "billing_not_active",
    ],
};

pub(super) const RULE: Rule = Rule {
    id: "quota_exhausted",
    version: 1,
    number: Some(11),
    generic: false,
    reads: &[Reads::ErrorMessage],
    explains: Explains::Everything,
    detect: |input| {
        no_change(
            input,
            &SIGNAL,
            |_| true,
            |who| format!("{who} refused the call because its quota or credit is used up"),
            "The provider refuses work until the account has credit again; no change of the code helps. Raise the quota or settle the bill, then run again. Repeating the call does not help.",
            "The account has no quota left",
        )
    },
};
