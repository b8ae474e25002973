//! The doubles keep the contracts that they stand for, and the suites find who does not.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use staso_core::agent::{LanguageModel, ModelReply, Tool, ToolError, ToolReply, ToolScope, ToolSpec};
use staso_core::conformance::{language_model, tool};
use staso_core::redaction::Redactor;
use staso_core::run::RunContext;
use staso_core::testing::{
    Cassette, Chaos, ChaosModel, RecordingModel, ReplayingModel, ScriptedModel, tool_call,
};

fn talkative() -> ScriptedModel {
    ScriptedModel::new().forever(|request| {
        let mut reply = ModelReply::text("A list of nodes, each with a link to the next one. ".repeat(4));
        reply.calls =
            request.tools.iter().map(|tool| tool_call(&tool.name, &json!({ "city": "Brno" }))).collect();
        Ok(reply)
    })
}

#[tokio::test]
async fn the_doubles_keep_the_contract_of_a_model() {
    language_model::keeps_the_contract(&talkative()).await;
    language_model::keeps_the_contract(&Arc::new(talkative())).await;
    let recording = RecordingModel::new(talkative(), Redactor::default());
    language_model::keeps_the_contract(&recording).await;
    let replaying = ReplayingModel::new(recording.cassette(), Redactor::default());
    language_model::keeps_the_contract(&replaying).await;
    language_model::hides_its_key(&replaying, "a key that it does not have");
}

#[tokio::test(start_paused = true)]
async fn chaos_keeps_the_contract_too() {
    for way in Chaos::ALL {
        let model = ChaosModel::only(5, [way]);
        language_model::has_an_identity(&model);
        language_model::stops_when_cancelled(&model).await;
        if way != Chaos::Silence {
            language_model::keeps_the_contract(&model).await;
        }
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "goes on after it was cancelled")]
async fn a_model_that_ignores_cancellation_is_found() {
    language_model::stops_when_cancelled(&ScriptedModel::new().then_hang()).await;
}

#[tokio::test]
#[should_panic(expected = "two calls of scripted/model have the id x")]
async fn calls_that_cannot_be_told_apart_are_found() {
    let model = ScriptedModel::new().forever(|_| {
        let mut call = tool_call("weather", &json!({}));
        call.id = "x".to_owned();
        Ok(ModelReply::calls(vec![call.clone(), call]))
    });
    language_model::names_its_calls(&model).await;
}

#[test]
fn an_empty_cassette_has_a_model() {
    let model = talkative();
    let cassette = Cassette::new(model.id().clone(), model.limits());
    assert_eq!(Cassette::from_jsonl(&cassette.to_jsonl()).unwrap(), cassette);
}

#[derive(schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Strict {
    /// A file.
    path: String,
    /// Lines from and to.
    lines: Option<(u32, u32)>,
    kind: Option<Kind>,
    limit: Option<u32>,
    nested: Vec<Inner>,
}

#[derive(schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Kind {
    Span,
    File,
}

#[derive(schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Inner {
    quote: String,
}

#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Loose {
    #[serde(default)]
    limit: u32,
    anything: Value,
}

#[test]
fn schemas_of_strict_types_survive_and_of_loose_ones_do_not() {
    let spec = ToolSpec::of::<Strict>("strict", "does it");
    let broken = tool::broken_rules(&spec.parameters);
    // A pair is a list with a schema for each place, which not every provider takes.
    assert!(broken.iter().all(|rule| rule.contains("/lines")), "{broken:#?}");
    let loose = tool::broken_rules(&ToolSpec::of::<Loose>("loose", "does it").parameters);
    for rule in [
        "at /: an object must have additionalProperties: false",
        "at /properties/limit: neither required nor nullable",
        "at /properties/anything: this takes anything; say what it takes",
    ] {
        assert!(loose.iter().any(|found| found == rule), "{rule}: {loose:#?}");
    }
}

#[test]
fn every_rule_of_schemas_is_kept_watch_on() {
    for (schema, rule) in [
        (json!({ "type": "array" }), "the root is no object"),
        (json!({ "type": "object", "additionalProperties": false, "anyOf": [] }), "the root holds anyOf"),
        (json!({ "type": "object", "additionalProperties": false, "$defs": {} }), "$defs is not taken"),
        (
            json!({ "type": "object", "additionalProperties": false, "required": ["a"] }),
            "a is required but no property",
        ),
        (
            json!({
                "type": "object",
                "additionalProperties": false,
                "required": ["a"],
                "properties": { "a": { "$ref": "#/x" } },
            }),
            "at /properties/a: $ref is not taken",
        ),
        (
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": { "a": { "type": ["string", "null"], "enum": ["x"] } },
            }),
            "at /properties/a: neither required nor nullable",
        ),
    ] {
        let broken = tool::broken_rules(&schema);
        assert!(broken.iter().any(|found| found.contains(rule)), "{rule}: {broken:?}");
    }
    let mut deep = json!({ "type": "string" });
    for _ in 0..6 {
        deep = json!({
            "type": "object", "additionalProperties": false, "required": ["a"], "properties": { "a": deep },
        });
    }
    let broken = tool::broken_rules(&deep);
    assert!(broken.iter().any(|found| found.contains("more than 5 objects")), "{broken:?}");
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Greeting {
    /// Whom to greet.
    name: Option<String>,
}

/// What a tool does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    TakesAnything,
    EndsTheAgent,
    Hangs,
}

#[derive(Debug)]
struct Greet(ToolSpec, Fault);

fn greet(fault: Fault) -> Greet {
    Greet(ToolSpec::of::<Greeting>("greet", "Greets somebody"), fault)
}

#[async_trait]
impl Tool for Greet {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn call(
        &self,
        arguments: Value,
        _scope: &ToolScope<'_>,
        _ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        match self.1 {
            Fault::TakesAnything => return Ok(ToolReply::Text("hello".to_owned())),
            Fault::EndsTheAgent => return Err(ToolError::Cancelled),
            Fault::Hangs => std::future::pending().await,
            Fault::None => {}
        }
        let Greeting { name } = self.0.arguments(arguments)?;
        Ok(ToolReply::Text(format!("hello {}", name.unwrap_or_default())))
    }
}

#[tokio::test]
async fn a_tool_that_reads_its_arguments_keeps_the_contract() {
    tool::keeps_the_contract(&greet(Fault::None), None).await;
}

#[tokio::test]
#[should_panic(expected = "greet carries out null")]
async fn a_tool_that_takes_anything_is_found() {
    tool::keeps_the_contract(&greet(Fault::TakesAnything), None).await;
}

#[tokio::test]
#[should_panic(expected = "greet ends the agent over null")]
async fn a_tool_that_ends_the_agent_over_arguments_is_found() {
    tool::keeps_the_contract(&greet(Fault::EndsTheAgent), None).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "greet goes on after it was cancelled")]
async fn a_tool_that_hangs_is_found() {
    tool::stops_when_cancelled(&greet(Fault::Hangs), None).await;
}
