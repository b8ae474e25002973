//! Reading a reply from the raw pieces of the wire.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use genai::chat::{ChatFrameSink, FrameCtx, RawFrameRef};
use staso_core::agent::ModelError;

use super::wire::Reader;

/// A reply in the making, shared with the client that hands over the pieces.
///
/// The reply is read from the pieces as they are, not from what `genai` makes of them: that has no room for refusals,
/// for why a reply is incomplete, and for arguments that are not JSON.
#[derive(Clone)]
pub(super) struct Frames(Arc<Mutex<State>>);

struct State {
    reader: Reader,
    failure: Option<ModelError>,
}

impl Frames {
    pub(super) fn new(reader: Reader) -> Self {
        Self(Arc::new(Mutex::new(State { reader, failure: None })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The text that came since the last call.
    pub(super) fn take_text(&self) -> Option<String> {
        self.lock().reader.take_text()
    }

    /// Whether nothing more is to be read.
    pub(super) fn is_over(&self) -> bool {
        let state = self.lock();
        state.failure.is_some() || state.reader.is_complete()
    }

    /// What came of it: the reader when the reply is whole, or why it is not.
    pub(super) fn finish(&self, otherwise: Option<ModelError>) -> Result<Reader, ModelError> {
        let mut state = self.lock();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        if state.reader.may_end() {
            return Ok(std::mem::take(&mut state.reader));
        }
        Err(otherwise.unwrap_or(ModelError::Network { what: "the reply ended early" }))
    }
}

impl ChatFrameSink for Frames {
    fn on_frame(&self, _ctx: &FrameCtx, frame: RawFrameRef<'_>) {
        let mut state = self.lock();
        if state.failure.is_none()
            && let Err(failure) = state.reader.frame(frame.data)
        {
            state.failure = Some(failure);
        }
    }
}
