//! A sink that keeps everything.

use std::sync::{Arc, Mutex, PoisonError};

use crate::run::{EventSink, RunEvent};

/// Keeps every event. Clones share what they keep.
#[derive(Debug, Clone, Default)]
pub struct MemorySink {
    events: Arc<Mutex<Vec<RunEvent>>>,
}

impl MemorySink {
    /// The events so far, in order.
    #[must_use]
    pub fn events(&self) -> Vec<RunEvent> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The events as `transcript.jsonl` holds them: one JSON text a line.
    #[must_use]
    pub fn transcript(&self) -> String {
        let line = |event: &RunEvent| serde_json::to_string(event).unwrap_or_default() + "\n";
        self.events().iter().map(line).collect()
    }
}

impl EventSink for MemorySink {
    fn emit(&self, event: &RunEvent) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
    }
}
