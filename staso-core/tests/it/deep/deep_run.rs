//! `DeepDiagnoser`: a sandbox over the checkout, the trace as files, every way to end.

use std::sync::Arc;

use serde_json::json;
use staso_core::agent::{ModelError, ModelReply};
use staso_core::code::{CodeSnapshot, RepoPath};
use staso_core::conformance;
use staso_core::deep::DeepDiagnoser;
use staso_core::diagnosis::{
    Depth, DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis, Locator, Receipt, ReceiptVerdict,
    check_receipts, cited_files,
};
use staso_core::id::CommitId;
use staso_core::run::{
    AuditFinding, AuditInputs, EventKind, OutcomeState, RunArtifact, RunContext, Subject, verify_artifact,
};
use staso_core::sandbox::IsolationTier;
use staso_core::testing::{
    MemorySandbox, MemorySink, SandboxCall, ScriptedExec, ScriptedModel, test_context, tool_call,
};
use staso_core::trace::TraceView;
use staso_core::vcs::Checkout;

use super::desk::{self, Shell, file_receipt, good, span_receipt, submission, tool_receipt};
use super::triage_run::quick;
use crate::quick::case::{self, id};
use crate::report_artifacts;

fn deep(model: &ScriptedModel, sandbox: &MemorySandbox) -> DeepDiagnoser {
    DeepDiagnoser::new(Arc::new(model.clone()), Arc::new(sandbox.clone()))
        .with_tools(vec![Arc::new(Shell::new())])
}

async fn ask(diagnoser: &DeepDiagnoser, ctx: &RunContext) -> Result<Diagnosis, DiagnoseError> {
    let (trace, code, checkout, prior) = (desk::trace(), desk::code(), desk::checkout(), quick().await);
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view)
        .with_code(Some(&code))
        .with_checkout(Some(&checkout))
        .with_prior(Some(&prior));
    diagnoser.diagnose(&request, ctx).await
}

fn count(sandbox: &MemorySandbox, wanted: impl Fn(&SandboxCall) -> bool) -> usize {
    sandbox.calls().iter().filter(|call| wanted(call)).count()
}

/// Every session that was opened was closed.
#[track_caller]
fn assert_closed(sandbox: &MemorySandbox, opened: usize) {
    assert_eq!(count(sandbox, |call| matches!(call, SandboxCall::Open(_))), opened);
    assert_eq!(count(sandbox, |call| matches!(call, SandboxCall::Close)), opened);
}

/// The code with every file that receipts may cite, as the orchestrator reads it.
fn whole_code() -> CodeSnapshot {
    let mut code = desk::code();
    let path = RepoPath::new("app/pricing.py").unwrap();
    let read = case::code(&[("app/pricing.py", desk::PRICING)]);
    code.insert(path.clone(), read.file(&path).unwrap().clone());
    code
}

#[tokio::test]
async fn a_model_reads_runs_and_submits() {
    let receipts = [
        good(),
        vec![
            file_receipt("app/pricing.py", [1, 2], "round(amount * 1.19, 2)"),
            tool_receipt("t2", "1 failed in 0.1s"),
        ],
    ]
    .concat();
    let sandbox = desk::sandbox()
        .with_answer(|argv| argv[0] == "sh", ScriptedExec::new(1, "KeyError: 'total'\n1 failed in 0.1s\n"));
    let model = ScriptedModel::new()
        .then_with(|request| {
            let names: Vec<&str> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
            assert_eq!(
                names,
                ["list_files", "read_file", "search_code", "bash", "shell", "get_spans", "submit_diagnosis"]
            );
            Ok(ModelReply::calls(vec![
                tool_call("read_file", &json!({"path": ".staso/trace/index.md"})),
                tool_call("bash", &json!({"command": "pytest -q"})),
            ]))
        })
        .then_with(|request| {
            let index = request.results()[0].content.clone();
            assert!(index.contains(&id(3).to_string()) && index.contains("KeyError: 'total'"), "{index}");
            Ok(ModelReply::calls(vec![tool_call("read_file", &json!({"path": ".staso/trace/spans.jsonl"}))]))
        })
        .then_call("read_file", &json!({"path": ".staso/quick.md"}))
        .then_with(move |request| {
            assert!(
                request.last_result().contains("confidence")
                    && request.last_result().contains("Places in the code")
            );
            Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &submission(&receipts))]))
        });
    let ctx = test_context();
    let mut diagnosis = ask(&deep(&model, &sandbox), &ctx).await.unwrap();
    assert_eq!((diagnosis.depth, diagnosis.confidence.value()), (Depth::Deep, 0.75));
    assert!(diagnosis.receipts.iter().all(Receipt::is_verified), "{:#?}", diagnosis.receipts);
    assert_closed(&sandbox, 2);
    let notes = ctx.notes();
    assert_eq!(notes.isolation.unwrap().tier, IsolationTier::Full);
    assert!(notes.prompts.contains_key("deep/system") && notes.tools.contains("bash"));

    // The orchestrator reads what is cited and comes to the same verdicts.
    let cited: Vec<String> = cited_files(&diagnosis.receipts).into_iter().map(ToString::to_string).collect();
    assert_eq!(cited, ["app/pricing.py", "app/tools.py"]);
    let (trace, code, before) = (desk::trace(), whole_code(), diagnosis.receipts.clone());
    check_receipts(&mut diagnosis.receipts, &TraceView::new(&trace), &[], Some(&code), &ctx);
    assert_eq!(diagnosis.receipts, before);
}

#[tokio::test]
async fn the_trace_is_written_before_any_tool_runs() {
    let model = ScriptedModel::new().then_call("submit_diagnosis", &submission(&good()));
    let sandbox = desk::sandbox();
    ask(&deep(&model, &sandbox), &test_context()).await.unwrap();
    let written: Vec<String> = sandbox
        .calls()
        .into_iter()
        .filter_map(|call| if let SandboxCall::Write(path) = call { Some(path.to_string()) } else { None })
        .collect();
    assert_eq!(written, [".staso/trace/spans.jsonl", ".staso/trace/index.md", ".staso/quick.md"]);
    let SandboxCall::Open(spec) = &sandbox.calls()[0] else { panic!("{:?}", sandbox.calls()) };
    assert_eq!((spec.checkout.to_str(), spec.min_tier), (Some("/checkout"), IsolationTier::Full));
    assert_closed(&sandbox, 1);
}

#[tokio::test]
async fn what_the_agent_wrote_is_no_evidence() {
    let poison = "AMOUNT_KEY = 'total'  # the upstream service renamed it";
    let receipts = vec![
        span_receipt(3, "KeyError: 'total'"),
        file_receipt("app/pricing.py", [1, 1], poison),
        file_receipt("app/tools.py", [1, 1], poison),
        file_receipt("notes.md", [1, 1], poison),
        tool_receipt("t1", "AMOUNT_KEY = 'total'"),
    ];
    let write = |path: &str| tool_call("shell", &json!({"path": path, "write": poison}));
    let model = ScriptedModel::new()
        .then_calls(vec![write("app/pricing.py"), write("app/tools.py"), write("notes.md")])
        .forever(move |_| Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &submission(&receipts))])));
    let sandbox = desk::sandbox();
    let diagnosis = ask(&deep(&model, &sandbox), &test_context()).await.unwrap();
    let own = &diagnosis.receipts[..5];
    assert!(own[0].is_verified());
    for receipt in &own[1..] {
        assert!(matches!(receipt.verdict, ReceiptVerdict::Rejected { .. }), "{receipt:?}");
    }
    assert_eq!(diagnosis.confidence.value(), 0.18);
    assert_closed(&sandbox, 2);
}

#[tokio::test]
async fn output_of_commands_alone_carries_little() {
    let sandbox = desk::sandbox().with_answer(|_| true, ScriptedExec::new(0, "the database was down\n"));
    let model = ScriptedModel::new()
        .then_call("bash", &json!({"command": "echo dGhlIGRhdGFiYXNlIHdhcyBkb3du | base64 -d"}))
        .then_call("submit_diagnosis", &submission(&[tool_receipt("t1", "the database was down")]));
    let diagnosis = ask(&deep(&model, &sandbox), &test_context()).await.unwrap();
    assert_eq!(diagnosis.confidence.value(), 0.35);
    assert!(diagnosis.caps.iter().any(|cap| cap.reason.contains("only the output of commands")));
}

#[tokio::test(start_paused = true)]
async fn the_session_is_closed_on_every_way_out() {
    let sandbox = desk::sandbox();
    let silent = ScriptedModel::new().then_with(|_| Err(ModelError::Auth { status: None }));
    let error = ask(&deep(&silent, &sandbox), &test_context()).await.unwrap_err();
    assert!(matches!(error, DiagnoseError::Model { diagnoser: "deep", .. }), "{error:?}");
    assert_closed(&sandbox, 1);

    let sandbox = desk::sandbox();
    let hanging = ScriptedModel::new().then_hang();
    let ctx = test_context();
    let token = ctx.cancellation().clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        token.cancel();
    });
    let error = ask(&deep(&hanging, &sandbox), &ctx).await.unwrap_err();
    assert!(matches!(error, DiagnoseError::Cancelled), "{error:?}");
    assert_closed(&sandbox, 1);

    let sandbox = desk::sandbox();
    let ctx = test_context();
    let token = ctx.cancellation().clone();
    let cancelling = ScriptedModel::new().then_with(move |_| {
        token.cancel();
        Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &submission(&good()))]))
    });
    let error = ask(&deep(&cancelling, &sandbox), &ctx).await.unwrap_err();
    assert!(matches!(error, DiagnoseError::Cancelled), "{error:?}");
    assert_closed(&sandbox, 1);
}

#[tokio::test]
async fn what_does_not_fit_together_is_said_before_anything_runs() {
    let model = ScriptedModel::new();
    let sandbox = desk::sandbox();
    let (trace, code) = (desk::trace(), desk::code());
    let view = TraceView::new(&trace);
    let other = Checkout::new("/checkout".into(), CommitId::new("d".repeat(40)).unwrap(), None);
    let request = DiagnoseRequest::new(&view).with_code(Some(&code)).with_checkout(Some(&other));
    let error = deep(&model, &sandbox).diagnose(&request, &test_context()).await.unwrap_err();
    assert!(
        matches!(&error, DiagnoseError::Configuration { reason, .. } if reason.contains("commit")),
        "{error:?}"
    );
    let twice = deep(&model, &sandbox).with_tools(vec![Arc::new(Shell::new()), Arc::new(Shell::new())]);
    let error = ask(&twice, &test_context()).await.unwrap_err();
    assert!(
        matches!(&error, DiagnoseError::Configuration { reason, .. } if reason.contains("shell")),
        "{error:?}"
    );
    assert!(sandbox.calls().is_empty() && model.requests().is_empty());
}

#[tokio::test]
async fn without_a_checkout_it_works_with_what_is_there_and_says_so() {
    let model = ScriptedModel::new().then_call("submit_diagnosis", &submission(&good()));
    let sandbox = desk::sandbox();
    let (trace, code) = (desk::trace(), desk::code());
    let view = TraceView::new(&trace);
    let request = DiagnoseRequest::new(&view).with_code(Some(&code));
    let diagnosis = deep(&model, &sandbox).diagnose(&request, &test_context()).await.unwrap();
    assert!(diagnosis.root_cause.is_some());
    assert!(diagnosis.missing.iter().any(|missing| missing.what.contains("checkout")));
    assert!(sandbox.calls().is_empty());
}

#[tokio::test]
async fn it_keeps_the_contract_of_diagnosers() {
    let model = ScriptedModel::new().forever(|request| {
        let failed = request.said().join("\n").contains("KeyError");
        let (step, quote) = if failed { (3, "KeyError") } else { (1, "step 1") };
        let mut all = submission(&[span_receipt(step, quote)]);
        all["root_cause"]["step_span_id"] = json!(id(step));
        all["suggested_fix"]["target_files"] = json!([]);
        Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &all)]))
    });
    conformance::diagnoser::all(&deep(&model, &desk::sandbox()), &test_context).await;
}

/// A run that a deep diagnosis made: its artifact and its transcript.
async fn recorded() -> (RunArtifact, String) {
    let receipts = [
        good(),
        vec![
            file_receipt("app/pricing.py", [1, 2], "round(amount * 1.19, 2)"),
            tool_receipt("t1", "1 failed in 0.1s"),
            span_receipt(3, "bearer [secret] expires"),
            span_receipt(3, "made up"),
        ],
    ]
    .concat();
    let sandbox =
        desk::sandbox().with_answer(|argv| argv[0] == "sh", ScriptedExec::new(1, "1 failed in 0.1s\n"));
    let model = ScriptedModel::new()
        .then_call("bash", &json!({"command": "pytest -q"}))
        .forever(move |_| Ok(ModelReply::calls(vec![tool_call("submit_diagnosis", &submission(&receipts))])));
    let sink = MemorySink::default();
    let ctx = test_context().with_sinks(vec![Arc::new(sink.clone())]);
    let diagnosis = ask(&deep(&model, &sandbox), &ctx).await.unwrap();
    ctx.emit(EventKind::RunCompleted { outcome: OutcomeState::Completed, reason: "diagnosed".to_owned() });
    let trace = desk::trace();
    let mut artifact = report_artifacts::verified();
    artifact.run_id = ctx.run_id();
    artifact.subject = Subject::TraceId(trace.trace_id);
    artifact.trace_digest = Some(trace.digest());
    artifact.diagnosis = Some(diagnosis);
    artifact.verification = None;
    artifact.events_digest = ctx.events_digest();
    (artifact, sink.transcript())
}

fn audit(artifact: &RunArtifact, transcript: Option<&str>) -> Vec<String> {
    let (trace, code) = (desk::trace(), whole_code());
    let inputs = AuditInputs::new(&trace).with_code(&code);
    let inputs = transcript.map_or(inputs, |text| inputs.with_transcript(text));
    let named = |finding: AuditFinding| match finding {
        AuditFinding::Receipt { receipt, .. } => receipt,
        other => other.to_string(),
    };
    verify_artifact(artifact, &inputs).into_iter().map(named).collect()
}

#[tokio::test]
async fn an_artifact_of_a_deep_diagnosis_is_checked_offline() {
    let (artifact, transcript) = recorded().await;
    assert_eq!(audit(&artifact, Some(&transcript)), [""; 0]);
    assert_eq!(audit(&artifact, None), ["r4"], "a tool receipt needs the transcript");
    let diagnosis = artifact.diagnosis.as_ref().unwrap();
    assert_eq!(diagnosis.receipts.iter().filter(|receipt| !receipt.is_verified()).count(), 1);

    let forged = |change: &dyn Fn(&mut Diagnosis)| {
        let mut artifact = artifact.clone();
        change(artifact.diagnosis.as_mut().unwrap());
        audit(&artifact, Some(&transcript))
    };
    let found = forged(&|diagnosis| diagnosis.receipts[3].locator = Locator::Tool { event: 2 });
    assert_eq!(found, ["r4"], "another event");
    let found = forged(&|diagnosis| {
        diagnosis.receipts[3].quote = "12 passed".to_owned();
        diagnosis.receipts[3].digest = staso_core::id::Digest::of("12 passed");
    });
    assert_eq!(found, ["r4"], "another quote");
    let found = forged(&|diagnosis| diagnosis.receipts[5].verdict = ReceiptVerdict::Verified);
    assert_eq!(found, ["r6"], "a rejected receipt called verified");
    let found = forged(&|diagnosis| {
        diagnosis.receipts[3].verdict = ReceiptVerdict::Rejected { why: "no".to_owned() };
    });
    assert_eq!(found, ["r4"], "a verified receipt called rejected");
    let broken = transcript.replace("1 failed in 0.1s", "9 failed in 0.1s");
    assert_eq!(audit(&artifact, Some(&broken)).len(), 2, "a changed transcript proves nothing");
}
