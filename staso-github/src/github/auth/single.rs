//! One value that many want and one of them fetches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

use crate::blocking::interruption;

/// A failure of fetching a value.
pub(crate) trait Failure: From<VcsError> {
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

/// What was fetched: the last value until it is forgotten, and the failure of the last fetch if others may have it too.
/// A failure leaves the value, which may still do for other uses.
#[derive(Debug)]
struct Known<T, E> {
    fetches: u64,
    /// With the number of its fetch.
    value: Option<(u64, Arc<T>)>,
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
        let seen = self.known().fetches;
        if let Some(value) = self.peek().filter(|value| usable(value)) {
            return Ok(value);
        }
        let flight = ctx.bounded(ctx.remaining(), self.flight.lock()).await;
        let _flight = flight.map_err(|end| interruption("waiting for another request of the app", end))?;
        if let Some(fetched) = self.fetched_after(seen) {
            return fetched;
        }
        let fetched = fetch.await.map(Arc::new);
        let mut known = self.known();
        known.fetches += 1;
        known.failure = fetched.as_ref().err().and_then(E::for_others);
        if let Ok(value) = &fetched {
            known.value = Some((known.fetches, Arc::clone(value)));
        }
        fetched
    }

    /// Forgets the value when it is still this one.
    pub(crate) fn forget(&self, value: &Arc<T>) {
        self.known().value.take_if(|(_, known)| Arc::ptr_eq(known, value));
    }

    /// The value as it is, usable or not.
    pub(crate) fn peek(&self) -> Option<Arc<T>> {
        self.known().value.as_ref().map(|(_, value)| Arc::clone(value))
    }

    /// What came of a fetch that ended after `seen` of them had.
    fn fetched_after(&self, seen: u64) -> Option<Result<Arc<T>, E>> {
        let known = self.known();
        if known.fetches == seen {
            return None;
        }
        let value = known.value.as_ref().filter(|(fetch, _)| *fetch > seen);
        let failure = || known.failure.as_ref().and_then(E::for_others);
        value.map(|(_, value)| Ok(Arc::clone(value))).or_else(|| failure().map(Err))
    }

    fn known(&self) -> MutexGuard<'_, Known<T, E>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure for VcsError {
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
