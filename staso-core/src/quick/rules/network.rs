//! The network between agent and service failed (catalogue 58).

use super::no_change::no_change;
use crate::quick::rule::{Explains, Reads, Rule};
use crate::quick::signal::Signal;

const SIGNAL: Signal = Signal {
    kinds: &[
        "APIConnectionError",
        "ConnectError",
        "ConnectionRefusedError",
        "ConnectionResetError",
        "SSLError",
        "SSLCertVerificationError",
        "gaierror",
        "NewConnectionError",
    ],
    statuses: &[],
    words: &[
        "econnrefused",
        "econnreset",
        "enotfound",
        "getaddrinfo",
        "name or service not known",
        "temporary failure in name resolution",
        "connection refused",
        "connection reset by peer",
        "certificate verify failed",
        "network is unreachable",
        "no route to host",
        "certificate has expired",
    ],
};

pub(super) const RULE: Rule = Rule {
    id: "network_failure",
    version: 1,
    number: Some(58),
    generic: false,
    reads: &[Reads::ErrorMessage],
    explains: Explains::Everything,
    detect: |input| {
        no_change(
            input,
            &SIGNAL,
            |_| true,
            |who| format!("{who} could not be reached over the network"),
            "Name resolution, connection or certificate failed where the agent runs; the code at this commit does not decide that. Check host name, proxy, firewall and certificates there, then run again.",
            "The connection failed",
        )
    },
};
