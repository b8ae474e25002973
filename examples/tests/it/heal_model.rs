//! A run that needs a model, from the trace to the branch: rules that are not sure, triage, a deep diagnosis in a sandbox, a
//! fix that is proven. The model is scripted; everything else is real.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use staso::heal::AgentOptions;
use staso_core::agent::ModelReply;
use staso_core::diagnosis::{Depth, ReceiptKind};
use staso_core::heal::{HealPolicy, SandboxSwitch};
use staso_core::run::{EventKind, OutcomeState, RunArtifact, RunEvent, verify_transcript};
use staso_core::testing::{ScriptedModel, SeenRequest, tool_call};
use staso_core::verify::VerifyLimits;
use staso_examples::demo::Demo;
use staso_examples::environment::Environment;
use staso_examples::scenario::HARD;
use staso_examples::station::{Station, options};
use staso_examples::terminal::{Look, Terminal};
use staso_examples::verdict;
use tokio_util::sync::CancellationToken;

/// Lines of the fault, as they stand at the failing commit.
const FAULT: &str =
    "    fee = _restocking_fee(gross, held, policy)\n    value = gross - _discount(order, gross - fee)\n";
const REPAIR: &str =
    "    value = gross - _discount(order, gross)\n    fee = _restocking_fee(value, held, policy)\n";

/// The id of the span whose line in an index or a listing names `name`.
fn span_id(text: &str, name: &str) -> String {
    let is_id = |word: &&str| word.len() == 36 && word.matches('-').count() == 4;
    let lines = text.lines().filter(|line| line.contains(name));
    let words = lines.flat_map(|line| line.split(|c: char| !c.is_ascii_hexdigit() && c != '-'));
    words.into_iter().find(|word| is_id(&word.trim())).unwrap().to_owned()
}

/// The diagnosis that a good model would submit. Without `lines` it cites no code.
fn diagnosis(seen: &SeenRequest, lines: Option<[u32; 2]>) -> ModelReply {
    let tool = span_id(&seen.everything().replace("\\n", "\n"), "calculate_refund");
    let mut receipts = vec![json!({
        "kind": "span", "id": tool, "quote": "calculate_refund", "claim": "This tool computed the fee."
    })];
    if let Some(lines) = lines {
        receipts.push(json!({
            "kind": "file", "path": "support/tools.py", "lines": lines,
            "quote": "fee = _restocking_fee(gross, held, policy)",
            "claim": "The fee is taken of the list price, before the discount.",
        }));
    }
    let submission = json!({
        "summary": "The restocking fee is computed on the list price instead of the discounted value",
        "explanation_md": "`calculate_refund` charges the fee on `gross`; the reply that was right before names the fee on the discounted value.",
        "root_cause": {"category": "wrong_operand", "step_span_id": tool},
        "suggested_fix": {
            "type": "code", "description": "Take the discount off first, then the fee.",
            "target_files": ["support/tools.py"],
        },
        "confidence": 0.95,
        "receipts": receipts,
    });
    ModelReply::calls(vec![tool_call("submit_diagnosis", &submission)])
}

/// The line numbers of the fault in what `search_code` answered.
fn lines_of(seen: &SeenRequest) -> [u32; 2] {
    let found = seen.results().iter().map(|result| result.content.clone()).collect::<String>();
    let line = found.lines().find(|line| line.contains("fee = _restocking_fee(gross")).unwrap();
    let number = line.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    let number: u32 = number.map(|digits| digits.parse().unwrap()).next().unwrap();
    [number, number + 1]
}

fn script() -> ScriptedModel {
    let fix = json!({
        "title": "Charge the restocking fee on the discounted value",
        "explanation_md": "The discount comes first, so the fee is a share of what was paid.",
        "fix_type": "code", "risk": "low", "tests_run": "all",
    });
    ScriptedModel::new()
        .then_with(|seen| Ok(diagnosis(seen, None)))
        .then_calls(vec![
            tool_call("get_spans", &json!({"kind": "tool"})),
            tool_call("search_code", &json!({"pattern": "_restocking_fee\\("})),
        ])
        .then_call("read_file", &json!({"path": "support/tools.py", "start_line": 50, "lines": 60}))
        .then_call(
            "bash",
            &json!({"command": "python3 -c \"from support import tools; print(tools.TOOLS.keys())\""}),
        )
        .then_with(|seen| Ok(diagnosis(seen, Some(lines_of(seen)))))
        .then_call("read_file", &json!({"path": "support/tools.py", "start_line": 50, "lines": 60}))
        .then_call("edit_file", &json!({"path": "support/tools.py", "old_str": FAULT, "new_str": REPAIR}))
        .then_call("run_tests", &json!({}))
        .then_call("submit_fix", &fix)
        .then_call("submit_fix", &fix)
}

async fn run(model: &ScriptedModel) -> (RunArtifact, Vec<RunEvent>, tempfile::TempDir) {
    run_with(model, HealPolicy::default()).await
}

async fn run_with(
    model: &ScriptedModel,
    policy: HealPolicy,
) -> (RunArtifact, Vec<RunEvent>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let agents = AgentOptions::new(Arc::new(model.clone()));
    // The templates have nothing for this fault; their share of the time is not what this is about.
    let limits = VerifyLimits::default().with_trials_timeout(Duration::from_secs(12));
    let policy = policy.with_verify(limits);
    let options = options(directory.path(), None, policy).with_agents(agents);
    let station = Station::with_options(directory.path(), options).await.unwrap();
    let (environment, cancel) = (Environment::read(), CancellationToken::new());
    let mut terminal = Terminal::new(Vec::new(), Look::plain());
    let finished = Demo::new(&station, &environment, &cancel).run(&HARD, &mut terminal).await.unwrap();
    let file = station.artifact_file(finished.artifact.run_id).with_file_name("transcript.jsonl");
    let transcript = std::fs::read_to_string(file).unwrap();
    let events = verify_transcript(&transcript, &finished.artifact.events_digest).unwrap();
    assert_eq!(station.audit(&finished.artifact).await.unwrap(), []);
    station.close().await;
    (finished.artifact, events, directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_rules_cannot_settle_is_found_mended_proven_and_proposed() {
    let model = script();
    let (artifact, events, _directory) = run(&model).await;
    assert_eq!(model.steps_left(), 0, "{:#?}", artifact.outcome);
    assert_eq!(verdict::complaint(HARD.class, &artifact), None);
    assert_eq!(artifact.outcome.state, OutcomeState::Completed);

    let diagnosis = artifact.diagnosis.as_ref().unwrap();
    assert_eq!(diagnosis.depth, Depth::Deep);
    assert!(diagnosis.escalated_because.as_deref().unwrap().contains("below 0.60"));
    assert!(diagnosis.confidence.value() > 0.6 && diagnosis.confidence.value() < 0.95, "settled by code");
    assert_eq!(diagnosis.verified_receipts().0, diagnosis.receipts.len());
    assert!(diagnosis.receipts.iter().any(|receipt| receipt.kind == ReceiptKind::File));

    let fix = artifact.fix.as_ref().unwrap();
    assert_eq!(fix.author, "agent:scripted/model");
    assert_eq!(fix.title, "Charge the restocking fee on the discounted value");
    assert_eq!((fix.added, fix.removed), (2, 2));
    assert_eq!(artifact.engine.models.len(), 1);
    assert!(artifact.engine.prompts.len() >= 4, "{:?}", artifact.engine.prompts);
    for tool in
        ["read_file", "search_code", "bash", "get_spans", "submit_diagnosis", "edit_file", "run_tests"]
    {
        assert!(artifact.context.tools_used.iter().any(|used| used == tool), "{tool}");
    }
    assert_eq!(artifact.budget.used.turns, 10);

    let kinds: Vec<&str> = events.iter().map(|event| kind(&event.event)).collect();
    for wanted in ["model.requested", "model.completed", "tool.called", "tool.output", "tool.completed"] {
        assert!(kinds.contains(&wanted), "{wanted}");
    }
    let proposal = artifact.proposal.as_ref().unwrap();
    for said in ["fix by agent:scripted/model", "models scripted/model", "support/tools.py:60-61"] {
        assert!(proposal.body.contains(said), "{said}: {}", proposal.body);
    }
}

fn kind(event: &EventKind) -> &'static str {
    match event {
        EventKind::ModelRequested { .. } => "model.requested",
        EventKind::ModelCompleted { .. } => "model.completed",
        EventKind::ToolCalled { .. } => "tool.called",
        EventKind::ToolOutput { .. } => "tool.output",
        EventKind::ToolCompleted { .. } => "tool.completed",
        _ => "other",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_does_not_answer_leaves_what_the_rules_found() {
    let model =
        ScriptedModel::new().forever(|_| Err(staso_core::agent::ModelError::Auth { status: Some(401) }));
    let (artifact, events, _directory) = run(&model).await;
    let diagnosis = artifact.diagnosis.unwrap();
    assert_eq!(diagnosis.depth, Depth::Quick);
    assert!(diagnosis.missing.iter().any(|missing| missing.how_to_get.contains("credentials")));
    assert!(artifact.proposal.is_none());
    assert!(events.iter().any(|event| matches!(&event.event, EventKind::Warning { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_sandboxes_the_model_is_asked_for_nothing_that_needs_one() {
    let model = script();
    let off = SandboxSwitch::off().with_place("Settings › Sandbox");
    let (artifact, events, _directory) = run_with(&model, HealPolicy::default().with_sandboxes(off)).await;
    assert_eq!((model.requests().len(), artifact.budget.used.turns), (1, 1), "triage, and nobody after it");
    let refusal = artifact.sandbox_disabled.unwrap();
    assert!(refusal.contains("switch them on in Settings › Sandbox"), "{refusal}");
    let diagnosis = artifact.diagnosis.unwrap();
    assert!(
        diagnosis.depth == Depth::Quick && diagnosis.root_cause.is_some(),
        "who needs no sandbox answers"
    );
    assert!(diagnosis.missing.iter().any(|missing| missing.how_to_get == refusal));
    assert!(artifact.fix.is_none() && artifact.isolation.is_none() && artifact.proposal.is_none());
    let said = |event: &RunEvent| matches!(&event.event, EventKind::Warning { message } if message.contains(&refusal));
    assert!(events.iter().any(said));
}
