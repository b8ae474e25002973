//! Faults to plant in the support agent, as the commits that a colleague might have made.
//!
//! What heals them knows nothing of this table: it sees a repository and a trace.

use crate::variants::VARIANTS;

/// A commit that breaks the agent for one ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What kind of answer is right.
    pub class: FaultClass,
    /// The message of the commit.
    pub message: &'static str,
    /// The ticket that shows the fault.
    pub ticket: &'static str,
    /// What the commit changes.
    pub edits: &'static [Edit],
}

/// A replacement in one file. The text to find stands there exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edit {
    /// The file, from the top of the agent's repository.
    pub file: &'static str,
    /// The text to find.
    pub find: &'static str,
    /// What to put in its place.
    pub replace: &'static str,
}

/// What kind of answer is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultClass {
    /// A change of program text.
    Code,
    /// A change of a prompt, or of the code that fills it.
    Prompt,
    /// A change of a setting.
    Config,
    /// No change: the fault is not in the repository.
    Outage,
}

/// The scenarios that run by default, in this order.
pub const DEFAULTS: &[Scenario] = &[
    Scenario {
        name: "code",
        class: FaultClass::Code,
        message: "Read the dispatch date under its name in the new warehouse export",
        ticket: "T-1001",
        edits: &[Edit {
            file: "support/tools.py",
            find: "return dates.parse(order[\"dispatched_at\"])",
            replace: "return dates.parse(order[\"dispatched_on\"])",
        }],
    },
    Scenario {
        name: "prompt",
        class: FaultClass::Prompt,
        message: "Say client instead of customer in the reply prompt",
        ticket: "T-1002",
        edits: &[Edit {
            file: "prompts/reply.txt",
            find: "Customer: {{customer_name}}",
            replace: "Client: {{client_name}}",
        }],
    },
    Scenario {
        name: "config",
        class: FaultClass::Config,
        message: "Lower the limit for replies to save tokens",
        ticket: "T-1004",
        edits: &[Edit {
            file: "config.json",
            find: "\"reply_max_tokens\": 1024",
            replace: "\"reply_max_tokens\": 96",
        }],
    },
    Scenario {
        name: "outage",
        class: FaultClass::Outage,
        message: "Record the provider's answer to parcel quotes again",
        ticket: "T-1007",
        edits: &[Edit {
            file: "recorded/parcel-to-lagos.json",
            find: "{\"status\": 200, \"latency_seconds\": 1.4}",
            replace: "{\"status\": 529, \"code\": \"overloaded_error\", \"message\": \"Overloaded\"}",
        }],
    },
];

/// A fault far from where it shows, which no single edit mends: without a model the run ends with what is known.
pub const HARD: Scenario = Scenario {
    name: "hard",
    class: FaultClass::Code,
    message: "Charge the restocking fee on the list price",
    ticket: "T-1009",
    edits: &[Edit {
        file: "support/tools.py",
        find: "    value = gross - _discount(order, gross)\n    fee = _restocking_fee(value, held, policy)\n",
        replace: "    fee = _restocking_fee(gross, held, policy)\n    value = gross - _discount(order, gross - fee)\n",
    }],
};

/// The scenario of this name, among the default ones, the hard one and the variants.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    DEFAULTS.iter().chain([&HARD]).chain(VARIANTS).find(|scenario| scenario.name == name)
}
