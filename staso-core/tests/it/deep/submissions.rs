//! `submit_diagnosis` and `get_spans`, called as a model calls them.

use serde_json::{Value, json};
use staso_core::agent::tools::{GetSpans, SubmitDiagnosis};
use staso_core::agent::{Shown, Tool, ToolError, ToolProblemCode, ToolReply, ToolScope};
use staso_core::conformance;
use staso_core::diagnosis::DiagnoseRequest;
use staso_core::redaction::Redactor;
use staso_core::testing::test_context;
use staso_core::trace::TraceView;

use super::desk::{self, good, secret, span_receipt, submission};
use crate::quick::case::{self, id, step};

async fn call(tool: &dyn Tool, arguments: &Value) -> Result<ToolReply, ToolError> {
    let shown = Shown::default();
    let scope = ToolScope::new("t1", &shown, std::time::Duration::from_secs(60));
    tool.call(arguments.clone(), &scope, &test_context()).await
}

fn problem(result: Result<ToolReply, ToolError>) -> (ToolProblemCode, String) {
    match result {
        Err(ToolError::Problem(problem)) => (problem.code, format!("{} ({})", problem.message, problem.hint)),
        other => panic!("{other:?}"),
    }
}

fn text(result: Result<ToolReply, ToolError>) -> String {
    match result {
        Ok(ToolReply::Text(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_submission_that_holds_is_accepted_at_once() {
    let (trace, code, redactor) = (desk::trace(), desk::code(), Redactor::default());
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view).with_code(Some(&code));
    let submit = SubmitDiagnosis::new(&request, &redactor);
    let reply = call(&submit, &submission(&good())).await.unwrap();
    assert_eq!(reply, ToolReply::Accepted("accepted; 2 of 2 receipts hold".to_owned()));
    let (accepted, _) = submit.into_submission().unwrap();
    assert_eq!(accepted.span_id, Some(id(3)));
    assert_eq!(accepted.category, "wrong_key");
    assert_eq!(accepted.fix.target_files[0].as_str(), "app/tools.py");
}

#[tokio::test]
async fn what_does_not_hold_is_handed_back_twice_and_then_kept_as_rejected() {
    let (trace, code, redactor) = (desk::trace(), desk::code(), Redactor::default());
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view).with_code(Some(&code));
    let submit = SubmitDiagnosis::new(&request, &redactor);
    let mut receipts = good();
    receipts.push(span_receipt(3, "KeyError: 'nothing'"));
    let mut bad = submission(&receipts);
    bad["root_cause"]["step_span_id"] = json!(id(77));
    bad["suggested_fix"]["target_files"] = json!(["app/tools.py", "app/tols.py", "../x"]);
    for left in ["1 more", "0 more"] {
        let (code, said) = problem(call(&submit, &bad).await);
        assert_eq!(code, ToolProblemCode::NoMatch);
        assert!(
            said.contains("2 of 3 receipts hold") && said.contains("receipts[2]: the quote stands in no"),
            "{said}"
        );
        assert!(said.contains("root_cause.step_span_id") && said.contains("target_files[1]"), "{said}");
        assert!(said.contains("target_files[2]") && said.contains(left), "{said}");
        assert!(!said.contains("nothing"), "the words of the model are not repeated: {said}");
    }
    let reply = call(&submit, &bad).await.unwrap();
    assert_eq!(reply, ToolReply::Accepted("accepted; 2 of 3 receipts hold".to_owned()));
    let (accepted, _) = submit.into_submission().unwrap();
    assert_eq!(accepted.span_id, None);
    assert_eq!(accepted.fix.target_files.len(), 1);
    assert_eq!(accepted.receipts.iter().filter(|receipt| receipt.is_verified()).count(), 2);
}

#[tokio::test]
async fn arguments_of_another_form_are_explained() {
    let (trace, redactor) = (desk::trace(), Redactor::default());
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view);
    let submit = SubmitDiagnosis::new(&request, &redactor);
    let changed = |pointer: &str, value: Value| {
        let mut all = submission(&good());
        *all.pointer_mut(pointer).unwrap() = value;
        all
    };
    let mut extra = submission(&good());
    extra["verdict"] = json!("guilty");
    for (arguments, expected) in [
        (json!({}), "missing field `summary`"),
        (json!("a cause"), "invalid type"),
        (extra, "verdict"),
        (changed("/confidence", json!(1.5)), "confidence: 1.5"),
        (changed("/confidence", json!("high")), "at confidence"),
        (changed("/receipts", json!([])), "at least one"),
        (changed("/receipts", Value::Array(vec![span_receipt(3, "KeyError"); 21])), "21 are more than 20"),
        (changed("/receipts/0/kind", json!("rumour")), "at receipts[0].kind"),
        (changed("/receipts/1/lines", json!([1])), "at receipts[1].lines"),
        (
            changed("/suggested_fix", json!({"type": "none", "description": " ", "target_files": []})),
            "suggested_fix.description: say why",
        ),
        (
            changed(
                "/suggested_fix",
                json!({"type": "none", "description": "It is down.", "target_files": ["app/tools.py"]}),
            ),
            "suggested_fix.target_files: type none",
        ),
        (changed("/summary", json!(" \u{200b} ")), "summary: it is empty"),
        (changed("/suggested_fix/type", json!("rewrite")), "at suggested_fix.type"),
        (changed("/root_cause", json!({"category": "x"})), "step_span_id"),
    ] {
        let (code, said) = problem(call(&submit, &arguments).await);
        assert_eq!(code, ToolProblemCode::BadArgs, "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(submit.into_submission().is_none());
}

#[tokio::test]
async fn a_submission_is_cleaned_and_cut() {
    let (trace, code, redactor) = (desk::trace(), desk::code(), Redactor::default());
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view).with_code(Some(&code));
    let submit = SubmitDiagnosis::new(&request, &redactor);
    let mut all = submission(&good());
    all["summary"] = json!(format!("key {} \u{1b}[31mred {}", secret(), "word ".repeat(100)));
    all["explanation_md"] = json!(format!("{} {}", secret(), "long ".repeat(4_000)));
    all["suggested_fix"]["description"] = json!(format!("use {}\u{202e}", secret()));
    all["receipts"][0]["claim"] = json!(format!("it prints {}", secret()));
    call(&submit, &all).await.unwrap();
    let (accepted, _) = submit.into_submission().unwrap();
    let shown = format!("{accepted:?}");
    assert!(!shown.contains(&secret()) && !shown.contains('\u{202e}') && !shown.contains("[31m"));
    assert!(accepted.summary.as_str().chars().count() <= 200);
    assert_eq!(accepted.explanation_md.chars().count(), 8_000);
}

#[tokio::test]
async fn without_code_files_cannot_be_cited_and_targets_are_left_out() {
    let (trace, redactor) = (desk::trace(), Redactor::default());
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view);
    let submit = SubmitDiagnosis::new(&request, &redactor);
    let (_, said) = problem(call(&submit, &submission(&good())).await);
    assert!(said.contains("receipts[1]: no code at the failing commit can be read"), "{said}");
    assert!(!said.contains("target_files"), "{said}");
}

#[tokio::test]
async fn steps_are_shown_with_what_was_not_recorded_in_words() {
    let (trace, redactor) = (desk::trace(), Redactor::default());
    let view = TraceView::new(&trace);
    let spans = GetSpans::new(&view, &redactor);
    let shown = text(call(&spans, &json!({"ids": [id(3), id(4)]})).await);
    assert!(!shown.contains(&secret()));
    insta::assert_snapshot!(shown);
}

#[tokio::test]
async fn steps_are_chosen_by_kind_and_status_or_by_id() {
    let (trace, redactor) = (desk::trace(), Redactor::default());
    let view = TraceView::new(&trace);
    let spans = GetSpans::new(&view, &redactor);
    let failed = text(call(&spans, &json!({"status": "error", "kind": "tool"})).await);
    assert!(failed.contains(&id(3).to_string()) && !failed.contains(&id(2).to_string()));
    assert_eq!(text(call(&spans, &json!({})).await).matches("span 0").count(), 4);
    let mixed = text(call(&spans, &json!({"ids": [id(2), id(9)]})).await);
    assert!(mixed.contains(&format!("not in this trace: {}", id(9))));
    let (code, said) = problem(call(&spans, &json!({"ids": ["\u{1b}[2Jx", id(9)]})).await);
    assert!(code == ToolProblemCode::NoMatch && said.contains("index"), "{said}");
    assert_eq!(problem(call(&spans, &json!({"kind": "embedding"})).await).0, ToolProblemCode::NoMatch);
    assert_eq!(problem(call(&spans, &json!({"ids": vec![id(1); 21]})).await).0, ToolProblemCode::TooLarge);
    assert_eq!(problem(call(&spans, &json!({"kind": "magic"})).await).0, ToolProblemCode::BadArgs);
    assert_eq!(problem(call(&spans, &json!({"limit": 3})).await).0, ToolProblemCode::BadArgs);
}

#[tokio::test]
async fn both_tools_keep_the_contract_of_tools() {
    let (trace, redactor) = (desk::trace(), Redactor::default());
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view);
    let (spans, submit) = (GetSpans::new(&view, &redactor), SubmitDiagnosis::new(&request, &redactor));
    conformance::tool::keeps_the_contract(&spans, None).await;
    conformance::tool::keeps_the_contract(&submit, None).await;
    let offered = |tool: &dyn Tool, pointer: &str| tool.spec().parameters.pointer(pointer).unwrap().clone();
    for kind in offered(&spans, "/properties/kind/anyOf/0/enum").as_array().unwrap() {
        assert!(
            !matches!(call(&spans, &json!({ "kind": kind })).await, Err(ToolError::Problem(problem)) if problem.code == ToolProblemCode::BadArgs),
            "{kind}"
        );
    }
    assert_eq!(offered(&spans, "/properties/status/anyOf/0/enum"), json!(["ok", "error", "timeout"]));
    assert_eq!(
        offered(&submit, "/properties/suggested_fix/properties/type/enum"),
        json!(["prompt", "code", "config", "none"])
    );
    let kinds = offered(&submit, "/properties/receipts/items/properties/kind/enum");
    assert_eq!(kinds, json!(["span", "violation", "file", "tool"]));
}

#[tokio::test]
async fn answers_are_bounded_whatever_the_trace_holds() {
    let big = json!({ "text": "head ".repeat(4_000) + "tail" });
    let steps = (1..=24).map(|number| {
        let mut step = step(number, 0, staso_core::trace::SpanKind::Tool, &"long name ".repeat(1_000))
            .input(&big)
            .output(&big);
        for key in 0..200 {
            step = step.attribute(&format!("key-{key}-{}", "k".repeat(500)), json!("v".repeat(5_000)));
        }
        step
    });
    let trace = case::trace(steps.collect());
    let (view, redactor) = (TraceView::new(&trace), Redactor::default());
    let spans = GetSpans::new(&view, &redactor);
    let all = text(call(&spans, &json!({})).await);
    assert!(all.contains("… 4 more fit"));
    assert!(all.len() <= 400 * 1024, "{} bytes", all.len());
    let one = text(call(&spans, &json!({"ids": [id(1)]})).await);
    assert!(one.contains("bytes left out") && one.contains("tail") && one.contains("160 more attributes"));
    assert!(one.len() <= 128 * 1024, "{} bytes", one.len());
}
