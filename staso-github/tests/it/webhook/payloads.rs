//! The official payloads, and how a test sends one.

use std::io::Read as _;
use std::sync::OnceLock;
use std::time::Duration;

use flate2::read::GzDecoder;
use ring::hmac;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use staso_core::trace::Timestamp;
use staso_github::webhook::{Delivery, WebhookError, WebhookEvent, WebhookHeaders, WebhookReceiver};

pub(super) const SECRET: &str = "It's a Secret to Everybody";

/// The examples of one event.
#[derive(Deserialize)]
pub(super) struct Examples {
    pub(super) name: String,
    pub(super) examples: Vec<Value>,
}

pub(super) fn all() -> &'static [Examples] {
    static ALL: OnceLock<Vec<Examples>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut text = String::new();
        let packed = include_bytes!("../../official/webhooks/payloads.json.gz").as_slice();
        GzDecoder::new(packed).read_to_string(&mut text).unwrap();
        serde_json::from_str(&text).unwrap()
    })
}

/// The first official payload of an event and action, to be changed by [`Changed::with`].
pub(super) fn official(name: &str, action: &str) -> Changed {
    let of_event = all().iter().find(|event| event.name == name).unwrap();
    let found = of_event.examples.iter().find(|example| example["action"] == action || action.is_empty());
    Changed { name: name.to_owned(), body: found.unwrap().clone() }
}

/// An official payload, some of whose values are others.
#[derive(Clone)]
pub(super) struct Changed {
    pub(super) name: String,
    pub(super) body: Value,
}

impl Changed {
    /// Sets the value at a JSON pointer. Only members that the official payload has can be set.
    pub(super) fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        *self.body.pointer_mut(pointer).unwrap() = value.into();
        self
    }

    /// The event that comes of it when it is delivered, signed.
    pub(super) fn event(&self) -> WebhookEvent {
        event(&self.name, self.body.to_string().as_bytes()).unwrap()
    }
}

pub(super) fn event(name: &str, body: &[u8]) -> Result<WebhookEvent, WebhookError> {
    match receive(&receiver(), name, "1", body, 0)? {
        Delivery::Event { event, .. } => Ok(event),
        other => panic!("{other:?}"),
    }
}

pub(super) fn receiver() -> WebhookReceiver {
    WebhookReceiver::new([SecretString::from(SECRET)]).unwrap()
}

/// A signed delivery, `hours` after some moment.
pub(super) fn receive(
    receiver: &WebhookReceiver,
    name: &str,
    id: &str,
    body: &[u8],
    hours: u64,
) -> Result<Delivery, WebhookError> {
    let signature = sign(SECRET, body);
    let pairs =
        [("X-GitHub-Event", name), ("X-GitHub-Delivery", id), ("X-Hub-Signature-256", signature.as_str())];
    receiver.receive(&WebhookHeaders::from_pairs(pairs), body, at(hours))
}

pub(super) fn at(hours: u64) -> Timestamp {
    "2026-11-22T12:00:00Z".parse::<Timestamp>().unwrap().saturating_add(Duration::from_secs(hours * 3_600))
}

pub(super) fn sign(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let digits: String = hmac::sign(&key, body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}
