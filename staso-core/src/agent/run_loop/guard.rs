//! Notices when an agent goes in circles.

use std::collections::VecDeque;

use crate::id::Digest;

/// Identical calls with identical results that are carried out; the next one is refused, the one after it ends the agent.
const IDENTICAL: usize = 3;
/// Failures of the same call in a row that end the agent.
const FAILURES: usize = 3;
/// Calls of an alternation between two that end the agent.
const ALTERNATION: usize = 6;

/// What was called: tool and canonical arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action(Digest);

impl Action {
    pub(super) fn new(tool: &str, arguments: &str) -> Self {
        Self(Digest::of(format!("{tool}\0{arguments}")))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Step {
    action: Action,
    result: Digest,
    ok: bool,
}

/// Whether a call may be carried out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    /// The model is told that it repeats itself.
    Refuse,
    Stuck(&'static str),
}

/// The last calls of an agent with what came of them.
#[derive(Debug, Default)]
pub(super) struct LoopGuard {
    recent: VecDeque<Step>,
    refused: Option<Action>,
}

impl LoopGuard {
    /// Judges a call before it is carried out.
    pub(super) fn before(&mut self, action: &Action) -> Verdict {
        let mut last = self.recent.iter().rev();
        let newest = last.next();
        let identical = newest.is_some_and(|step| step.action == *action)
            && last.take(IDENTICAL - 1).filter(|step| Some(*step) == newest).count() == IDENTICAL - 1;
        if !identical {
            self.refused = None;
            return Verdict::Go;
        }
        if self.refused.as_ref() == Some(action) {
            return Verdict::Stuck("the same call again after it was refused as a repetition");
        }
        self.refused = Some(action.clone());
        Verdict::Refuse
    }

    /// Takes note of a call that was carried out. Returns why the agent is stuck, when it is.
    pub(super) fn after(&mut self, action: Action, result: &str, ok: bool) -> Option<&'static str> {
        if self.recent.len() == ALTERNATION {
            self.recent.pop_front();
        }
        self.recent.push_back(Step { action, result: Digest::of(result), ok });
        if self.fails() {
            return Some("the same call failed three times in a row");
        }
        self.alternates().then_some("it goes back and forth between two calls")
    }

    fn fails(&self) -> bool {
        let mut last = self.recent.iter().rev().take(FAILURES);
        let newest = last.next();
        let same = |step: &Step| !step.ok && newest.is_some_and(|newest| newest.action == step.action);
        newest.is_some_and(|step| !step.ok) && last.filter(|step| same(step)).count() == FAILURES - 1
    }

    fn alternates(&self) -> bool {
        let later = self.recent.iter().skip(2);
        self.recent.len() == ALTERNATION
            && self.recent.iter().zip(later).all(|(step, later)| step == later)
            && self.recent.front() != self.recent.get(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(name: &str) -> Action {
        Action::new(name, "{}")
    }

    fn call(guard: &mut LoopGuard, name: &str, result: &str, ok: bool) -> Result<(), String> {
        match guard.before(&action(name)) {
            Verdict::Go => guard.after(action(name), result, ok).map_or(Ok(()), |how| Err(how.to_owned())),
            Verdict::Refuse => Err("refused".to_owned()),
            Verdict::Stuck(_) => Err("stuck".to_owned()),
        }
    }

    #[test]
    fn three_identical_calls_are_carried_out_one_is_refused_the_next_ends() {
        let mut guard = LoopGuard::default();
        for _ in 0..3 {
            assert_eq!(call(&mut guard, "a", "same", true), Ok(()));
        }
        assert_eq!(call(&mut guard, "a", "same", true), Err("refused".to_owned()));
        assert_eq!(call(&mut guard, "a", "same", true), Err("stuck".to_owned()));
    }

    #[test]
    fn another_call_or_another_result_begins_anew() {
        let mut guard = LoopGuard::default();
        for _ in 0..3 {
            assert_eq!(call(&mut guard, "a", "same", true), Ok(()));
        }
        assert_eq!(call(&mut guard, "a", "same", true), Err("refused".to_owned()));
        assert_eq!(call(&mut guard, "b", "other", true), Ok(()));
        for number in 0..9 {
            assert_eq!(call(&mut guard, "a", &number.to_string(), true), Ok(()));
        }
    }

    #[test]
    fn the_same_failure_three_times_ends() {
        let mut guard = LoopGuard::default();
        assert_eq!(call(&mut guard, "a", "no 1", false), Ok(()));
        assert_eq!(call(&mut guard, "a", "no 2", false), Ok(()));
        assert!(call(&mut guard, "a", "no 3", false).unwrap_err().contains("failed three times"));
    }

    #[test]
    fn six_calls_back_and_forth_end() {
        let mut guard = LoopGuard::default();
        for _ in 0..2 {
            assert_eq!(call(&mut guard, "a", "x", true), Ok(()));
            assert_eq!(call(&mut guard, "b", "y", true), Ok(()));
        }
        assert_eq!(call(&mut guard, "a", "x", true), Ok(()));
        assert!(call(&mut guard, "b", "y", true).unwrap_err().contains("back and forth"));
    }
}
