//! In a team of agents: what was done shortly before the run stopped making progress.

use super::answer_in_doubt::finding;
use crate::quick::attribution::Reason;
use crate::quick::rule::{Explains, Reads, Rule};

pub(super) const RULE: Rule = Rule {
    id: "agent_stall",
    version: 1,
    number: None,
    generic: false,
    reads: &[Reads::Output],
    explains: Explains::Nothing,
    detect: |input| {
        let fits = |reason: &Reason| matches!(reason, Reason::BeforeStall { .. });
        input
            .suspects()
            .iter()
            .filter(|suspect| fits(&suspect.reason))
            .map(|suspect| finding(input, suspect))
            .collect()
    },
};
