//! Who may send when: for each account one change at a time, few readers, and pauses for all of them.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use staso_core::run::RunContext;
use staso_core::trace::Timestamp;
use staso_core::vcs::RateLimitKind;
use tokio::sync::{Mutex as Turns, Notify, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::options::ClientOptions;
use super::request::Endpoint;
use super::wait::{pause, timed_out, within};
use super::{ApiRequest, SendError};

/// Accounts that are remembered, when nobody uses them.
const MAX_IDLE: usize = 256;

/// The accounts that requests were sent for.
#[derive(Debug)]
pub(super) struct Queues {
    accounts: Mutex<HashMap<String, Arc<Account>>>,
    readers: usize,
}

/// One installation or user.
#[derive(Debug)]
pub(super) struct Account {
    /// Holds when the last change ended. Whoever waits gets it in the order of asking.
    writer: Arc<Turns<Option<Timestamp>>>,
    readers: Arc<Semaphore>,
    pauses: Mutex<Vec<Pause>>,
    /// Tells those who wait for their turn that there is another pause.
    stopped: Notify,
}

/// Until when nothing is sent to an API.
#[derive(Debug, Clone, Copy)]
struct Pause {
    endpoint: Endpoint,
    kind: RateLimitKind,
    until: Timestamp,
}

/// The right to send one request. Ends when it is dropped.
#[derive(Debug)]
pub(super) enum Turn {
    Read { _permit: OwnedSemaphorePermit },
    Write { last: OwnedMutexGuard<Option<Timestamp>>, ctx: RunContext },
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Self::Write { last, ctx } = self {
            **last = Some(ctx.now());
        }
    }
}

impl Queues {
    pub(super) fn new(readers: usize) -> Self {
        Self { accounts: Mutex::default(), readers: readers.max(1) }
    }

    /// The account of this name.
    pub(super) fn account(&self, name: &str, now: Timestamp) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() > MAX_IDLE && !accounts.contains_key(name) {
            accounts.retain(|_, account| Arc::strong_count(account) > 1 || account.is_paused(now));
        }
        Arc::clone(accounts.entry(name.to_owned()).or_insert_with(|| Arc::new(Account::new(self.readers))))
    }
}

impl Account {
    fn new(readers: usize) -> Self {
        let readers = Arc::new(Semaphore::new(readers.min(Semaphore::MAX_PERMITS)));
        Self { writer: Arc::default(), readers, pauses: Mutex::default(), stopped: Notify::new() }
    }

    fn is_paused(&self, now: Timestamp) -> bool {
        self.pauses().iter().any(|pause| pause.until > now)
    }

    fn pauses(&self) -> MutexGuard<'_, Vec<Pause>> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the request may be sent: its turn has come, and the last change is long enough ago.
    pub(super) async fn turn(
        &self,
        request: &ApiRequest,
        options: &ClientOptions,
        ctx: &RunContext,
    ) -> Result<Turn, SendError> {
        let mut turn = pin!(async {
            if request.is_read() { self.read(ctx).await } else { self.write(options, ctx).await }
        });
        loop {
            // Whoever is before us may meet a limit, and the wait for that may be too long for us.
            let stopped = self.stopped.notified();
            self.check(request.endpoint, ctx)?;
            tokio::select! {
                biased;
                turn = &mut turn => return turn,
                () = stopped => {}
            }
        }
    }

    async fn read(&self, ctx: &RunContext) -> Result<Turn, SendError> {
        let permit = within(ctx, ctx.remaining(), Arc::clone(&self.readers).acquire_owned()).await?;
        permit.map(|permit| Turn::Read { _permit: permit }).map_err(|_| SendError::Cancelled)
    }

    async fn write(&self, options: &ClientOptions, ctx: &RunContext) -> Result<Turn, SendError> {
        let last = within(ctx, ctx.remaining(), Arc::clone(&self.writer).lock_owned()).await?;
        if let Some(ended) = *last {
            let left = options.mutation_interval.saturating_sub(ctx.now().since(ended));
            let rest = ctx.remaining();
            if left >= rest {
                return Err(timed_out(rest));
            }
            pause(ctx, left).await?;
        }
        Ok(Turn::Write { last, ctx: ctx.clone() })
    }

    /// Stops everything that goes to an API until a moment; a secondary limit is for all of them.
    pub(super) fn stop(&self, endpoint: Endpoint, kind: RateLimitKind, until: Timestamp) {
        let mut pauses = self.pauses();
        let all = [Endpoint::Rest, Endpoint::GraphQl];
        for endpoint in all.into_iter().filter(|&of| of == endpoint || kind == RateLimitKind::Secondary) {
            match pauses.iter_mut().find(|pause| pause.endpoint == endpoint) {
                Some(pause) if pause.until >= until => {}
                Some(pause) => *pause = Pause { endpoint, kind, until },
                None => pauses.push(Pause { endpoint, kind, until }),
            }
        }
        drop(pauses);
        self.stopped.notify_waiters();
    }

    /// Waits until no pause is left.
    pub(super) async fn wait_out(&self, endpoint: Endpoint, ctx: &RunContext) -> Result<(), SendError> {
        while let Some(found) = self.check(endpoint, ctx)? {
            tracing::info!(kind = %found.kind, until = %found.until, "waiting for a rate limit");
            pause(ctx, found.until.since(ctx.now())).await?;
        }
        Ok(())
    }

    /// The pause that holds now. An error when it is longer than what is left of the run.
    fn check(&self, endpoint: Endpoint, ctx: &RunContext) -> Result<Option<Pause>, SendError> {
        let now = ctx.now();
        let mut pauses = self.pauses();
        pauses.retain(|pause| pause.until > now);
        let found = pauses.iter().find(|pause| pause.endpoint == endpoint).copied();
        drop(pauses);
        match found {
            Some(Pause { kind, until, .. }) if until.since(now) >= ctx.remaining() => {
                Err(SendError::RateLimited { kind, retry_at: until })
            }
            found => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn idle_accounts_are_forgotten_once_their_pauses_are_over() {
        let queues = Queues::new(1);
        let now = Timestamp::from_nanos(1);
        for number in 0..=MAX_IDLE {
            let until = now.saturating_add(Duration::from_secs(1));
            queues.account(&number.to_string(), now).stop(Endpoint::Rest, RateLimitKind::Primary, until);
        }
        queues.account("while they are paused", now);
        assert_eq!(queues.accounts.lock().unwrap().len(), MAX_IDLE + 2);
        queues.account("afterwards", now.saturating_add(Duration::from_secs(2)));
        assert_eq!(queues.accounts.lock().unwrap().len(), 1);
    }
}
