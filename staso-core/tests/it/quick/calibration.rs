//! What labels of earlier diagnoses do to the next.

use serde_json::json;
use staso_core::diagnosis::{Calibrator, CaseLabel, DiagnoseRequest, Diagnoser as _, Diagnosis};
use staso_core::quick::QuickDiagnoser;
use staso_core::testing::test_context;
use staso_core::trace::{SpanKind, TraceView};

use super::case::{step, trace};

async fn diagnose(calibrator: &Calibrator) -> Diagnosis {
    let trace = trace(vec![
        step(1, 0, SpanKind::Agent, "support")
            .error("RateLimitError", "Error code: 429 - Rate limit reached"),
        step(2, 1, SpanKind::Llm, "chat").error("RateLimitError", "Error code: 429 - Rate limit reached"),
    ]);
    let view = TraceView::new(&trace);
    let quick = QuickDiagnoser::new().with_calibrator(calibrator.clone());
    quick.diagnose(&DiagnoseRequest::new(&view), &test_context()).await.unwrap()
}

fn shipped() -> Calibrator {
    QuickDiagnoser::new().calibrator().clone()
}

#[tokio::test]
async fn labels_move_the_confidence_of_their_rule_alone() {
    let mut calibrator = shipped();
    let before = diagnose(&calibrator).await;
    assert_eq!(before.root_cause.as_ref().unwrap().category, "rate_limited");
    assert_eq!((before.confidence.value(), before.support), (0.9, 0));
    for label in [CaseLabel::Right, CaseLabel::Wrong, CaseLabel::Wrong, CaseLabel::Wrong] {
        assert!(calibrator.observe(&before, label));
    }
    let after = diagnose(&calibrator).await;
    assert_eq!((after.confidence.value(), after.support), (0.7143, 4), "(1 + 9) / (4 + 9 + 1)");
    assert_eq!((&after.calibrator, after.raw_score), (&before.calibrator, before.raw_score));
    assert_eq!(calibrator.calibrate("key_missing", 1.0), shipped().calibrate("key_missing", 1.0));
    let kept = Calibrator::from_json(&serde_json::to_string(&calibrator).unwrap()).unwrap();
    assert_eq!(kept, calibrator);
}

#[tokio::test]
async fn labels_of_other_calibrations_unknown_rules_and_no_cause_do_not_count() {
    let own = diagnose(&shipped()).await;
    let mut settled_by_a_model = own.clone();
    settled_by_a_model.calibrator = "agent-evidence@1".to_owned();
    let mut unknown = own.clone();
    unknown.root_cause.as_mut().unwrap().category = "made_up".to_owned();
    let mut nothing = own.clone();
    nothing.root_cause = None;
    let mut calibrator = shipped();
    for diagnosis in [&settled_by_a_model, &unknown, &nothing] {
        assert!(!calibrator.observe(diagnosis, CaseLabel::Wrong), "{:?}", diagnosis.root_cause);
    }
    assert!(!Calibrator::default().observe(&own, CaseLabel::Right));
    assert_eq!(calibrator, shipped());
}

#[tokio::test]
async fn a_full_table_counts_no_more() {
    let own = diagnose(&shipped()).await;
    let rule = json!({"a": 9, "b": 1, "hits": u32::MAX - 1, "cases": u32::MAX - 1});
    let table = json!({"id": own.calibrator, "rules": {"rate_limited": rule}}).to_string();
    let mut calibrator = Calibrator::from_json(&table).unwrap();
    assert!(calibrator.observe(&own, CaseLabel::Wrong));
    let full = calibrator.clone();
    for label in [CaseLabel::Right, CaseLabel::Wrong] {
        assert!(!calibrator.observe(&own, label));
    }
    assert_eq!(calibrator, full);
}
