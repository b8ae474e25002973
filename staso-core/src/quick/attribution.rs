//! Which message of a team of agents led to a wrong result, when no step reports an error.
//!
//! A sum of signals with small fixed weights, none of which is a position. What it says is a starting point for a deeper
//! search, not an answer.

use std::collections::BTreeSet;

use super::document::prefix;
use super::failure::Failure;
use super::input::{Facts, RuleInput};
use super::pattern::pattern;
use crate::id::SpanId;
use crate::trace::SpanKind;

/// The most messages that are compared; of longer runs, the first ones.
const MAX_MESSAGES: usize = 1_000;
/// How much of a message is read, in bytes.
const MAX_MESSAGE_BYTES: usize = 32 * 1024;
/// How many messages are named.
const MAX_NAMED: usize = 5;
/// A run with fewer turns of agents is no conversation.
const LEAST_TURNS: usize = 3;
/// How many messages before a stall may have caused it.
const BEFORE_STALL: usize = 4;
/// A message shorter than this says nothing, in characters.
const SHORT: usize = 20;

/// Words with which an agent says that it goes beyond what it knows.
const ASSUMPTIONS: [&str; 23] = [
    "assum",
    "placeholder",
    "hypothetic",
    "for demonstration",
    "for the sake of",
    "simulate",
    "example data",
    "sample data",
    "mock",
    "general knowledge",
    "common knowledge",
    "based on my knowledge",
    "i believe",
    "likely",
    "presumably",
    "let us suppose",
    "let's say",
    "typically",
    "it seems",
    "approximately",
    "estimate",
    "manually",
    "i recall",
];

pattern!(EXIT_CODE = r"exitcode: (\d+)");
pattern!(FINAL_ANSWER = r"FINAL ANSWER:\s*([^\n]+)");
pattern!(IN_LOOP = r#"(?s)"is_in_loop":\s*\{[^}]*"answer":\s*(true)"#);
pattern!(NO_PROGRESS = r#"(?s)"is_progress_being_made":\s*\{[^}]*"answer":\s*(false)"#);

/// Why a message stands out.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reason {
    /// It is the last before an execution failed for the first time; the step that ran it.
    FailingExecution { ran_in: SpanId },
    /// It brought in words of the final answer that stood nowhere before.
    NewInAnswer { words: Vec<String> },
    /// It says that it goes beyond what is known; the word as written.
    Assumption { word: String },
    /// It hands the task on in other words than the question's.
    TaskReworded,
    /// It came shortly before the run stopped making progress; the step that says so.
    BeforeStall { noted_in: SpanId },
    /// Nothing speaks for it but that it is an agent's.
    Nothing,
}

/// A message that may have led to the wrong result.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    pub(super) span: SpanId,
    pub(super) agent: String,
    /// The sum of the signals, from 0 to 1.
    pub(super) strength: f64,
    pub(super) reason: Reason,
}

struct Message<'i, 'a> {
    facts: &'i Facts<'a>,
    agent: String,
    text: String,
    words: BTreeSet<String>,
    works: bool,
}

/// The most suspicious messages, best first. Empty when the run is not of this kind.
pub(super) fn suspects(input: &RuleInput<'_>) -> Vec<Suspect> {
    let Some(root) = input.trace.root().filter(|_| fits(input)) else { return Vec::new() };
    let Some(root_facts) = input.facts_of(root.span_id) else { return Vec::new() };
    let messages = messages(input, root.span_id);
    let turns = messages.iter().filter(|message| message.facts.span.kind == SpanKind::Agent).count();
    if turns < LEAST_TURNS {
        return Vec::new();
    }
    let question = words(&root_facts.input.plain());
    let answer: BTreeSet<String> =
        words(&final_answer(root_facts, &messages)).difference(&question).cloned().collect();
    let mut found = score(&messages, &question, &answer);
    let works = |suspect: &Suspect| {
        messages.iter().any(|message| message.works && message.facts.span.span_id == suspect.span)
    };
    found.retain(|suspect| suspect.reason != Reason::Nothing || works(suspect));
    // `sort_by` is stable: equal ones keep the order of the run.
    found.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    found.truncate(MAX_NAMED);
    found
}

/// Only runs in which nothing but the whole run reports an error.
fn fits(input: &RuleInput<'_>) -> bool {
    let root = input.trace.root().map(|root| root.span_id);
    let judged = input.run_failed() || !input.violations.is_empty();
    let only_judged = |failure: &Failure<'_>| Some(failure.span.span_id) == root && failure.kind.is_none();
    let quoted = |failure: &Failure<'_>| failure.soft && failure.frames.is_empty();
    judged && input.failures.iter().all(|failure| only_judged(failure) || quoted(failure))
}

fn messages<'i, 'a>(input: &'i RuleInput<'a>, root: SpanId) -> Vec<Message<'i, 'a>> {
    let mut found = Vec::new();
    for facts in input
        .facts
        .iter()
        .filter(|facts| facts.span.span_id != root && !facts.output.raw().is_empty())
        .take(MAX_MESSAGES)
    {
        let plain = facts.output.plain();
        let text = prefix(&plain, MAX_MESSAGE_BYTES).to_owned();
        let agent = facts
            .span
            .agent
            .name
            .clone()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| facts.span.name.clone());
        found.push(Message { facts, agent, words: words(&text), text, works: true });
    }
    let executors: BTreeSet<String> = found
        .iter()
        .filter(|message| {
            message.facts.span.kind == SpanKind::Tool || message.text.trim_start().starts_with("exitcode:")
        })
        .map(|message| message.agent.clone())
        .collect();
    for message in &mut found {
        let person = matches!(message.agent.to_lowercase().as_str(), "human" | "user");
        message.works = !person && !executors.contains(&message.agent);
    }
    found
}

fn final_answer(root: &Facts<'_>, messages: &[Message<'_, '_>]) -> String {
    if let Some(answer) = FINAL_ANSWER.first(&root.output.plain()) {
        return answer.to_owned();
    }
    let last = messages.iter().rev().find(|message| !is_closing(&message.text));
    last.map(|message| message.text.clone()).unwrap_or_default()
}

fn is_closing(text: &str) -> bool {
    text.trim().chars().count() < SHORT || text.trim_start().starts_with("TERMINATE")
}

/// Book-keeping of an orchestrator: ledgers and who speaks next.
fn is_bookkeeping(text: &str) -> bool {
    text.contains("Updated Ledger") || text.starts_with("Next speaker") || text.starts_with("Initial plan")
}

fn is_failed_execution(text: &str) -> bool {
    EXIT_CODE.first(text).is_some_and(|code| code != "0")
        || text.contains("Traceback (most recent call last)")
        || text.contains("execution failed")
}

fn is_stall(text: &str) -> bool {
    IN_LOOP.first(text).is_some() || NO_PROGRESS.first(text).is_some()
}

fn score(
    messages: &[Message<'_, '_>],
    question: &BTreeSet<String>,
    answer: &BTreeSet<String>,
) -> Vec<Suspect> {
    let failed_at = messages.iter().position(|message| is_failed_execution(&message.text));
    let stalled_at = messages.iter().position(|message| is_stall(&message.text));
    let before_failure = failed_at.and_then(|at| messages.iter().take(at).rposition(|message| message.works));
    let span_at =
        |at: Option<usize>| at.and_then(|at| messages.get(at)).map(|message| message.facts.span.span_id);
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let mut signals: Vec<(f64, Reason)> = Vec::new();
        let fresh: Vec<&String> = answer
            .iter()
            .filter(|word| message.words.contains(*word) && !seen.contains(word.as_str()))
            .collect();
        if message.works {
            if let (true, Some(ran_in)) = (before_failure == Some(at), span_at(failed_at)) {
                signals.push((2.0, Reason::FailingExecution { ran_in }));
            }
            if !fresh.is_empty() {
                let words = fresh.iter().take(5).map(|word| (*word).clone()).collect();
                signals.push((2.0 * share(fresh.len(), answer.len()), Reason::NewInAnswer { words }));
            }
            let assumed = assumptions(&message.text);
            if let Some(word) = assumed.first() {
                signals.push((share(assumed.len().min(3), 3), Reason::Assumption { word: word.clone() }));
            }
            let stalls = |stalled: usize| at < stalled && stalled - at <= BEFORE_STALL;
            if let (true, Some(noted_in)) = (stalled_at.is_some_and(stalls), span_at(stalled_at)) {
                signals.push((0.5, Reason::BeforeStall { noted_in }));
            }
        }
        if at == 0 && !question.is_empty() {
            let kept = question.iter().filter(|word| message.words.contains(*word)).count();
            signals.push((1.0 - share(kept, question.len()), Reason::TaskReworded));
        }
        seen.extend(message.words.iter().map(String::as_str));
        found.push(suspect(message, &signals));
    }
    found
}

fn suspect(message: &Message<'_, '_>, signals: &[(f64, Reason)]) -> Suspect {
    let mut sum: f64 = signals.iter().map(|(weight, _)| weight).sum();
    sum += f64::from(u8::from(message.works));
    sum -= 2.0 * f64::from(u8::from(is_closing(&message.text)));
    sum -= f64::from(u8::from(is_bookkeeping(&message.text)));
    let strongest = signals.iter().filter(|(weight, _)| *weight > 0.1).max_by(|a, b| a.0.total_cmp(&b.0));
    Suspect {
        span: message.facts.span.span_id,
        agent: message.agent.clone(),
        strength: (sum / 5.0).clamp(0.02, 1.0),
        reason: strongest.map_or(Reason::Nothing, |(_, reason)| reason.clone()),
    }
}

/// The assumption words in a text, each once, as written.
fn assumptions(text: &str) -> Vec<String> {
    let lower = text.to_ascii_lowercase();
    ASSUMPTIONS
        .iter()
        .filter_map(|word| {
            let at = lower.find(word)?;
            Some(text.get(at..at + word.len())?.to_owned())
        })
        .collect()
}

fn words(text: &str) -> BTreeSet<String> {
    prefix(text, MAX_MESSAGE_BYTES)
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != ',')
        .map(|word| word.trim_matches(['.', ',']).to_ascii_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

fn share(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledgers_and_executions_are_recognised() {
        assert!(is_stall("\"is_in_loop\": {\n \"reason\": \"x\",\n \"answer\": true\n}"));
        assert!(!is_stall("\"is_progress_being_made\": {\"answer\": true}, \"x\": {\"answer\": false}"));
        assert!(
            is_failed_execution("exitcode: 1 (execution failed)")
                && !is_failed_execution("exitcode: 0 (execution succeeded)")
        );
        assert_eq!(FINAL_ANSWER.first("FINAL ANSWER: 42\nend"), Some("42"));
    }
}
