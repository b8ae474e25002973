//! A diagnoser that says what the test tells it to.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::diagnosis::{DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis};
use crate::id::TraceId;
use crate::run::RunContext;

/// Gives the same diagnosis for every trace, and remembers which traces it was asked about. Clones share their memory.
#[derive(Debug, Clone)]
pub struct FixedDiagnoser {
    diagnosis: Diagnosis,
    asked: Arc<Mutex<Vec<TraceId>>>,
}

impl FixedDiagnoser {
    /// Always says this.
    #[must_use]
    pub fn new(diagnosis: Diagnosis) -> Self {
        Self { diagnosis, asked: Arc::default() }
    }

    /// The traces it was asked about, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<TraceId> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Diagnoser for FixedDiagnoser {
    fn name(&self) -> &str {
        "fixed"
    }

    async fn diagnose(
        &self,
        request: &DiagnoseRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Diagnosis, DiagnoseError> {
        if ctx.is_cancelled() {
            return Err(DiagnoseError::Cancelled);
        }
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(request.trace.trace().trace_id);
        Ok(self.diagnosis.clone())
    }
}
