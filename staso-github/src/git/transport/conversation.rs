//! One conversation of libgit2 with a server: what it is asked, what it is told, and how its failures are sorted.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use git2::{Cred, ErrorClass, ErrorCode, RemoteCallbacks};
use secrecy::ExposeSecret as _;
use staso_core::id::CommitId;
use staso_core::redaction::Redactor;
use tokio_util::sync::CancellationToken;

use super::complaint::{Scrubber, of_status};
use super::{Pushed, Remote, TransportError, check_size};
use crate::credentials::GitCredentials;
use crate::limits::GitLimits;

/// What is kept of a server's words, in bytes.
const SAID_BYTES: usize = 64 << 10;
/// How many objects arrive between two looks at the size of the repository.
const OBJECTS_A_LOOK: usize = 256;

/// What happened so far.
#[derive(Debug, Default)]
struct State {
    asked_for_credentials: u32,
    said: Vec<u8>,
    too_large: Option<TransportError>,
    /// Why a push ended before anything was sent: the branch is there, or nothing was to be sent.
    taken: bool,
    refused: Option<String>,
}

/// A conversation. Its callbacks run on libgit2's thread.
pub(super) struct Conversation {
    /// Where credentials may go.
    origin: String,
    credentials: Option<GitCredentials>,
    scrubber: Scrubber,
    stop: CancellationToken,
    directory: Option<PathBuf>,
    limits: GitLimits,
    state: Mutex<State>,
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Conversation {
    /// `url` is what libgit2 is given; `directory` is where a fetch goes.
    pub(super) fn new(
        remote: &Remote<'_>,
        url: &str,
        redactor: &Redactor,
        stop: CancellationToken,
        directory: Option<&Path>,
        limits: &GitLimits,
    ) -> Self {
        let path = url.find("://").and_then(|at| Some(at + 3 + url.get(at + 3..)?.find('/')?));
        Self {
            origin: url.get(..path.unwrap_or(url.len())).unwrap_or_default().to_owned(),
            credentials: remote.credentials.cloned(),
            scrubber: Scrubber::new(remote.credentials, redactor),
            stop,
            directory: directory.map(Path::to_owned),
            limits: limits.clone(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The callbacks of every conversation.
    pub(super) fn callbacks(&self) -> RemoteCallbacks<'_> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(|url, _, _| self.answer_credentials(url));
        callbacks.sideband_progress(|text| {
            let said = &mut self.state().said;
            let room = SAID_BYTES.saturating_sub(said.len());
            said.extend_from_slice(text.get(..room).unwrap_or(text));
            !self.stop.is_cancelled()
        });
        callbacks.transfer_progress(|progress| {
            let look = progress.received_objects() % OBJECTS_A_LOOK == 0;
            !self.stop.is_cancelled() && self.fits(progress.received_bytes(), look)
        });
        callbacks
    }

    /// Those of a push, which stops before anything is sent when the server already has the branch.
    pub(super) fn push_callbacks(&self) -> RemoteCallbacks<'_> {
        let mut callbacks = self.callbacks();
        callbacks.push_negotiation(|updates| {
            if self.stop.is_cancelled() {
                return Err(git2::Error::from_str("cancelled"));
            }
            if updates.iter().any(|update| !update.src().is_zero()) {
                self.state().taken = true;
                return Err(git2::Error::from_str("the branch is there"));
            }
            Ok(())
        });
        callbacks.push_update_reference(|_, status| {
            self.state().refused = status.map(str::to_owned);
            Ok(())
        });
        callbacks
    }

    /// Those of a push that stops as soon as the server let it in.
    pub(super) fn preflight_callbacks(&self) -> RemoteCallbacks<'_> {
        let mut callbacks = self.callbacks();
        callbacks.push_negotiation(|_| {
            self.state().taken = true;
            Err(git2::Error::from_str("far enough"))
        });
        callbacks
    }

    /// libgit2 asks again and again when a server refuses; the second question is an answer.
    fn answer_credentials(&self, url: &str) -> Result<Cred, git2::Error> {
        let mut state = self.state();
        state.asked_for_credentials += 1;
        let ours = url
            .strip_prefix(self.origin.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match &self.credentials {
            Some(credentials) if ours && state.asked_for_credentials == 1 => {
                Cred::userpass_plaintext(&credentials.username, credentials.password.expose_secret())
            }
            _ => Err(git2::Error::new(ErrorCode::Auth, ErrorClass::Http, "no other credentials")),
        }
    }

    /// Whether what arrived is within the limit; with `look` also what was there before.
    fn fits(&self, received_bytes: usize, look: bool) -> bool {
        let Some(directory) = &self.directory else { return true };
        let received = u64::try_from(received_bytes).unwrap_or(u64::MAX);
        let fits = if received > self.limits.mirror_bytes {
            Err(TransportError::over_the_limit(&self.limits))
        } else if look {
            check_size(directory, &self.limits)
        } else {
            Ok(())
        };
        fits.map_err(|error| self.state().too_large = Some(error)).is_ok()
    }

    /// The value, or why there is none.
    pub(super) fn check<T>(&self, result: Result<T, git2::Error>) -> Result<T, TransportError> {
        result.map_err(|error| self.failure(&error, None))
    }

    /// What a failure means. `commit` is what was asked for by id.
    pub(super) fn failure(&self, error: &git2::Error, commit: Option<&CommitId>) -> TransportError {
        let mut state = self.state();
        if self.stop.is_cancelled() {
            return TransportError::Cancelled;
        }
        if let Some(too_large) = state.too_large.take() {
            return too_large;
        }
        if state.asked_for_credentials > 0 && error.code() == ErrorCode::Auth {
            return of_status(401, self.credentials.is_some(), String::new());
        }
        let text = error.message();
        let reason = self.scrubber.readable(text);
        let status =
            text.split_once("unexpected http status code: ").and_then(|(_, code)| code.trim().parse().ok());
        if let Some(status) = status {
            return of_status(status, self.credentials.is_some(), format!("HTTP {status}"));
        }
        match (error.class(), error.code()) {
            (_, ErrorCode::Certificate) | (ErrorClass::Ssl, _) => TransportError::Untrusted { reason },
            _ if text.contains("redirect") => TransportError::Moved,
            _ if text.contains("cannot fetch a specific object") => TransportError::ShaWantsRefused,
            // libgit2 does not show the server's "not our ref".
            (ErrorClass::Net, _)
                if text.contains("unexpected packet type") || text.contains("not our ref") =>
            {
                match commit {
                    Some(commit) => TransportError::UnknownCommit { commit: commit.clone() },
                    None => TransportError::Unusable { reason },
                }
            }
            (ErrorClass::Net, _) if text.contains("shallow") => TransportError::ShallowRefused,
            (ErrorClass::Os, _) if text.contains("failed to resolve path") => TransportError::NotFound,
            (ErrorClass::Http, _) if text.contains("content-type") => TransportError::Unusable { reason },
            (ErrorClass::Net | ErrorClass::Http | ErrorClass::Os, _) => {
                TransportError::Unreachable { reason }
            }
            _ => TransportError::Failed { reason },
        }
    }

    /// How a push ended.
    pub(super) fn settle_push(&self, pushed: Result<(), git2::Error>) -> Result<Pushed, TransportError> {
        let refused = {
            let mut state = self.state();
            if state.taken {
                return Ok(Pushed::Taken);
            }
            state.refused.take().map(|status| (status, String::from_utf8_lossy(&state.said).into_owned()))
        };
        match refused {
            Some((status, _)) if status.contains("shallow update not allowed") => {
                Err(TransportError::ShallowRefused)
            }
            Some((status, said)) => {
                let reason = match said.trim() {
                    "" => self.scrubber.readable(&status),
                    said => format!("{}: {}", self.scrubber.readable(&status), self.scrubber.readable(said)),
                };
                Err(TransportError::Rejected { reason })
            }
            None => self.check(pushed).map(|()| Pushed::Created),
        }
    }
}
