//! In a team of agents: the message before the first execution that failed.

use super::answer_in_doubt::finding;
use crate::quick::attribution::Reason;
use crate::quick::rule::{Explains, Reads, Rule};

pub(super) const RULE: Rule = Rule {
    id: "failing_execution",
    version: 1,
    number: None,
    generic: false,
    reads: &[Reads::Output],
    explains: Explains::Nothing,
    detect: |input| {
        let fits = |reason: &Reason| matches!(reason, Reason::FailingExecution { .. });
        input
            .suspects()
            .iter()
            .filter(|suspect| fits(&suspect.reason))
            .map(|suspect| finding(input, suspect))
            .collect()
    },
};
