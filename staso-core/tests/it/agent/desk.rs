//! What the tests of the loop work with: tools made of closures, and a desk that runs an agent with them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::{Value, json};
use staso_core::agent::{
    AgentError, AgentLimits, AgentLoop, AgentRun, LanguageModel, Message, PriceTable, Tool, ToolError,
    ToolProblem, ToolProblemCode, ToolReply, ToolScope, ToolSpec,
};
use staso_core::redaction::Redactor;
use staso_core::run::{EventKind, RunContext};
use staso_core::testing::{MemorySink, test_context};

type Act = dyn Fn(&Value) -> Result<ToolReply, ToolError> + Send + Sync;

/// A tool that does what a closure says, and counts its calls.
pub(crate) struct ClosureTool {
    spec: ToolSpec,
    act: Option<Arc<Act>>,
    calls: Arc<AtomicUsize>,
}

impl ClosureTool {
    pub(crate) fn new(
        name: &str,
        act: impl Fn(&Value) -> Result<ToolReply, ToolError> + Send + Sync + 'static,
    ) -> Self {
        Self { spec: spec(name), act: Some(Arc::new(act)), calls: Arc::default() }
    }

    /// Never returns and looks at no cancellation.
    pub(crate) fn hanging(name: &str) -> Self {
        Self { spec: spec(name), act: None, calls: Arc::default() }
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn spec(name: &str) -> ToolSpec {
    let parameters = json!({
        "type": "object",
        "properties": { "path": { "type": "string" } },
        "additionalProperties": false,
    });
    ToolSpec { name: name.to_owned(), description: format!("does {name}"), parameters }
}

impl fmt::Debug for ClosureTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosureTool").field("name", &self.spec.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Tool for ClosureTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(
        &self,
        arguments: Value,
        _scope: &ToolScope<'_>,
        _ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match &self.act {
            Some(act) => act(&arguments),
            None => std::future::pending().await,
        }
    }
}

/// Echoes its path, numbered so that no two results are the same.
pub(crate) fn look() -> ClosureTool {
    let count = AtomicUsize::new(0);
    ClosureTool::new("look", move |arguments| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(ToolReply::Text(format!("look {number}: {}", arguments["path"].as_str().unwrap_or("."))))
    })
}

/// Accepts everything.
pub(crate) fn submit() -> ClosureTool {
    ClosureTool::new("submit", |_| Ok(ToolReply::Accepted("accepted".to_owned())))
}

/// Refuses a given number of submissions before it accepts one.
pub(crate) fn strict_submit(refusals: usize) -> ClosureTool {
    let count = AtomicUsize::new(0);
    ClosureTool::new("submit", move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        if number < refusals {
            let message = format!("refusal {number}");
            return Err(ToolProblem::new(ToolProblemCode::NoMatch, message).into());
        }
        Ok(ToolReply::Accepted("accepted".to_owned()))
    })
}

/// Runs agents and keeps their events.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) ctx: RunContext,
    pub(crate) sink: MemorySink,
    pub(crate) limits: AgentLimits,
    pub(crate) prices: Option<PriceTable>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self::with(test_context())
    }

    pub(crate) fn with(ctx: RunContext) -> Self {
        let sink = MemorySink::default();
        let ctx = ctx.with_sinks(vec![Arc::new(sink.clone())]);
        Self { ctx, sink, limits: AgentLimits::default(), prices: None }
    }

    pub(crate) fn limits(mut self, limits: AgentLimits) -> Self {
        self.limits = limits;
        self
    }

    pub(crate) async fn try_run(
        &self,
        model: &dyn LanguageModel,
        tools: &[&dyn Tool],
    ) -> Result<AgentRun, AgentError> {
        let redactor = Redactor::default();
        let mut agent =
            AgentLoop::new("deep", model, "You look for causes.", "submit", &self.limits, &redactor)
                .with_tools(tools.to_vec());
        if let Some(prices) = &self.prices {
            agent = agent.with_prices(prices);
        }
        agent.run(vec![Message::user("Find out why.")], &self.ctx).await
    }

    pub(crate) async fn run(&self, model: &dyn LanguageModel, tools: &[&dyn Tool]) -> AgentRun {
        self.try_run(model, tools).await.unwrap()
    }

    pub(crate) fn events(&self) -> Vec<EventKind> {
        self.sink.events().into_iter().map(|event| event.event).collect()
    }
}
