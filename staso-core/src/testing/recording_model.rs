//! A model that is recorded.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{Cassette, SeenRequest, Take};
use crate::agent::{LanguageModel, ModelError, ModelId, ModelLimits, ModelReply, ModelRequest};
use crate::redaction::Redactor;
use crate::run::RunContext;

/// Passes requests on and keeps them with their replies. Failures are passed on but not kept. Clones share the cassette.
#[derive(Debug, Clone)]
pub struct RecordingModel<M> {
    inner: M,
    redactor: Redactor,
    cassette: Arc<Mutex<Cassette>>,
}

impl<M: LanguageModel> RecordingModel<M> {
    /// Records a model. What is kept is redacted.
    pub fn new(inner: M, redactor: Redactor) -> Self {
        let cassette = Cassette::new(inner.id().clone(), inner.limits());
        Self { inner, redactor, cassette: Arc::new(Mutex::new(cassette)) }
    }

    /// What was recorded so far.
    #[must_use]
    pub fn cassette(&self) -> Cassette {
        self.cassette.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl<M: LanguageModel> LanguageModel for RecordingModel<M> {
    fn id(&self) -> &ModelId {
        self.inner.id()
    }

    fn limits(&self) -> ModelLimits {
        self.inner.limits()
    }

    async fn complete(&self, request: &ModelRequest<'_>, ctx: &RunContext) -> Result<ModelReply, ModelError> {
        let reply = self.inner.complete(request, ctx).await?;
        let take = Take::new(&SeenRequest::of(request), &reply, &self.redactor);
        self.cassette.lock().unwrap_or_else(PoisonError::into_inner).takes.push(take);
        Ok(reply)
    }
}
