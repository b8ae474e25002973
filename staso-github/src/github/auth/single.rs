//! One value that many want and one of them fetches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use staso_core::run::{Interrupted, RunContext};
use staso_core::vcs::VcsError;

/// A failure of fetching a value.
pub(crate) trait Failure: Sized {
    /// The run of the caller was cancelled, or its time was over, while another one fetched.
    fn interrupted(end: Interrupted) -> Self;

    /// The same failure for those who waited meanwhile. `None` when it concerns only the one who asked: its run was
    /// cancelled, its time was over.
    fn for_others(&self) -> Option<Self>;
}

/// A value that is fetched by one caller at a time. Those who come meanwhile get what that one gets; when it gives up
/// because of itself, the next one fetches.
#[derive(Debug)]
pub(crate) struct Single<T, E> {
    flight: tokio::sync::Mutex<()>,
    known: Mutex<Known<T, E>>,
}

/// What the last fetch gave: a value until it is forgotten, or a failure if others may have it too.
#[derive(Debug)]
struct Known<T, E> {
    fetches: u64,
    value: Option<Arc<T>>,
    failure: Option<E>,
}

impl<T, E> Default for Single<T, E> {
    fn default() -> Self {
        let known = Known { fetches: 0, value: None, failure: None };
        Self { flight: tokio::sync::Mutex::new(()), known: Mutex::new(known) }
    }
}

impl<T, E: Failure> Single<T, E> {
    /// The known value when it is usable, else a fetched one: fetched here or by the one whom this call waited for.
    pub(crate) async fn get(
        &self,
        ctx: &RunContext,
        usable: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let (known, seen) = self.seen();
        if let Some(value) = known.filter(|value| usable(value)) {
            return Ok(value);
        }
        let _flight = ctx.bounded(ctx.remaining(), self.flight.lock()).await.map_err(E::interrupted)?;
        if let Some(fetched) = self.fetched_after(seen) {
            return fetched;
        }
        let fetched = fetch.await.map(Arc::new);
        let mut known = self.known();
        known.fetches += 1;
        known.value = fetched.as_ref().ok().cloned();
        known.failure = fetched.as_ref().err().and_then(E::for_others);
        fetched
    }

    /// Forgets the value when it is still this one.
    pub(crate) fn forget(&self, value: &Arc<T>) {
        self.known().value.take_if(|known| Arc::ptr_eq(known, value));
    }

    /// The value as it is, usable or not.
    pub(crate) fn peek(&self) -> Option<Arc<T>> {
        self.known().value.clone()
    }

    fn seen(&self) -> (Option<Arc<T>>, u64) {
        let known = self.known();
        (known.value.clone(), known.fetches)
    }

    /// What came of a fetch that ended after `seen` of them had.
    fn fetched_after(&self, seen: u64) -> Option<Result<Arc<T>, E>> {
        let known = self.known();
        if known.fetches == seen {
            return None;
        }
        let failure = || known.failure.as_ref().and_then(E::for_others);
        known.value.clone().map(Ok).or_else(|| failure().map(Err))
    }

    fn known(&self) -> MutexGuard<'_, Known<T, E>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure for VcsError {
    fn interrupted(end: Interrupted) -> Self {
        match end {
            Interrupted::Cancelled => Self::Cancelled,
            Interrupted::TimedOut { limit_ms } => {
                Self::Timeout { operation: "waiting for another request of the app", limit_ms }
            }
        }
    }

    fn for_others(&self) -> Option<Self> {
        let text = String::clone;
        match self {
            Self::NotInstalled { owner, install_url } => {
                Some(Self::NotInstalled { owner: text(owner), install_url: text(install_url) })
            }
            Self::Suspended { owner, settings_url } => {
                Some(Self::Suspended { owner: text(owner), settings_url: text(settings_url) })
            }
            Self::BadAppKey { reason } => Some(Self::BadAppKey { reason: text(reason) }),
            Self::ClockSkew { seconds } => Some(Self::ClockSkew { seconds: *seconds }),
            Self::BadAnswer { operation, reason } => {
                Some(Self::BadAnswer { operation, reason: text(reason) })
            }
            Self::Unreachable { url, reason } => {
                Some(Self::Unreachable { url: url.clone(), reason: text(reason) })
            }
            _ => None,
        }
    }
}
