//! What every part of a run is handed: time, cancellation, budget and a place to report to.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::event::EventRecorder;
use super::{Budget, BudgetMeter, Clock, EventKind, EventSink, Note, Redirections, RunEvent, RunNotes};
use crate::id::{Digest, RunId};
use crate::redaction::Redactor;
use crate::trace::Timestamp;

/// The surroundings of one run. Cheap to clone; all clones share budget, events and cancellation.
#[derive(Debug, Clone)]
pub struct RunContext {
    run_id: RunId,
    clock: Arc<dyn Clock>,
    cancel: CancellationToken,
    budget: Arc<BudgetMeter>,
    events: Arc<EventRecorder>,
    notes: Arc<Mutex<RunNotes>>,
    redirections: Redirections,
    redactor: Redactor,
    started: Duration,
}

/// A bounded wait ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The time for this step was over.
    #[error("took longer than {limit_ms} ms")]
    TimedOut {
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
}

impl RunContext {
    /// A context with the default budget, no sink and a token of its own.
    pub fn new(run_id: RunId, clock: Arc<dyn Clock>) -> Self {
        let started = clock.monotonic();
        Self {
            run_id,
            clock,
            cancel: CancellationToken::new(),
            budget: Arc::new(BudgetMeter::new(Budget::default())),
            events: Arc::new(EventRecorder::new(Vec::new())),
            notes: Arc::default(),
            redirections: Redirections::default(),
            redactor: Redactor::default(),
            started,
        }
    }

    /// Sets the bounds. Call it before the context is shared: counting starts anew.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = Arc::new(BudgetMeter::new(budget));
        self
    }

    /// Sets where events go. Call it before the context is shared: numbering starts anew.
    #[must_use]
    pub fn with_sinks(mut self, sinks: Vec<Arc<dyn EventSink>>) -> Self {
        self.events = Arc::new(EventRecorder::new(sinks));
        self
    }

    /// Makes the run end when `token` is cancelled.
    #[must_use]
    pub fn with_cancellation(mut self, token: CancellationToken) -> Self {
        self.cancel = token;
        self
    }

    /// Takes what the host says to agents at work from `redirections`.
    #[must_use]
    pub fn with_redirections(mut self, redirections: Redirections) -> Self {
        self.redirections = redirections;
        self
    }

    /// Takes what `redactor` knows out of what the run reports. Default: the forms of common credentials.
    #[must_use]
    pub fn with_redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// The same run, but what this context emits is not recorded: for steps that are repeated very often.
    #[must_use]
    pub fn muted(&self) -> Self {
        Self { events: Arc::new(EventRecorder::muted()), ..self.clone() }
    }

    /// The run.
    #[must_use]
    pub const fn run_id(&self) -> RunId {
        self.run_id
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The source of time.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Time since the run began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.started)
    }

    /// Time left of the run's wall budget.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.budget.limits().wall().saturating_sub(self.elapsed())
    }

    /// Tells every part of the run to stop.
    #[must_use]
    pub const fn cancellation(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Whether the run was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// What the run may use and has used.
    #[must_use]
    pub fn budget(&self) -> &BudgetMeter {
        &self.budget
    }

    /// Reports something, cleaned by the run's redactor; what models and tools said is recorded as it is, because agents
    /// clean it before it is shown to anyone. Never blocks and never fails. Returns the number of the event, `None` when it
    /// was not recorded.
    pub fn emit(&self, mut kind: EventKind) -> Option<u64> {
        if self.events.is_muted() {
            return None;
        }
        for text in kind.host_texts() {
            *text = self.redactor.clean(text);
        }
        self.events.record(self.run_id, self.clock.now(), kind)
    }

    /// Keeps a fact for the artifact.
    pub fn note(&self, note: Note) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).add(note);
    }

    /// The facts kept so far.
    #[must_use]
    pub fn notes(&self) -> RunNotes {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is taken out of everything that the run reports.
    #[must_use]
    pub const fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// What the host says to agents at work.
    #[must_use]
    pub const fn redirections(&self) -> &Redirections {
        &self.redirections
    }

    /// The digest of the last event: it covers all events before it.
    #[must_use]
    pub fn events_digest(&self) -> Digest {
        self.events.last_digest()
    }

    /// The last events, oldest first, at most as many as the recorder keeps (10,000).
    #[must_use]
    pub fn recorded_events(&self) -> Vec<RunEvent> {
        self.events.recorded()
    }

    /// Waits for a future, but not beyond `limit` or cancellation.
    ///
    /// # Errors
    /// Which of the two ended the wait; the future is dropped then.
    pub async fn bounded<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Result<T, Interrupted> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Interrupted::Cancelled),
            value = future => Ok(value),
            () = self.clock.sleep(limit) => {
                Err(Interrupted::TimedOut { limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX) })
            }
        }
    }
}
