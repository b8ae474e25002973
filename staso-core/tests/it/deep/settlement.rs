//! Confidence is settled by code, whatever number the model says.

use std::sync::Arc;

use serde_json::{Value, json};
use staso_core::agent::ModelReply;
use staso_core::deep::DeepDiagnoser;
use staso_core::diagnosis::{
    Confidence, DetectionTiming, DiagnoseRequest, Diagnoser, Diagnosis, Propagation, RootCause,
};
use staso_core::testing::{ScriptedModel, test_context, tool_call};
use staso_core::trace::{Captured, Trace, TraceLimits, TraceView};

use super::desk::{self, file_receipt, good, span_receipt, submission};
use super::triage_run::quick;
use crate::quick::case::id;

async fn settle(trace: &Trace, prior: Option<&Diagnosis>, submitted: &Value) -> Diagnosis {
    let (code, checkout, submitted) = (desk::code(), desk::checkout(), submitted.clone());
    let view = TraceView::new(trace);
    let request =
        DiagnoseRequest::new(&view).with_code(Some(&code)).with_checkout(Some(&checkout)).with_prior(prior);
    let model = ScriptedModel::new()
        .forever(move |_| Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &submitted)])));
    let deep = DeepDiagnoser::new(Arc::new(model), Arc::new(desk::sandbox()));
    deep.diagnose(&request, &test_context()).await.unwrap()
}

fn saying(confidence: f64, receipts: &[Value]) -> Value {
    let mut all = submission(receipts);
    all["confidence"] = json!(confidence);
    all
}

fn changed(change: impl Fn(&mut staso_core::trace::Span)) -> Trace {
    let trace = desk::trace();
    let mut spans = trace.spans().to_vec();
    spans.iter_mut().for_each(change);
    Trace::new(trace.trace_id, trace.source.clone(), spans, TraceLimits::default()).unwrap()
}

#[tokio::test]
async fn each_limit_is_applied_and_named() {
    let code = || file_receipt("app/tools.py", [6, 6], "return price_of(order[\"total\"])");
    let step = || span_receipt(3, "KeyError: 'total'");
    let elsewhere = || span_receipt(2, "\"amount\":12.5");
    let other_file = || file_receipt("AGENTS.md", [1, 1], "Always run `make lint`.");
    let mut dirty = desk::trace();
    dirty.source.dirty = Some(true);
    let suppressed = changed(|span| {
        if span.span_id == id(3) {
            span.input = Captured::Suppressed;
        }
    });
    let cut = changed(|span| {
        if span.span_id == id(3)
            && let Captured::Present(input) = span.input.clone()
        {
            span.input = Captured::Truncated(input);
        }
    });
    let trace = desk::trace();
    for (what, trace, submitted, confidence, reason) in [
        ("code and step", &trace, saying(1.0, &[code(), step()]), 0.75, "code and trace are cited"),
        ("the model is modest", &trace, saying(0.3, &[code(), step()]), 0.3, ""),
        ("the model says nothing", &trace, saying(0.0, &[code(), step()]), 0.0, ""),
        ("code only", &trace, saying(1.0, &[code()]), 0.65, "no step of the failure"),
        ("step only", &trace, saying(1.0, &[step()]), 0.5, "no line of a file to change"),
        (
            "step and another file",
            &trace,
            saying(1.0, &[step(), other_file()]),
            0.5,
            "no line of a file to change",
        ),
        ("another step", &trace, saying(1.0, &[elsewhere()]), 0.4, "neither the failure"),
        (
            "half holds",
            &trace,
            saying(1.0, &[code(), step(), span_receipt(1, "x-x-x"), span_receipt(1, "y-y-y")]),
            0.45,
            "2 of 4",
        ),
        (
            "switched off",
            &suppressed,
            saying(1.0, &[code(), step()]),
            0.6,
            "input of the blamed step was switched off",
        ),
        ("cut", &cut, saying(1.0, &[code(), step()]), 0.7, "input of the blamed step was cut"),
        ("a changed working tree", &dirty, saying(1.0, &[code(), step()]), 0.6, "working tree"),
    ] {
        let diagnosis = settle(trace, None, &submitted).await;
        assert_eq!(diagnosis.confidence, Confidence::new(confidence), "{what}: {:?}", diagnosis.caps);
        assert_eq!(json!(diagnosis.raw_score), submitted["confidence"], "{what}");
        let named = diagnosis.caps.iter().any(|cap| cap.reason.contains(reason));
        assert!(named || reason.is_empty(), "{what}: {:?}", diagnosis.caps);
        assert_eq!(diagnosis.hypotheses[0].score, diagnosis.confidence, "{what}");
    }
}

#[tokio::test]
async fn rules_that_blame_another_step_lower_it_and_stay_as_rivals() {
    let mut prior = quick().await;
    let first = prior.hypotheses.first_mut().unwrap();
    first.span_id = id(2);
    first.category = "tool_changed_its_answer".to_owned();
    first.score = Confidence::new(0.95);
    prior.root_cause =
        Some(RootCause { span_id: id(2), category: first.category.clone(), ..prior.root_cause.unwrap() });
    let diagnosis = settle(&desk::trace(), Some(&prior), &submission(&good())).await;
    assert_eq!(diagnosis.confidence.value(), 0.65);
    assert!(diagnosis.caps.iter().any(|cap| cap.reason.starts_with("the rules blame another step")));
    let rival = &diagnosis.hypotheses[1];
    assert_eq!((rival.id.as_str(), rival.span_id, rival.score.value()), ("h2", id(2), 0.65));
    let (own, old): (Vec<_>, Vec<_>) =
        diagnosis.receipts.iter().partition(|receipt| receipt.for_hypothesis == "h1");
    assert_eq!(own.len(), 2);
    assert!(!old.is_empty() && old.iter().all(|receipt| receipt.is_verified()));
    let mut ids: Vec<&str> = diagnosis.receipts.iter().map(|receipt| receipt.id.as_str()).collect();
    ids.dedup();
    assert_eq!(ids.len(), diagnosis.receipts.len());
}

#[tokio::test]
async fn a_cause_outside_of_the_repository_stays_outside() {
    let mut prior = quick().await;
    prior.no_fix_reason = Some("the provider was down".to_owned());
    prior.suggested_fix = None;
    let cause = prior.root_cause.as_mut().unwrap();
    (cause.span_id, cause.category) = (id(3), "wrong_key".to_owned());
    let diagnosis = settle(&desk::trace(), Some(&prior), &submission(&good())).await;
    assert_eq!(diagnosis.no_fix_reason.as_deref(), Some("the provider was down"));
    assert!(diagnosis.suggested_fix.is_none());
}

#[tokio::test]
async fn what_no_change_would_help_needs_a_reason_and_names_no_file() {
    let mut none = submission(&good());
    none["suggested_fix"] =
        json!({"type": "none", "description": "The provider was down.", "target_files": []});
    let diagnosis = settle(&desk::trace(), None, &none).await;
    assert_eq!(diagnosis.no_fix_reason.as_deref(), Some("The provider was down."));
    assert!(diagnosis.suggested_fix.is_none() && diagnosis.root_cause.is_some());
    assert!(diagnosis.confidence.value() <= 0.6, "{:?}", diagnosis.caps);
}

#[tokio::test]
async fn the_chain_leads_from_the_blamed_step_to_the_end() {
    let blaming = |step: u64| {
        let mut all = submission(&good());
        all["root_cause"]["step_span_id"] = json!(id(step));
        all
    };
    for (step, chain, timing, propagation) in [
        (2, vec![2, 3, 1], DetectionTiming::SeveralStepsLater, Propagation::TaskTermination),
        (3, vec![3, 1], DetectionTiming::Immediately, Propagation::TaskTermination),
        (4, vec![4, 1], DetectionTiming::OnlyAtTaskEnd, Propagation::IncorrectPath),
        (1, vec![1, 3], DetectionTiming::SeveralStepsLater, Propagation::TaskTermination),
    ] {
        let diagnosis = settle(&desk::trace(), None, &blaming(step)).await;
        let found: Vec<_> = diagnosis.chain.iter().map(|step| step.span_id).collect();
        assert_eq!(found, chain.into_iter().map(id).collect::<Vec<_>>(), "blaming {step}");
        assert!(diagnosis.chain[0].origin && diagnosis.chain.iter().skip(1).all(|step| !step.origin));
        assert_eq!(
            (diagnosis.detection_timing, diagnosis.propagation),
            (timing, propagation),
            "blaming {step}"
        );
    }
}
