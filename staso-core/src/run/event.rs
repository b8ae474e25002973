//! What a run says while it works: numbered, hash-chained events.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BudgetUse, OutcomeState};
use crate::agent::canonical;
use crate::agent::{ModelId, StopReason, TokenUsage, ToolCall};
use crate::id::{Digest, RunId};
use crate::trace::Timestamp;

/// Version of [`RunEvent`] as it is written.
pub const EVENT_SCHEMA_VERSION: u32 = 2;

/// Events kept in memory; older ones are only with the sinks.
const KEPT_EVENTS: usize = 10_000;
/// Events after which only the terminal one is still recorded.
const MAX_EVENTS: u64 = 100_000;

/// One event. The same text goes to live listeners and, as a line, to `transcript.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunEvent {
    /// How to read it: [`EVENT_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The run.
    pub run_id: RunId,
    /// 1, 2, 3 …: a listener resumes after the last one it saw.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: EventKind,
    /// The digest of the event before; for the first one the digest of nothing.
    pub previous: Digest,
    /// SHA-256 over the JSON of this event with this field left out.
    pub digest: Digest,
}

/// A stage of a run. Their names are the keys of `timings_ms` in the artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Loading the trace.
    Load,
    /// Finding repository, commit and base; reading code.
    Resolve,
    /// Rules over the trace.
    Quick,
    /// A model reads the code.
    Deep,
    /// Making the failure happen again at the failing commit.
    Reproduce,
    /// Writing the fix.
    Fix,
    /// Proving the fix.
    Verify,
    /// Branch and pull request.
    Publish,
}

impl Phase {
    /// The name, as it is serialized.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Resolve => "resolve",
            Self::Quick => "quick",
            Self::Deep => "deep",
            Self::Reproduce => "reproduce",
            Self::Fix => "fix",
            Self::Verify => "verify",
            Self::Publish => "publish",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum EventKind {
    /// The run began.
    #[serde(rename = "run.started")]
    RunStarted {
        /// What it is about: a trace or conversation id.
        subject: String,
    },
    /// The run entered a phase.
    #[serde(rename = "phase.changed")]
    PhaseChanged {
        /// Which one.
        phase: Phase,
    },
    /// A model was asked. Together with the replies and tool outputs before, this is everything that was sent.
    #[serde(rename = "model.requested")]
    ModelRequested {
        /// Which agent asks, e.g. `deep`.
        agent: String,
        /// The reply that is asked for, from 1.
        turn: u64,
        /// The model.
        model: ModelId,
        /// The digest of what the model is told to be, as the artifact names the prompts.
        system: Digest,
        /// What the host says since the last request; replies and tool outputs have events of their own.
        said: Vec<String>,
        /// Tokens of the whole request, as estimated before it was sent.
        estimated_tokens: u64,
        /// Observations that were replaced by a pointer to save room.
        masked: u64,
    },
    /// A model said something; pieces end at blanks or line ends.
    #[serde(rename = "model.delta")]
    ModelDelta {
        /// Which agent asked.
        agent: String,
        /// The reply it belongs to.
        turn: u64,
        /// The piece.
        text: String,
    },
    /// A model answered.
    #[serde(rename = "model.completed")]
    ModelCompleted {
        /// Which agent asked.
        agent: String,
        /// Which reply, from 1.
        turn: u64,
        /// Its text.
        text: String,
        /// The tools it asks for.
        calls: Vec<ToolCall>,
        /// Why it stopped.
        stop: StopReason,
        /// Tokens of this reply and its request.
        usage: TokenUsage,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// The host said something to an agent at work.
    #[serde(rename = "run.redirected")]
    Redirected {
        /// What.
        text: String,
    },
    /// A tool or command was started.
    #[serde(rename = "tool.called")]
    ToolCalled {
        /// How the model names the call: `t1`, `t2` …; empty when no model asked.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        call: String,
        /// Which one.
        tool: String,
        /// What for, ≤ 500 characters.
        summary: String,
    },
    /// What a model reads of a tool call. Receipts cite this event.
    #[serde(rename = "tool.output")]
    ToolOutput {
        /// The call.
        call: String,
        /// The tool.
        tool: String,
        /// The text.
        text: String,
    },
    /// A tool or command ended.
    #[serde(rename = "tool.completed")]
    ToolCompleted {
        /// The call; empty when no model asked.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        call: String,
        /// Which one.
        tool: String,
        /// Whether it did what it was asked to.
        ok: bool,
        /// How long it took, in milliseconds.
        duration_ms: u64,
    },
    /// A receipt was checked against trace and code.
    #[serde(rename = "receipt.checked")]
    ReceiptChecked {
        /// Which one.
        receipt: String,
        /// Whether it holds.
        verified: bool,
    },
    /// The diagnosis stands.
    #[serde(rename = "diagnosis.ready")]
    DiagnosisReady {
        /// Its one line.
        summary: String,
        /// Its confidence.
        confidence: f64,
    },
    /// There is a (new) patch.
    #[serde(rename = "patch.updated")]
    PatchUpdated {
        /// The files it changes.
        files: Vec<String>,
        /// Why, in one line.
        why: String,
    },
    /// A check was started.
    #[serde(rename = "check.started")]
    CheckStarted {
        /// Which one.
        name: String,
        /// At which tree.
        at: String,
    },
    /// A check ended.
    #[serde(rename = "check.completed")]
    CheckCompleted {
        /// Which one.
        name: String,
        /// At which tree.
        at: String,
        /// Whether it came out as a fix needs it.
        ok: bool,
        /// What it found, in one line.
        result: String,
    },
    /// The run has used this much.
    #[serde(rename = "budget.updated")]
    BudgetUpdated {
        /// So far.
        used: BudgetUse,
    },
    /// The proposal is open.
    #[serde(rename = "proposal.opened")]
    ProposalOpened {
        /// Its branch.
        branch: String,
        /// Where to read it.
        url: String,
    },
    /// Something did not work but did not stop the run.
    #[serde(rename = "run.warning")]
    Warning {
        /// What.
        message: String,
    },
    /// The run ended with a result.
    #[serde(rename = "run.completed")]
    RunCompleted {
        /// Which one.
        outcome: OutcomeState,
        /// Why.
        reason: String,
    },
    /// The run was cancelled.
    #[serde(rename = "run.cancelled")]
    RunCancelled {
        /// By what.
        reason: String,
    },
    /// The run could not go on.
    #[serde(rename = "run.failed")]
    RunFailed {
        /// Why.
        reason: String,
    },
}

impl EventKind {
    /// Whether nothing can follow.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::RunCompleted { .. } | Self::RunCancelled { .. } | Self::RunFailed { .. })
    }

    /// The texts that no agent has cleaned.
    pub(super) fn host_texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::ToolCalled { call, summary, .. } if call.is_empty() => vec![summary],
            Self::DiagnosisReady { summary, .. } => vec![summary],
            Self::PatchUpdated { why, .. } => vec![why],
            Self::CheckCompleted { result, .. } => vec![result],
            Self::Warning { message } => vec![message],
            Self::Redirected { text } => vec![text],
            Self::RunCompleted { reason, .. }
            | Self::RunCancelled { reason }
            | Self::RunFailed { reason } => vec![reason],
            _ => Vec::new(),
        }
    }
}

/// Where events go.
///
/// # Contract
/// `emit` is called in order, once an event, from whatever thread made the event. It must return at once: queue or
/// drop, never wait. It must not call back into the run.
///
/// # Implementing
/// Run `staso_core::conformance::event_sink` against your sink.
pub trait EventSink: Debug + Send + Sync + 'static {
    /// Takes one event.
    fn emit(&self, event: &RunEvent);
}

/// Numbers, chains, keeps and forwards events.
#[derive(Debug)]
pub(super) struct EventRecorder {
    muted: bool,
    sinks: Vec<Arc<dyn EventSink>>,
    state: Mutex<RecorderState>,
}

#[derive(Debug)]
struct RecorderState {
    next_id: u64,
    previous: Digest,
    kept: VecDeque<RunEvent>,
    ended: bool,
}

impl EventRecorder {
    pub(super) fn new(sinks: Vec<Arc<dyn EventSink>>) -> Self {
        let state =
            RecorderState { next_id: 1, previous: Digest::of(""), kept: VecDeque::new(), ended: false };
        Self { muted: false, sinks, state: Mutex::new(state) }
    }

    /// Drops everything.
    pub(super) fn muted() -> Self {
        let state =
            RecorderState { next_id: 1, previous: Digest::of(""), kept: VecDeque::new(), ended: true };
        Self { muted: true, sinks: Vec::new(), state: Mutex::new(state) }
    }

    pub(super) const fn is_muted(&self) -> bool {
        self.muted
    }

    /// The number of the event; `None` when it was not recorded.
    pub(super) fn record(&self, run_id: RunId, at: Timestamp, kind: EventKind) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.ended || (state.next_id > MAX_EVENTS && !kind.is_terminal()) {
            return None;
        }
        state.ended = kind.is_terminal();
        let id = state.next_id;
        let event = chain(run_id, id, at, kind, state.previous.clone());
        state.next_id += 1;
        state.previous = event.digest.clone();
        for sink in &self.sinks {
            sink.emit(&event);
        }
        if state.kept.len() == KEPT_EVENTS {
            state.kept.pop_front();
        }
        state.kept.push_back(event);
        Some(id)
    }

    pub(super) fn last_digest(&self) -> Digest {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).previous.clone()
    }

    pub(super) fn recorded(&self) -> Vec<RunEvent> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).kept.iter().cloned().collect()
    }
}

fn chain(run_id: RunId, id: u64, at: Timestamp, event: EventKind, previous: Digest) -> RunEvent {
    let digest = Digest::of("");
    let mut event =
        RunEvent { schema_version: EVENT_SCHEMA_VERSION, run_id, id, at, event, previous, digest };
    event.digest = event_digest(&event);
    event
}

/// The digest of an event: over its JSON with an empty `digest` taken out.
fn event_digest(event: &RunEvent) -> Digest {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.remove("digest");
    }
    Digest::of(canonical(&value))
}

/// A transcript does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TranscriptError {
    /// A line is no event.
    #[error("line {line} of the transcript is no event: {reason}")]
    Malformed {
        /// Which line, from 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// A line was changed, removed or added.
    #[error("line {line} of the transcript does not follow from the one before")]
    Broken {
        /// Which line, from 1.
        line: usize,
    },
    /// The last line is not the one the artifact names.
    #[error("the transcript ends elsewhere than the artifact says")]
    WrongEnd,
}

/// Checks a whole `transcript.jsonl` against the digest that the artifact holds, and returns its events. Lines must stand
/// byte for byte as they were written: other spellings of the same event (blanks, letter case of ids) break the chain.
///
/// # Errors
/// Where the chain breaks first.
pub fn verify_transcript(text: &str, events_digest: &Digest) -> Result<Vec<RunEvent>, TranscriptError> {
    let mut previous = Digest::of("");
    let mut events = Vec::new();
    for (index, line) in text.split_terminator('\n').enumerate() {
        let event: RunEvent = serde_json::from_str(line)
            .map_err(|error| TranscriptError::Malformed { line: index + 1, reason: error.to_string() })?;
        let in_order = usize::try_from(event.id).ok() == Some(index + 1) && event.previous == previous;
        let as_written = serde_json::to_string(&event).is_ok_and(|written| written == line);
        if !in_order || !as_written || event_digest(&event) != event.digest {
            return Err(TranscriptError::Broken { line: index + 1 });
        }
        previous = event.digest.clone();
        events.push(event);
    }
    if previous == *events_digest { Ok(events) } else { Err(TranscriptError::WrongEnd) }
}
