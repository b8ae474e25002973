//! A model of your own: here one that knows a single answer by heart. Yours would call a server inside your network, or
//! weights in this process.
//!
//! This program checks it against the contract and asks it, so it needs no account and no network.

use std::error::Error;
use std::io::Write as _;

use async_trait::async_trait;
use staso_core::agent::{
    LanguageModel, Message, ModelError, ModelId, ModelLimits, ModelReply, ModelRequest, TokenUsage,
};
use staso_core::conformance::language_model;
use staso_core::run::RunContext;
use staso_core::testing::test_context;

/// Says what it knows, word by word.
#[derive(Debug)]
struct ByHeart {
    id: ModelId,
    answer: &'static str,
}

#[async_trait]
impl LanguageModel for ByHeart {
    fn id(&self) -> &ModelId {
        &self.id
    }

    fn limits(&self) -> ModelLimits {
        ModelLimits::new(8_000, 1_000)
    }

    async fn complete(&self, request: &ModelRequest<'_>, ctx: &RunContext) -> Result<ModelReply, ModelError> {
        if ctx.is_cancelled() {
            return Err(ModelError::Cancelled);
        }
        if request.estimated_tokens() > self.limits().context_tokens {
            return Err(ModelError::ContextLength);
        }
        // Whoever watches the run sees the reply while it is being made.
        for word in self.answer.split_inclusive(' ') {
            request.deltas.text(word);
            tokio::task::yield_now().await;
        }
        // A model that does not count says so: limits are kept on estimates then.
        let written = u64::try_from(self.answer.len().div_ceil(4)).unwrap_or(u64::MAX);
        let usage = TokenUsage::estimated(request.estimated_tokens(), written);
        Ok(ModelReply::text(self.answer).with_usage(usage))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let model = ByHeart { id: ModelId::new("house/by-heart")?, answer: "Read the error before the code." };

    // Panics with a sentence when the model breaks a promise. In your own crate this stands in a test.
    language_model::keeps_the_contract(&model).await;

    let messages = [Message::user("Where do I begin?")];
    let reply = model.complete(&ModelRequest::new("You give advice.", &messages), &test_context()).await?;
    writeln!(std::io::stdout().lock(), "{}: {}", model.id(), reply.text)?;
    Ok(())
}
