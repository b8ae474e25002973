//! What a run keeps of everyone who was asked: evidence that did not hold, work that led nowhere, and no credential.

use std::sync::Arc;

use async_trait::async_trait;
use staso_core::diagnosis::{
    Confidence, DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis, FailureOracle, Hypothesis,
    HypothesisState, MissingEvidence, Receipt, Summary,
};
use staso_core::redaction::Redactor;
use staso_core::run::{OutcomeState, RunArtifact, RunContext, RunStore as _};
use staso_core::testing::{FixedDiagnoser, MemorySink};

use super::world::{SPAN, World, receipt, request, sandbox, tests};
use super::{ended, escalation};

fn receipts(artifact: &RunArtifact) -> Vec<(&str, &str, bool)> {
    let all = &artifact.diagnosis.as_ref().unwrap().receipts;
    all.iter().map(|receipt| (&*receipt.id, &*receipt.quote, receipt.is_verified())).collect()
}

fn explanation(category: &str) -> Hypothesis {
    Hypothesis {
        id: "h1".to_owned(),
        span_id: SPAN,
        agent: None,
        category: category.to_owned(),
        cause: "it is said to be so".to_owned(),
        score: Confidence::new(0.9),
        state: HypothesisState::Inconclusive,
        deciding_test: None,
    }
}

/// A world whose rules have an explanation, but are not sure of it.
fn unsure() -> World {
    let mut world = escalation::unsure();
    world.diagnosis.hypotheses = vec![explanation("key_missing")];
    world
}

/// A diagnosis for something else, with one citation that holds and one that does not.
fn other(confidence: f64, held: bool) -> Diagnosis {
    let mut made = escalation::marked(2, confidence);
    let cause = made.root_cause.as_mut().unwrap();
    cause.category = "another_pattern".to_owned();
    made.hypotheses = vec![explanation("another_pattern")];
    let invented = Receipt { claim: "invented".to_owned(), ..receipt("'never said'") };
    made.receipts = if held {
        vec![receipt("'old'"), Receipt { id: "r2".to_owned(), ..invented }]
    } else {
        vec![invented]
    };
    made
}

#[tokio::test]
async fn refused_citations_stay_whoever_is_believed() {
    let quick = [("r1", "'old'", true), ("r2", "'never said'", false)];
    for (deeper, expected) in [
        // Not taken: nothing of it holds.
        (other(0.9, false), quick.to_vec()),
        // Not taken: it is less sure.
        (other(0.2, true), quick.to_vec()),
        // Taken.
        (other(0.9, true), vec![("r1", "'old'", true), ("r2", "'never said'", false)]),
    ] {
        let healer = unsure().builder().await.with_deep(Arc::new(FixedDiagnoser::new(deeper)));
        let artifact = healer.build().heal(request()).await;
        assert_eq!(receipts(&artifact), expected);
    }
}

#[tokio::test]
async fn refused_citations_of_triage_outlive_a_deeper_answer() {
    let sink = MemorySink::default();
    let mut deeper = escalation::marked(3, 0.65);
    deeper.hypotheses = vec![explanation("key_missing")];
    let healer = unsure()
        .builder()
        .await
        .with_triage(Arc::new(FixedDiagnoser::new(other(0.42, true))))
        .with_deep(Arc::new(FixedDiagnoser::new(deeper)))
        .with_sink(Arc::new(sink.clone()))
        .build();
    let artifact = healer.heal(request()).await;
    assert_eq!(receipts(&artifact), [("r1", "'old'", true), ("r2", "'never said'", false)]);
    let diagnosis = artifact.diagnosis.unwrap();
    assert_eq!(diagnosis.support, 3);
    assert!(!diagnosis.caps.iter().any(|cap| cap.reason.contains("do not hold")), "it costs who cited it");
    let rival = diagnosis.hypotheses.last().unwrap();
    assert_eq!(diagnosis.receipts[1].for_hypothesis, rival.id);
    assert_eq!(rival.category, "another_pattern");
    assert!(rival.score <= diagnosis.hypotheses[0].score);
    let mut names: Vec<&str> = diagnosis.hypotheses.iter().map(|hypothesis| hypothesis.id.as_str()).collect();
    names.dedup();
    assert_eq!(names.len(), diagnosis.hypotheses.len());
}

const SECRET: &str = "correct-horse-battery-staple";

#[derive(Debug)]
struct Leaks;

#[async_trait]
impl Diagnoser for Leaks {
    fn name(&self) -> &'static str {
        "leaks"
    }

    async fn diagnose(&self, _: &DiagnoseRequest<'_>, _: &RunContext) -> Result<Diagnosis, DiagnoseError> {
        let source = format!("cannot log in with {SECRET}").into();
        Err(DiagnoseError::Backend { provider: "leaks", operation: "asking", source })
    }
}

#[tokio::test]
async fn a_credential_that_only_the_host_knows_is_nowhere() {
    let mut world = unsure();
    world.error = format!("'old' with {SECRET} in it");
    let said = format!("the step used {SECRET}");
    let found = &mut world.diagnosis;
    found.summary = Summary::new(&said);
    found.explanation_md.clone_from(&said);
    found.hypotheses[0].cause.clone_from(&said);
    found.caps[0].reason.clone_from(&said);
    found.missing.push(MissingEvidence { what: said.clone(), how_to_get: said.clone() });
    found.receipts = vec![Receipt { claim: said.clone(), ..receipt(&format!("with {SECRET} in")) }];
    found.receipts.push(Receipt { id: "r2".to_owned(), ..receipt("with correct-horse-battery") });
    let fix = found.suggested_fix.as_mut().unwrap();
    fix.description.clone_from(&said);
    if let Some(FailureOracle::Raises { message_contains, .. }) = &mut fix.oracle {
        *message_contains = Some(SECRET.to_owned());
    }
    let sink = MemorySink::default();
    let healer = world
        .builder()
        .await
        .with_sandbox(Arc::new(sandbox()), tests())
        .with_deep(Arc::new(Leaks))
        .with_redactor(Redactor::default().with_known_secret("database", SECRET))
        .with_sink(Arc::new(sink.clone()))
        .build();
    let artifact = healer.heal(request()).await;
    let held = receipts(&artifact);
    assert_eq!(held[0], ("r1", "with [secret] in", true));
    assert!(!held[1].2, "a part of it is no evidence");
    let kept = world.runs.get(artifact.run_id).await.unwrap();
    let mut written = serde_json::to_string(&artifact).unwrap() + &serde_json::to_string(&kept).unwrap();
    for event in sink.events() {
        written.push_str(&serde_json::to_string(&event).unwrap());
    }
    assert!(written.contains("the step used [secret]") && written.contains("cannot log in with [secret]"));
    assert!(!written.contains(SECRET));
}

#[cfg(feature = "agent-tools")]
mod deep {
    use serde_json::{Value, json};
    use staso_core::agent::{AgentLimits, ModelError, ModelReply};
    use staso_core::deep::DeepDiagnoser;
    use staso_core::testing::{ScriptedModel, tool_call};

    use super::*;

    async fn heal(model: &ScriptedModel, limits: AgentLimits) -> RunArtifact {
        let deep = DeepDiagnoser::new(Arc::new(model.clone()), Arc::new(sandbox())).with_limits(limits);
        escalation::unsure().builder().await.with_deep(Arc::new(deep)).build().heal(request()).await
    }

    fn reads() -> ScriptedModel {
        ScriptedModel::new().then_call("read_file", &json!({ "path": "tools.py" }))
    }

    fn submission(fix: &Value, quote: &str) -> Value {
        json!({
            "summary": "The provider was down",
            "explanation_md": "Nothing here did it.",
            "root_cause": { "category": "provider_outage", "step_span_id": SPAN },
            "suggested_fix": fix,
            "confidence": 0.9,
            "receipts": [
                { "kind": "span", "id": SPAN, "quote": quote, "claim": "it failed" },
            ],
        })
    }

    #[tokio::test]
    async fn a_search_without_an_answer_leaves_what_it_did() {
        let again = |model: ScriptedModel| {
            model.forever(|request| {
                let lines = json!({ "path": "tools.py", "lines": request.results().len() });
                Ok(ModelReply::calls(vec![tool_call("read_file", &lines)]))
            })
        };
        let gone = |model: ScriptedModel| model.forever(|_| Err(ModelError::Auth { status: Some(401) }));
        for (model, why) in [(again(reads()), "turns"), (gone(reads()), "credentials")] {
            let artifact = heal(&model, AgentLimits::default().with_turns(3)).await;
            assert!(artifact.context.tools_used.contains(&"read_file".to_owned()), "{why}");
            assert!(artifact.context.files_read.contains(&"tools.py".to_owned()), "{why}");
            assert_eq!(artifact.engine.models.len(), 1, "{why}");
            assert!(artifact.engine.prompts.contains_key("deep/system"), "{why}");
            assert!(artifact.isolation.is_some(), "{why}");
            assert!(artifact.budget.used.turns > 0 && artifact.budget.used.input_tokens > 0, "{why}");
            assert!(artifact.timings_ms.contains_key("deep"), "{why}");
            let diagnosis = artifact.diagnosis.unwrap();
            assert!(diagnosis.missing.iter().any(|missing| missing.how_to_get.contains(why)), "{why}");
            assert!(diagnosis.escalated_because.is_some(), "{why}");
        }
    }

    #[tokio::test]
    async fn a_search_that_is_cut_short_keeps_what_it_submitted_last() {
        let fix = json!({ "type": "code", "description": "Mend it.", "target_files": ["tools.py"] });
        let invented = submission(&fix, "never said");
        let model = ScriptedModel::new()
            .forever(move |_| Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &invented)])));
        let artifact = heal(&model, AgentLimits::default().with_turns(1)).await;
        assert_eq!(receipts(&artifact), [("r1", "'old'", true), ("r2", "never said", false)]);
    }

    #[tokio::test]
    async fn a_model_can_say_that_no_change_helps() {
        let fix = json!({ "type": "none", "description": "The provider was down.", "target_files": [] });
        let model = ScriptedModel::new().then_call("submit_diagnosis", &submission(&fix, "'old'"));
        let artifact = heal(&model, AgentLimits::default()).await;
        assert_eq!(ended(&artifact), (OutcomeState::NoCodeFix, "no_code_fix"));
        assert_eq!(artifact.outcome.reason, "The provider was down.");
        let diagnosis = artifact.diagnosis.unwrap();
        assert!(diagnosis.suggested_fix.is_none() && artifact.fix.is_none());
        assert!(diagnosis.confidence.value() <= 0.6, "a word of the model makes nothing sure");
    }
}
