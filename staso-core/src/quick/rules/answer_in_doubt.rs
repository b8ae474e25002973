//! answer_in_doubt
use crate::quick::rule::{Explains, Rule};
pub(super) const RULE: Rule = Rule { id: "answer_in_doubt", version: 1, number: None, generic: false, reads: &[], explains: Explains::Nothing, detect: |_| Vec::new() };
