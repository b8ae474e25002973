//! The bounded queue between the application's threads and one delivery thread, with the books about every span.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::options::ExportOptions;
use super::report::{DeliveryReport, FailureKind};
use crate::capture::Recorded;

/// A batch ends before it holds more than this, unless a single span does.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// An `Instant` cannot hold every sum.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// Spans leave the queue in the order in which they came, so counts alone say which ones are settled.
#[derive(Debug)]
pub(super) struct Queue {
    options: ExportOptions,
    state: Mutex<State>,
    wake: Condvar,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Recorded>,
    waiting_bytes: usize,
    first_at: Option<Instant>,
    accepted: u64,
    delivered: u64,
    failed: u64,
    rejected: u64,
    last_failure: Option<(FailureKind, bool)>,
    last_rejection: Option<(FailureKind, bool)>,
    /// Numbers of accepted spans that somebody waits for, with the books as they were when these were settled.
    barriers: BTreeMap<u64, Barrier>,
    closed: bool,
    stopped: bool,
}

#[derive(Debug, Default)]
struct Barrier {
    waiters: usize,
    reached: Option<DeliveryReport>,
}

impl State {
    const fn settled(&self) -> u64 {
        self.delivered + self.failed
    }

    /// The books about the first `target` spans, of which none beyond is settled.
    fn report(&self, target: u64) -> DeliveryReport {
        DeliveryReport {
            accepted: target,
            delivered: self.delivered,
            failed: self.failed,
            pending: target.saturating_sub(self.settled()),
            rejected: self.rejected,
            timed_out: false,
            last_failure: self.last_failure.map(|(kind, _)| kind),
            retryable: self.last_failure.is_some_and(|(_, retryable)| retryable),
            last_rejection: self.last_rejection.map(|(kind, _)| kind),
            rejection_retryable: self.last_rejection.is_some_and(|(_, retryable)| retryable),
        }
    }

    fn next_barrier(&self) -> Option<u64> {
        self.barriers.keys().copied().find(|&target| target > self.settled())
    }

    fn reject(&mut self, kind: FailureKind, retryable: bool) {
        self.rejected += 1;
        self.last_rejection = Some((kind, retryable));
    }

    /// Takes a batch. It ends at the next barrier, so that the books there are exact.
    fn take(&mut self, options: &ExportOptions) -> Vec<Recorded> {
        let to_barrier = self.next_barrier().map_or(u64::MAX, |target| target - self.settled());
        let most = options.batch_spans.min(usize::try_from(to_barrier).unwrap_or(usize::MAX));
        let mut batch = Vec::with_capacity(most.min(self.waiting.len()));
        let mut bytes = 0;
        while batch.len() < most {
            let Some(next) = self.waiting.front().map(Recorded::bytes) else { break };
            if !batch.is_empty() && bytes + next > MAX_BATCH_BYTES {
                break;
            }
            bytes += next;
            batch.extend(self.waiting.pop_front());
        }
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        self.first_at = (!self.waiting.is_empty()).then(Instant::now);
        batch
    }
}

impl Queue {
    pub(super) fn new(options: ExportOptions) -> Self {
        Self { options, state: Mutex::default(), wake: Condvar::new(), settled: Condvar::new() }
    }

    pub(super) const fn options(&self) -> &ExportOptions {
        &self.options
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the span, or counts it as rejected. Never waits for delivery.
    pub(super) fn push(&self, recorded: Recorded) {
        let bytes = recorded.bytes();
        let mut state = self.lock();
        if state.closed {
            state.reject(FailureKind::Shutdown, false);
            return;
        }
        let is_full = state.waiting.len() >= self.options.queue_spans
            || state.waiting_bytes.saturating_add(bytes) > self.options.queue_bytes;
        if is_full {
            state.reject(FailureKind::QueueFull, true);
            return;
        }
        state.accepted += 1;
        state.waiting_bytes += bytes;
        state.waiting.push_back(recorded);
        let waiting = state.waiting.len();
        if waiting == 1 {
            state.first_at = Some(Instant::now());
        }
        drop(state);
        if waiting == 1 || waiting == self.options.batch_spans {
            self.wake.notify_one();
        }
    }

    /// The next batch when it is due; `None` when there will be no more.
    pub(super) fn next_batch(&self) -> Option<Vec<Recorded>> {
        let mut state = self.lock();
        loop {
            if state.stopped || (state.closed && state.waiting.is_empty()) {
                return None;
            }
            let Some(first_at) = state.first_at else {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let rest = self.options.batch_interval.saturating_sub(first_at.elapsed());
            let is_due = state.waiting.len() >= self.options.batch_spans
                || state.closed
                || rest.is_zero()
                || state.next_barrier().is_some();
            if is_due {
                return Some(state.take(&self.options));
            }
            state = self.wake.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Enters what became of a batch.
    pub(super) fn settle(&self, delivered: u64, failed: u64, failure: Option<(FailureKind, bool)>) {
        let mut state = self.lock();
        state.delivered += delivered;
        state.failed += failed;
        state.last_failure = failure.or(state.last_failure);
        let report = state.report(state.settled());
        if let Some(barrier) = state.barriers.get_mut(&report.accepted) {
            barrier.reached = Some(report);
        }
        drop(state);
        self.settled.notify_all();
    }

    /// Waits before another attempt. False when delivery is stopped.
    pub(super) fn pause(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait.min(LONGEST_PAUSE);
        let mut state = self.lock();
        while !state.stopped {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return true;
            }
            state = self.wake.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    /// Sets a barrier behind everything accepted so far.
    pub(super) fn begin_flush(&self) -> u64 {
        let mut state = self.lock();
        let target = state.accepted;
        let is_reached = target == state.settled();
        let report = state.report(target);
        let barrier = state.barriers.entry(target).or_default();
        barrier.waiters += 1;
        if is_reached {
            barrier.reached = Some(report);
        }
        drop(state);
        self.wake.notify_one();
        target
    }

    /// Waits until everything before the barrier is settled, or until the deadline.
    pub(super) fn finish_flush(&self, target: u64, deadline: Instant) -> DeliveryReport {
        let mut state = self.lock();
        loop {
            if let Some(report) = state.barriers.get(&target).and_then(|barrier| barrier.reached) {
                leave(&mut state, target);
                return report;
            }
            let rest = deadline.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                leave(&mut state, target);
                let report = state.report(target);
                let timeout = Some(FailureKind::Timeout);
                return DeliveryReport { timed_out: true, last_failure: timeout, retryable: true, ..report };
            }
            state = self.settled.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The books as they stand.
    pub(super) fn report(&self) -> DeliveryReport {
        let state = self.lock();
        state.report(state.accepted)
    }

    /// Takes no more spans; what waits is still delivered.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Ends delivery after the attempt that is under way.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.wake.notify_one();
    }
}

fn leave(state: &mut State, target: u64) {
    if let Some(barrier) = state.barriers.get_mut(&target) {
        barrier.waiters -= 1;
        if barrier.waiters == 0 {
            state.barriers.remove(&target);
        }
    }
}
