//! Where the layer of a client goes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

use crate::capture::{CaptureFilter, RecordLayer, Slot};
use crate::export::{DeliveryReport, Recorder};

/// How long a new client waits for the one whose place it takes.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The slot of the layer in the global subscriber, once there is one.
static GLOBAL: Mutex<Option<Arc<Slot>>> = Mutex::new(None);

/// Whether spans reach the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// The layer is in the global subscriber.
    Yes,
    /// Another global subscriber was there first: compose [`Staso::layer`](crate::Staso::layer) into it.
    No,
    /// Not wanted, or the client is disabled.
    Skipped,
}

#[derive(Debug)]
pub(super) struct Placed {
    pub(super) slot: Arc<Slot>,
    pub(super) installed: Installed,
    pub(super) previous: Option<DeliveryReport>,
}

pub(super) fn place(recorder: Arc<Recorder>, global: bool) -> Placed {
    if !global {
        let slot = Arc::new(Slot::holding(recorder));
        return Placed { slot, installed: Installed::Skipped, previous: None };
    }
    let mut installed_slot = GLOBAL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(slot) = installed_slot.as_ref() {
        let installed = if recorder.is_enabled() { Installed::Yes } else { Installed::Skipped };
        let previous = slot.replace(recorder).map(|previous| previous.shutdown(DRAIN_TIMEOUT));
        return Placed { slot: slot.clone(), installed, previous };
    }
    let is_enabled = recorder.is_enabled();
    let slot = Arc::new(Slot::holding(recorder));
    if !is_enabled {
        return Placed { slot, installed: Installed::Skipped, previous: None };
    }
    let layer = RecordLayer::new(slot.clone()).with_filter(CaptureFilter);
    let subscriber = tracing_subscriber::registry().with(layer);
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        *installed_slot = Some(slot.clone());
        return Placed { slot, installed: Installed::Yes, previous: None };
    }
    tracing::warn!(
        target: "staso",
        "another tracing subscriber is set, so nothing is recorded yet; compose `Staso::layer()` into it"
    );
    Placed { slot, installed: Installed::No, previous: None }
}
