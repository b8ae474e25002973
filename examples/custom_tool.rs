//! A tool of your own for the agents: here one that knows who deployed what, which no checkout tells.
//!
//! In a run, hand it over with `AgentOptions::with_tool`. This program checks it against the contract and lets a scripted
//! model use it, so it needs no account and no sandbox.

use std::error::Error;
use std::io::Write as _;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use staso_core::agent::{
    AgentEnd, AgentLimits, AgentLoop, Message, Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply,
    ToolScope, ToolSpec,
};
use staso_core::conformance::tool;
use staso_core::redaction::Redactor;
use staso_core::run::RunContext;
use staso_core::testing::{ScriptedModel, test_context};

/// What the team's deployment log says of a service.
#[derive(Debug)]
struct Deployments {
    spec: ToolSpec,
    log: Vec<(&'static str, &'static str)>,
}

/// Arguments come from a model: say what they are, refuse the rest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The service, e.g. `billing`.
    service: String,
}

impl Deployments {
    fn new(log: Vec<(&'static str, &'static str)>) -> Self {
        let spec = ToolSpec::of::<Arguments>(
            "deployments",
            "Lists what was deployed of a service in the last days, newest first.",
        );
        Self { spec, log }
    }
}

#[async_trait]
impl Tool for Deployments {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(
        &self,
        arguments: Value,
        _scope: &ToolScope<'_>,
        ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        if ctx.is_cancelled() {
            return Err(ToolError::Cancelled);
        }
        let Arguments { service } = self.spec.arguments(arguments)?;
        let found: Vec<_> =
            self.log.iter().filter(|(name, _)| *name == service).map(|(_, what)| *what).collect();
        if found.is_empty() {
            // The model reads this and may try again.
            let problem = ToolProblem::new(ToolProblemCode::NoMatch, "no service of this name was deployed");
            return Err(problem.with_hint("there are billing and search").into());
        }
        Ok(ToolReply::Text(found.join("\n")))
    }
}

/// What ends the agent of this example.
#[derive(Debug)]
struct Answer(ToolSpec);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Answered {
    /// The answer, in one sentence.
    text: String,
}

#[async_trait]
impl Tool for Answer {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(
        &self,
        arguments: Value,
        _scope: &ToolScope<'_>,
        _ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        let Answered { text } = self.0.arguments(arguments)?;
        Ok(ToolReply::Accepted(text))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let deployments = Deployments::new(vec![
        ("billing", "2026-11-20 prices in cents"),
        ("search", "2026-11-02 new ranking"),
    ]);

    // Panics with a sentence when the tool breaks a promise. In your own crate this stands in a test.
    tool::keeps_the_contract(&deployments, None).await;

    let model = ScriptedModel::new()
        .then_call("deployments", &json!({"service": "biling"}))
        .then_call("deployments", &json!({"service": "billing"}))
        .then_call("answer", &json!({"text": "Prices are counted in cents since the last deployment."}));
    let answer = Answer(ToolSpec::of::<Answered>("answer", "Gives the answer and ends the work."));
    let (limits, redactor) = (AgentLimits::default().with_turns(5), Redactor::default());
    let agent = AgentLoop::new("example", &model, "You find out what changed.", "answer", &limits, &redactor)
        .with_tools(vec![&deployments, &answer]);
    let run = agent
        .run(vec![Message::user("Why are all prices a hundred times too high?")], &test_context())
        .await?;
    let mut out = std::io::stdout().lock();
    for output in run.shown.outputs() {
        writeln!(out, "{}", output.text)?;
    }
    assert!(matches!(run.end, AgentEnd::Submitted), "the model was not done: {:?}", run.end);
    Ok(())
}
