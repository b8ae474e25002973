//! Seeing what a model would be sent.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use staso_core::agent::{
    LanguageModel, ModelError, ModelId, ModelLimits, ModelReply, ModelRequest, ToolChoice,
};
use staso_core::run::RunContext;

/// Takes a request that is not sent.
type Show = Arc<dyn Fn(&Value) + Send + Sync>;

/// Shows what a model would be sent, and sends nothing: every call is answered with an error that says so.
///
/// What is shown is the request as Staso made it, redacted as it would leave: `system`, `messages`, `tools`,
/// `tool_choice`, `max_output_tokens`, `temperature` and `seed`. A provider's wire gives the same content another form.
#[derive(Clone)]
pub struct PreviewModel {
    id: ModelId,
    limits: ModelLimits,
    show: Show,
}

/// The request was shown instead of sent.
#[derive(Debug, thiserror::Error)]
#[error("the request was shown and not sent")]
struct NotSent;

impl PreviewModel {
    /// Stands for the model `id` and hands every request to `show`, as JSON.
    pub fn new(id: ModelId, limits: ModelLimits, show: impl Fn(&Value) + Send + Sync + 'static) -> Self {
        Self { id, limits, show: Arc::new(show) }
    }

    /// Stands for the model `id` and writes every request to `out`, as indented JSON and a line break. What cannot be
    /// written is lost.
    pub fn writing(id: ModelId, limits: ModelLimits, out: impl Write + Send + 'static) -> Self {
        let out = Mutex::new(out);
        Self::new(id, limits, move |request| {
            let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
            let written = writeln!(out, "{request:#}").and_then(|()| out.flush());
            drop(written);
        })
    }
}

impl fmt::Debug for PreviewModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreviewModel").field("id", &self.id).finish_non_exhaustive()
    }
}

#[async_trait]
impl LanguageModel for PreviewModel {
    fn id(&self) -> &ModelId {
        &self.id
    }

    fn limits(&self) -> ModelLimits {
        self.limits
    }

    async fn complete(&self, request: &ModelRequest<'_>, ctx: &RunContext) -> Result<ModelReply, ModelError> {
        if ctx.is_cancelled() {
            return Err(ModelError::Cancelled);
        }
        (self.show)(&shown(request));
        Err(ModelError::Backend { provider: "preview", operation: "complete", source: Box::new(NotSent) })
    }
}

fn shown(request: &ModelRequest<'_>) -> Value {
    let choice = match request.tool_choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({ "tool": name }),
    };
    json!({
        "system": request.system,
        "messages": request.messages,
        "tools": request.tools,
        "tool_choice": choice,
        "max_output_tokens": request.max_output_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
    })
}
