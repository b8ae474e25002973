//! `TriageDiagnoser`: the same evidence, no sandbox, a handful of turns.

use std::sync::Arc;

use serde_json::json;
use staso_core::agent::{AgentLimits, ModelError, ModelReply, Price, PriceTable};
use staso_core::conformance;
use staso_core::deep::{CONFIDENCE_FORMULA, TriageDiagnoser};
use staso_core::diagnosis::{
    Depth, DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis, HypothesisState, RepairHint, Unfinished,
};
use staso_core::id::{Digest, SpanId};
use staso_core::quick::QuickDiagnoser;
use staso_core::run::RunContext;
use staso_core::testing::{ScriptedModel, SeenToolChoice, test_context, tool_call};
use staso_core::trace::TraceView;

use super::desk::{self, good, span_receipt, submission};
use crate::quick::case::id;

pub(crate) async fn quick() -> Diagnosis {
    let (trace, code) = (desk::trace(), desk::code());
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view).with_code(Some(&code));
    QuickDiagnoser::new().diagnose(&request, &test_context()).await.unwrap()
}

async fn ask(diagnoser: &TriageDiagnoser, ctx: &RunContext) -> Result<Diagnosis, DiagnoseError> {
    let (trace, code, violations, prior) = (desk::trace(), desk::code(), desk::violations(), quick().await);
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view)
        .with_code(Some(&code))
        .with_violations(&violations)
        .with_prior(Some(&prior));
    diagnoser.diagnose(&request, ctx).await
}

fn triage(model: &ScriptedModel) -> TriageDiagnoser {
    TriageDiagnoser::new(Arc::new(model.clone()))
}

#[tokio::test]
async fn a_model_looks_at_steps_and_submits() {
    let model = ScriptedModel::new()
        .then_with(|request| {
            assert_eq!(
                request.tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(),
                ["get_spans", "submit_diagnosis"]
            );
            let opening = request.said().join("\n");
            assert!(
                opening.contains("return price_of(order[\"total\"])"),
                "code around the findings is there"
            );
            Ok(ModelReply::calls(vec![tool_call("get_spans", &json!({"ids": [id(3)]}))]))
        })
        .then_with(|request| {
            assert!(request.last_result().contains("KeyError: 'total'"));
            Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &submission(&good()))]))
        });
    let ctx = test_context();
    let diagnosis = ask(&triage(&model), &ctx).await.unwrap();
    assert_eq!(diagnosis.depth, Depth::Quick);
    assert_eq!(diagnosis.calibrator, CONFIDENCE_FORMULA);
    assert_eq!((diagnosis.raw_score, diagnosis.support), (0.95, 0));
    assert_eq!(diagnosis.confidence.value(), 0.75);
    let cause = diagnosis.root_cause.as_ref().unwrap();
    assert_eq!((cause.span_id, cause.agent.as_deref()), (id(3), Some("support")));
    let fix = diagnosis.suggested_fix.as_ref().unwrap();
    assert_eq!(fix.target_files, ["app/tools.py"]);
    let Some(RepairHint::WrongResult { frames }) = fix.hints.last() else { panic!("{:?}", fix.hints) };
    assert_eq!((frames[0].line, frames[0].function.as_deref()), (6, Some("invoice_total")));
    assert!(fix.oracle.is_some(), "the failure can be made to happen again");
    assert_eq!(diagnosis.chain.iter().map(|step| step.span_id).collect::<Vec<_>>(), [id(3), id(1)]);
    assert!(diagnosis.hypotheses.iter().all(|rival| rival.state == HypothesisState::Inconclusive));
    let names: Vec<&str> = diagnosis.hypotheses.iter().map(|rival| rival.id.as_str()).collect();
    assert!(diagnosis.receipts.iter().all(|receipt| names.contains(&receipt.for_hypothesis.as_str())));
    let notes = ctx.notes();
    assert_eq!(notes.prompts["triage/system"], Digest::of(&model.requests()[0].system));
    assert!(notes.prompts.contains_key("triage/opening") && notes.isolation.is_none());
}

#[tokio::test]
async fn without_a_line_of_code_it_is_never_sure() {
    let model = ScriptedModel::new()
        .then_call("submit_diagnosis", &submission(&[span_receipt(3, "KeyError: 'total'")]));
    let diagnosis = ask(&triage(&model), &test_context()).await.unwrap();
    assert_eq!(diagnosis.confidence.value(), 0.45);
    assert!(
        diagnosis.caps.iter().any(|cap| cap.reason.contains("no line of the code")),
        "{:?}",
        diagnosis.caps
    );
    assert!(diagnosis.escalated_because.as_ref().unwrap().contains("below 0.60"));
}

#[tokio::test]
async fn a_refused_submission_may_be_repaired() {
    let mut bad = good();
    bad[0]["quote"] = json!("KeyError: 'totals'");
    let model = ScriptedModel::new().then_call("submit_diagnosis", &submission(&bad)).then_with(|request| {
        assert!(request.last_result().contains("receipts[0]"), "{}", request.last_result());
        Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &submission(&good()))]))
    });
    let diagnosis = ask(&triage(&model), &test_context()).await.unwrap();
    assert!(diagnosis.receipts.iter().all(staso_core::diagnosis::Receipt::is_verified));
    assert_eq!(model.steps_left(), 0);
}

#[tokio::test]
async fn what_stays_wrong_is_kept_rejected_and_costs_confidence() {
    let mut bad = good();
    bad.push(span_receipt(3, "made up"));
    let model = ScriptedModel::new()
        .forever(move |_| Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &submission(&bad))])));
    let diagnosis = ask(&triage(&model), &test_context()).await.unwrap();
    assert_eq!(model.requests().len(), 3);
    assert_eq!(diagnosis.confidence.value(), 0.6);
    assert_eq!(diagnosis.caps[0].reason, "2 of 3 citations hold");
    assert_eq!(diagnosis.receipts.iter().filter(|receipt| !receipt.is_verified()).count(), 1);
}

#[tokio::test]
async fn none_verified_means_no_cause() {
    let bad = [span_receipt(3, "made up"), span_receipt(9, "KeyError")];
    let model = ScriptedModel::new()
        .forever(move |_| Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &submission(&bad))])));
    let diagnosis = ask(&triage(&model), &test_context()).await.unwrap();
    assert_eq!((diagnosis.root_cause.as_ref(), diagnosis.confidence.value()), (None, 0.0));
    assert!(diagnosis.suggested_fix.is_none() && diagnosis.no_fix_reason.is_none());
    assert!(diagnosis.summary.as_str().starts_with("No cause is supported: none of its citations holds"));
    let names: Vec<&str> = diagnosis.hypotheses.iter().map(|rival| rival.id.as_str()).collect();
    assert!(diagnosis.receipts.iter().all(|receipt| names.contains(&receipt.for_hypothesis.as_str())));
}

#[tokio::test]
async fn a_step_that_is_not_in_the_trace_means_no_cause() {
    let mut all = submission(&good());
    all["root_cause"]["step_span_id"] = json!(SpanId::from_u64(99));
    let model = ScriptedModel::new()
        .forever(move |_| Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &all)])));
    let diagnosis = ask(&triage(&model), &test_context()).await.unwrap();
    assert_eq!((diagnosis.root_cause.as_ref(), diagnosis.confidence.value()), (None, 0.0));
    assert!(diagnosis.summary.as_str().contains("not in the trace"));
}

#[tokio::test]
async fn ends_without_a_submission_are_told_apart() {
    let silent = ScriptedModel::new().then_with(|_| Err(ModelError::Auth { status: Some(401) }));
    let error = ask(&triage(&silent), &test_context()).await.unwrap_err();
    assert!(matches!(&error, DiagnoseError::Model { source: ModelError::Auth { .. }, .. }), "{error:?}");
    assert!(!error.is_retryable());

    let busy = ScriptedModel::new().then_with(|_| Err(ModelError::RateLimited { retry_after: None }));
    assert!(ask(&triage(&busy), &test_context()).await.unwrap_err().is_retryable());

    let idle = ScriptedModel::new().forever(|request| {
        let number = request.messages.len();
        let kind = if number % 4 == 1 { "tool" } else { "agent" };
        Ok(ModelReply::calls(vec![tool_call(
            "get_spans",
            &json!({"kind": kind, "ids": [id(1 + number as u64 % 4)]}),
        )]))
    });
    let error = ask(&triage(&idle), &test_context()).await.unwrap_err();
    assert!(matches!(&error, DiagnoseError::Unfinished { .. }), "{error:?}");

    let garbled = ScriptedModel::new().forever(|_| {
        let mut call = tool_call("submit_diagnosis", &json!({}));
        call.arguments = "{\"summary\": ".to_owned();
        Ok(ModelReply::calls(vec![call]))
    });
    let error = ask(&triage(&garbled), &test_context()).await.unwrap_err();
    let malformed = matches!(&error, DiagnoseError::Unfinished { why: Unfinished::Malformed, .. });
    assert!(malformed && error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn the_last_refused_submission_counts_when_the_model_falls_silent() {
    let mut bad = good();
    bad.push(span_receipt(3, "made up"));
    let model = ScriptedModel::new()
        .then_call("submit_diagnosis", &submission(&bad))
        .then_with(|_| Err(ModelError::Overloaded { status: Some(529), retry_after: None }));
    let diagnosis = ask(&triage(&model), &test_context()).await.unwrap();
    assert_eq!(diagnosis.confidence.value(), 0.6);
}

#[tokio::test]
async fn a_limit_on_money_needs_a_price() {
    let model = ScriptedModel::new().then_call("submit_diagnosis", &submission(&good()));
    let limits = AgentLimits::default().with_turns(3).with_cost_micro_usd(5_000_000);
    let error = ask(&triage(&model).with_limits(limits.clone()), &test_context()).await.unwrap_err();
    assert!(matches!(error, DiagnoseError::Configuration { .. }), "{error:?}");
    let id = staso_core::agent::ModelId::new("scripted/model").unwrap();
    let prices = PriceTable::default().with(id, Price { input: 1.0, output: 1.0, cached_input: None });
    assert!(ask(&triage(&model).with_limits(limits).with_prices(prices), &test_context()).await.is_ok());
}

#[tokio::test]
async fn its_last_turn_must_submit() {
    let model = ScriptedModel::new().forever(|request| {
        Ok(ModelReply::calls(vec![match &request.tool_choice {
            SeenToolChoice::Named(name) => tool_call(name, &submission(&good())),
            _ => tool_call("get_spans", &json!({"ids": [id(1 + request.messages.len() as u64 / 2)]})),
        }]))
    });
    assert!(ask(&triage(&model), &test_context()).await.unwrap().root_cause.is_some());
    assert_eq!(model.requests().len(), 5);
}

#[tokio::test]
async fn it_keeps_the_contract_of_diagnosers() {
    let model = ScriptedModel::new().forever(|request| {
        let opening = request.said().join("\n");
        let failed = opening.contains("KeyError");
        let (step, quote) = if failed { (3, "KeyError") } else { (1, "step 1") };
        let mut all = submission(&[span_receipt(step, quote)]);
        all["root_cause"]["step_span_id"] = json!(id(step));
        all["suggested_fix"]["target_files"] = json!([]);
        Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &all)]))
    });
    conformance::diagnoser::all(&triage(&model), &test_context).await;
    conformance::diagnoser::equal_requests_give_equal_diagnoses(&triage(&model), &test_context).await;
}
