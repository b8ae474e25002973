//! agent_stall
use crate::quick::rule::{Explains, Rule};
pub(super) const RULE: Rule = Rule { id: "agent_stall", version: 1, number: None, generic: false, reads: &[], explains: Explains::Nothing, detect: |_| Vec::new() };
