//! One value that many want and one of them fetches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use staso_core::run::RunContext;
use staso_core::vcs::VcsError;

/// A failure of fetching a value.
pub(crate) trait Failure: Sized {
    /// The run of the caller was cancelled.
    fn cancelled() -> Self;

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

#[derive(Debug)]
struct Known<T, E> {
    value: Option<Arc<T>>,
    /// How many fetches have ended, and the failure of the last.
    fetches: u64,
    failure: Option<E>,
    /// Whether the last fetch gave the value.
    landed: bool,
}

impl<T, E> Default for Single<T, E> {
    fn default() -> Self {
        let known = Known { value: None, fetches: 0, failure: None, landed: false };
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
        let usable = |known: &Known<T, E>| known.value.clone().filter(|value| usable(value));
        let seen = {
            let known = self.known();
            if let Some(value) = usable(&known) {
                return Ok(value);
            }
            known.fetches
        };
        let _flight = tokio::select! {
            biased;
            () = ctx.cancellation().cancelled() => return Err(E::cancelled()),
            flight = self.flight.lock() => flight,
        };
        {
            let known = self.known();
            let landed = known.value.clone().filter(|_| known.landed && known.fetches > seen);
            if let Some(value) = landed.or_else(|| usable(&known)) {
                return Ok(value);
            }
            if let Some(failure) =
                known.failure.as_ref().filter(|_| known.fetches > seen).and_then(E::for_others)
            {
                return Err(failure);
            }
        }
        let fetched = fetch.await.map(Arc::new);
        let mut known = self.known();
        known.fetches += 1;
        known.landed = fetched.is_ok();
        match fetched {
            Ok(value) => {
                known.value = Some(Arc::clone(&value));
                known.failure = None;
                Ok(value)
            }
            Err(failure) => {
                known.failure = failure.for_others();
                Err(failure)
            }
        }
    }

    /// Forgets the value when it is still this one.
    pub(crate) fn forget(&self, value: &Arc<T>) {
        let mut known = self.known();
        if known.value.as_ref().is_some_and(|known| Arc::ptr_eq(known, value)) {
            known.value = None;
        }
    }

    /// The value as it is, usable or not.
    pub(crate) fn peek(&self) -> Option<Arc<T>> {
        self.known().value.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known<T, E>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure for VcsError {
    fn cancelled() -> Self {
        Self::Cancelled
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
