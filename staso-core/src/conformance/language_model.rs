//! What every [`LanguageModel`] keeps to.
//!
//! [`keeps_the_contract`] runs all checks; the model must be ready to answer about ten requests. None of the checks
//! depends on what the model says: a real model may be asked, but it costs money.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::agent::{
    DeltaSink, LanguageModel, Message, ModelError, ModelReply, ModelRequest, ToolChoice, ToolSpec,
};
use crate::testing::test_context;

/// How long a model may go on after cancellation.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);

/// All checks of the contract. A failure that is worth a retry is accepted in place of a reply.
///
/// # Panics
/// With a sentence that names the broken promise.
pub async fn keeps_the_contract(model: &dyn LanguageModel) {
    has_an_identity(model);
    answers_whole(model).await;
    names_its_calls(model).await;
    stops_when_cancelled(model).await;
}

/// The id stays, and the limits make sense.
///
/// # Panics
/// When they do not.
pub fn has_an_identity(model: &dyn LanguageModel) {
    assert!(model.id() == model.id(), "a model has one id");
    let limits = model.limits();
    assert!(limits.output_tokens > 0, "{} cannot write", model.id());
    assert!(
        limits.context_tokens >= limits.output_tokens,
        "{} writes more than its window holds",
        model.id()
    );
    assert!(limits == model.limits(), "the limits of {} change", model.id());
}

/// Text comes in pieces that together are the reply, and the tokens are reported or estimated.
///
/// # Panics
/// When the pieces are another text, or nothing is said about tokens.
pub async fn answers_whole(model: &dyn LanguageModel) {
    let messages = [Message::user("Say in one sentence what a linked list is.")];
    let pieces = Pieces::default();
    let request = ModelRequest::new("You answer in one sentence.", &messages).with_deltas(&pieces);
    let Some(reply) = reply(model, &request).await else { return };
    let streamed = pieces.joined();
    assert!(
        streamed.is_empty() || streamed == reply.text,
        "{} streams another text than it returns: {streamed:?}, {:?}",
        model.id(),
        reply.text
    );
    assert!(reply.usage.input > 0, "{} does not say how much it read", model.id());
    let wrote = !reply.text.is_empty() || !reply.calls.is_empty();
    assert!(!wrote || reply.usage.output > 0, "{} does not say how much it wrote", model.id());
    assert!(
        reply.usage.cached_input <= reply.usage.input,
        "{} read more from its cache than at all",
        model.id()
    );
}

/// Calls can be told apart and answered.
///
/// # Panics
/// When a call has no id, or two have the same.
pub async fn names_its_calls(model: &dyn LanguageModel) {
    let spec = sample_tool();
    let messages = [Message::user("What is the weather in Prague and in Brno?")];
    for choice in [ToolChoice::Auto, ToolChoice::Required, ToolChoice::Named("weather")] {
        let tools = [&spec];
        let request = ModelRequest::new("You use tools.", &messages).with_tools(&tools, choice);
        let Some(reply) = reply(model, &request).await else { continue };
        let mut ids = BTreeSet::new();
        for call in &reply.calls {
            assert!(!call.id.is_empty(), "a call of {} has no id", model.id());
            assert!(ids.insert(&call.id), "two calls of {} have the id {}", model.id(), call.id);
            assert!(!call.name.is_empty(), "a call of {} has no name", model.id());
        }
    }
}

/// A cancelled run gets no answer, and soon.
///
/// # Panics
/// When the model goes on.
pub async fn stops_when_cancelled(model: &dyn LanguageModel) {
    let messages = [Message::user("Count to a million.")];
    let request = ModelRequest::new("You count.", &messages);
    let token = CancellationToken::new();
    token.cancel();
    let ctx = test_context().with_cancellation(token);
    let ended = tokio::time::timeout(CANCEL_LIMIT, model.complete(&request, &ctx)).await;
    assert!(
        matches!(ended, Ok(Err(ModelError::Cancelled))),
        "{} goes on in a run that was cancelled before",
        model.id()
    );
    let token = CancellationToken::new();
    let ctx = test_context().with_cancellation(token.clone());
    let cancel = async {
        tokio::task::yield_now().await;
        token.cancel();
    };
    let both = async { tokio::join!(model.complete(&request, &ctx), cancel).0 };
    match tokio::time::timeout(CANCEL_LIMIT, both).await {
        Ok(Ok(_) | Err(ModelError::Cancelled)) => {}
        // What had failed before the cancellation was seen.
        Ok(Err(error)) if error.is_retryable() => {}
        Ok(Err(error)) => panic!("{} fails when it is cancelled: {error}", model.id()),
        Err(_) => panic!("{} goes on after it was cancelled", model.id()),
    }
}

/// The key of a model is not in what a log may hold of it. For models that have one.
///
/// # Panics
/// When it is.
pub fn hides_its_key(model: &dyn LanguageModel, key: &str) {
    assert!(!key.is_empty(), "a check needs the key");
    assert!(!format!("{model:?} {model:#?} {}", model.id()).contains(key), "{} shows its key", model.id());
}

async fn reply(model: &dyn LanguageModel, request: &ModelRequest<'_>) -> Option<ModelReply> {
    match model.complete(request, &test_context()).await {
        Ok(reply) => Some(reply),
        Err(error) if error.is_retryable() => None,
        Err(error) => panic!("{} does not answer: {error}", model.id()),
    }
}

fn sample_tool() -> ToolSpec {
    let parameters = json!({
        "type": "object",
        "properties": { "city": { "type": "string" } },
        "required": ["city"],
        "additionalProperties": false,
    });
    let description = "Says what the weather is in a city".to_owned();
    ToolSpec { name: "weather".to_owned(), description, parameters }
}

#[derive(Debug, Default)]
struct Pieces(Mutex<String>);

impl Pieces {
    fn joined(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl DeltaSink for Pieces {
    fn text(&self, piece: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(piece);
    }

    fn restarted(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
