//! A model that says what the test tells it to.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::SeenRequest;
use super::pieces::{estimated_usage, stream};
use crate::agent::{
    LanguageModel, ModelError, ModelId, ModelLimits, ModelReply, ModelRequest, TokenUsage, ToolCall,
};
use crate::run::RunContext;

type Answer = dyn Fn(&SeenRequest) -> Result<ModelReply, ModelError> + Send + Sync;

/// A call with these arguments. The [`ScriptedModel`] gives it an id.
#[must_use]
pub fn tool_call(name: &str, arguments: &Value) -> ToolCall {
    ToolCall { id: String::new(), name: name.to_owned(), arguments: arguments.to_string() }
}

/// A model that plays a script, step by step, and keeps every request. Clones share script and requests.
///
/// Text is streamed in small pieces. Calls without an id get one, `call_<request>_<call>`; a reply without usage gets an
/// estimate. When the script is over, requests fail with [`ModelError::Backend`], whose source says so.
///
/// ```
/// # use staso_core::testing::ScriptedModel;
/// # use serde_json::json;
/// let model = ScriptedModel::new()
///     .then_call("read_file", &json!({ "path": "a.py" }))
///     .then_with(|request| {
///         assert!(request.last_result().contains("def"));
///         Ok(staso_core::agent::ModelReply::text("I have read it"))
///     });
/// # assert_eq!(model.steps_left(), 2);
/// ```
#[derive(Clone)]
pub struct ScriptedModel {
    id: ModelId,
    limits: ModelLimits,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    steps: VecDeque<Step>,
    /// Answers everything after the steps.
    forever: Option<Arc<Answer>>,
    seen: Vec<SeenRequest>,
}

#[derive(Clone)]
enum Step {
    Answer(Arc<Answer>),
    Hang,
}

impl ScriptedModel {
    /// A model named `scripted/model` with an empty script and default limits.
    ///
    /// # Panics
    /// Never: the id is valid.
    #[must_use]
    pub fn new() -> Self {
        let Ok(id) = ModelId::new("scripted/model") else { panic!("the id is valid") };
        Self { id, limits: ModelLimits::default(), script: Arc::default() }
    }

    /// Sets the name.
    #[must_use]
    pub fn with_id(mut self, id: ModelId) -> Self {
        self.id = id;
        self
    }

    /// Sets what one call can hold.
    #[must_use]
    pub const fn with_limits(mut self, limits: ModelLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Answers the next request with this reply.
    #[must_use]
    pub fn then(self, reply: ModelReply) -> Self {
        self.then_with(move |_| Ok(reply.clone()))
    }

    /// Answers the next request with one call.
    #[must_use]
    pub fn then_call(self, name: &str, arguments: &Value) -> Self {
        self.then(ModelReply::calls(vec![tool_call(name, arguments)]))
    }

    /// Answers the next request with several calls.
    #[must_use]
    pub fn then_calls(self, calls: Vec<ToolCall>) -> Self {
        self.then(ModelReply::calls(calls))
    }

    /// Answers the next request with text.
    #[must_use]
    pub fn then_text(self, text: impl Into<String>) -> Self {
        self.then(ModelReply::text(text))
    }

    /// Answers the next request with whatever the function makes of it.
    #[must_use]
    pub fn then_with(
        self,
        answer: impl Fn(&SeenRequest) -> Result<ModelReply, ModelError> + Send + Sync + 'static,
    ) -> Self {
        self.lock().steps.push_back(Step::Answer(Arc::new(answer)));
        self
    }

    /// Never answers the next request, even when the run is cancelled. Breaks the contract of [`LanguageModel`] on
    /// purpose.
    #[must_use]
    pub fn then_hang(self) -> Self {
        self.lock().steps.push_back(Step::Hang);
        self
    }

    /// Answers all requests after the steps.
    #[must_use]
    pub fn forever(
        self,
        answer: impl Fn(&SeenRequest) -> Result<ModelReply, ModelError> + Send + Sync + 'static,
    ) -> Self {
        self.lock().forever = Some(Arc::new(answer));
        self
    }

    /// The requests so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.lock().seen.clone()
    }

    /// Steps of the script that were not played.
    #[must_use]
    pub fn steps_left(&self) -> usize {
        self.lock().steps.len()
    }

    /// Keeps the request and takes the next step. Returns the number of the request, from 1.
    fn next(&self, request: &SeenRequest) -> (usize, Option<Step>) {
        let mut script = self.lock();
        script.seen.push(request.clone());
        let step = script.steps.pop_front().or_else(|| script.forever.clone().map(Step::Answer));
        (script.seen.len(), step)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ScriptedModel {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ScriptedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.lock();
        f.debug_struct("ScriptedModel")
            .field("id", &self.id)
            .field("steps_left", &script.steps.len())
            .field("requests", &script.seen.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl LanguageModel for ScriptedModel {
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
        let seen = SeenRequest::of(request);
        let (number, step) = self.next(&seen);
        let mut reply = match step {
            None => return Err(script_is_over(number)),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Answer(answer)) => answer(&seen)?,
        };
        stream(&reply.text, request);
        for (at, call) in reply.calls.iter_mut().enumerate().filter(|(_, call)| call.id.is_empty()) {
            call.id = format!("call_{number}_{}", at + 1);
        }
        if reply.usage == TokenUsage::default() {
            reply.usage = estimated_usage(&reply, request);
        }
        Ok(reply)
    }
}

fn script_is_over(number: usize) -> ModelError {
    let steps = number - 1;
    ModelError::Backend {
        provider: "scripted",
        operation: "answering a request after the end of the script",
        source: format!("the script has {steps} steps, and request {number} came").into(),
    }
}
