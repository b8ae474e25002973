//! From a request to an event.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use staso_core::trace::Timestamp;

use super::event::{self, WebhookEvent};
use super::replay::ReplayWindow;
use super::secrets::Secrets;
use super::{WebhookError, WebhookHeaders, WebhookSecretError};

/// A delivery that GitHub signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// It is new.
    Event {
        /// Its id, for [`WebhookReceiver::forget`].
        id: String,
        /// What happened.
        event: WebhookEvent,
    },
    /// It came before: answer 200 and do nothing.
    Replayed {
        /// Its id.
        id: String,
    },
}

/// Checks deliveries and reads them. Share one between all requests: it remembers what came before.
#[derive(Debug)]
pub struct WebhookReceiver {
    secrets: Secrets,
    max_bytes: usize,
    seen: Mutex<ReplayWindow>,
}

impl WebhookReceiver {
    /// Longest body by default, in bytes: GitHub sends none that is longer.
    pub const DEFAULT_MAX_BYTES: usize = 25 << 20;
    /// Deliveries remembered by default.
    pub const DEFAULT_REPLAY_DELIVERIES: usize = 10_000;
    /// How long deliveries are remembered by default: GitHub delivers nothing again that is older than three days.
    pub const DEFAULT_REPLAY_AGE: Duration = Duration::from_secs(72 * 60 * 60);

    /// A receiver that believes deliveries signed with any of the secrets: one, or while it is being changed the new and
    /// the old one. Line breaks at the end of a secret are not part of it.
    ///
    /// # Errors
    /// When there is no secret, or one is blank.
    pub fn new(secrets: impl IntoIterator<Item = SecretString>) -> Result<Self, WebhookSecretError> {
        Ok(Self {
            secrets: Secrets::new(secrets)?,
            max_bytes: Self::DEFAULT_MAX_BYTES,
            seen: Mutex::new(ReplayWindow::new(Self::DEFAULT_REPLAY_DELIVERIES, Self::DEFAULT_REPLAY_AGE)),
        })
    }

    /// Sets the longest body, in bytes. Let the web server hold requests to it too.
    #[must_use]
    pub const fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how many deliveries are remembered, and for how long. Call it before the first delivery.
    #[must_use]
    pub fn with_replay_window(mut self, deliveries: usize, age: Duration) -> Self {
        self.seen = Mutex::new(ReplayWindow::new(deliveries, age));
        self
    }

    /// Checks a delivery and reads it. `body` is the body as it came, byte for byte; `now` comes from the host's clock.
    ///
    /// Nothing of the body is read before its signature fits. What is remembered of a delivery lives in this receiver
    /// alone: it ends with the process, and other processes do not know of it.
    ///
    /// # Errors
    /// When the delivery is to be refused, with [`WebhookError::status`].
    pub fn receive(
        &self,
        headers: &WebhookHeaders,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Delivery, WebhookError> {
        if body.len() > self.max_bytes {
            return Err(WebhookError::TooLarge { bytes: body.len(), limit: self.max_bytes });
        }
        let signature = match &headers.signature_256 {
            Some(header) => self.secrets.verify(header, body).ok_or(WebhookError::BadSignature)?,
            None if headers.has_sha1_signature => return Err(WebhookError::Sha1Only),
            None => return Err(WebhookError::Unsigned),
        };
        let name = required(headers.event.as_deref(), "X-GitHub-Event")?;
        let id = required(headers.delivery.as_deref(), "X-GitHub-Delivery")?.to_owned();
        if headers.content_type.as_deref().is_some_and(is_form) {
            return Err(WebhookError::Form);
        }
        let event = event::parse(name, body).map_err(|error| WebhookError::Malformed {
            event: name.to_owned(),
            line: error.line(),
            column: error.column(),
        })?;
        let fresh = self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(&id, signature, now);
        Ok(if fresh { Delivery::Event { id, event } } else { Delivery::Replayed { id } })
    }

    /// Forgets a delivery: call it when handling it failed, so that it counts when GitHub is told to deliver it again.
    pub fn forget(&self, id: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).forget(id);
    }
}

fn required<'a>(value: Option<&'a str>, name: &'static str) -> Result<&'a str, WebhookError> {
    value.ok_or(WebhookError::MissingHeader { name })
}

fn is_form(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
