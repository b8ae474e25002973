//! The hash chain over the transcript of a run.

use std::sync::{Arc, Mutex};

use staso_core::agent::{ModelId, StopReason, TokenUsage, ToolCall};
use staso_core::diagnosis::Confidence;
use staso_core::id::Digest;
use staso_core::run::{
    BudgetUse, EventKind, EventSink, OutcomeState, Phase, RunEvent, TranscriptError, verify_transcript,
};
use staso_core::testing::test_context;

#[derive(Debug, Default)]
struct Collected(Mutex<Vec<RunEvent>>);

impl EventSink for Collected {
    fn emit(&self, event: &RunEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// One event of every kind, the last one terminal.
pub(crate) fn events() -> Vec<RunEvent> {
    let text = |text: &str| text.to_owned();
    recorded(vec![
        EventKind::RunStarted { subject: text("trace ÄÖ") },
        EventKind::PhaseChanged { phase: Phase::Quick },
        EventKind::ModelRequested {
            agent: text("deep"),
            turn: 1,
            model: ModelId::new("scripted/one").unwrap(),
            system: Digest::of("you are"),
            said: vec![text("look")],
            estimated_tokens: 3,
            masked: 0,
        },
        EventKind::ModelDelta { agent: text("deep"), turn: 1, text: text("I ") },
        EventKind::ModelCompleted {
            agent: text("deep"),
            turn: 1,
            text: text("I look"),
            calls: vec![ToolCall { id: text("c1"), name: text("bash"), arguments: text("{}") }],
            stop: StopReason::ToolCalls,
            usage: TokenUsage::new(10, 2),
            duration_ms: 7,
        },
        EventKind::Redirected { text: text("look at a.py") },
        EventKind::ToolCalled { call: text("t1"), tool: text("bash"), summary: text("ls \"x\"\n") },
        EventKind::ToolOutput { call: text("t1"), tool: text("bash"), text: text("a.py") },
        EventKind::ToolCompleted { call: text("t1"), tool: text("bash"), ok: true, duration_ms: 12 },
        EventKind::ReceiptChecked { receipt: text("r1"), verified: false },
        EventKind::DiagnosisReady { summary: text("why"), confidence: Confidence::new(0.8251).value() },
        EventKind::PatchUpdated { files: vec![text("a.py")], why: text("so") },
        EventKind::CheckStarted { name: text("tests"), at: text("patched") },
        EventKind::CheckCompleted {
            name: text("tests"),
            at: text("patched"),
            ok: true,
            result: text("12 passed"),
        },
        EventKind::BudgetUpdated { used: BudgetUse { turns: 1, ..BudgetUse::default() } },
        EventKind::ProposalOpened { branch: text("fix/staso-1"), url: text("git show") },
        EventKind::Warning { message: text("labels") },
        EventKind::RunCompleted { outcome: OutcomeState::Completed, reason: text("done") },
    ])
}

fn recorded(kinds: Vec<EventKind>) -> Vec<RunEvent> {
    let collected = Arc::new(Collected::default());
    let ctx = test_context().with_sinks(vec![collected.clone()]);
    for kind in kinds {
        ctx.emit(kind);
    }
    let events = collected.0.lock().unwrap().clone();
    assert_eq!(ctx.events_digest(), events.last().unwrap().digest);
    events
}

fn transcript(events: &[RunEvent]) -> (String, Digest) {
    let lines: Vec<String> = events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    (lines.join("\n") + "\n", events.last().unwrap().digest.clone())
}

#[test]
fn a_whole_transcript_verifies_to_its_events() {
    let events = events();
    let (text, digest) = transcript(&events);
    assert_eq!(verify_transcript(&text, &digest).unwrap(), events);
    assert!(events.iter().rev().skip(1).all(|event| !event.event.is_terminal()));
}

#[test]
fn every_flipped_bit_is_found() {
    let kinds = vec![
        EventKind::RunStarted { subject: "trace ÄÖ".to_owned() },
        EventKind::DiagnosisReady { summary: "a \"why\"\n".to_owned(), confidence: 0.825 },
        EventKind::RunCancelled { reason: "by the host".to_owned() },
    ];
    let (text, digest) = transcript(&recorded(kinds));
    // The line break at the very end belongs to no event.
    for at in 0..text.len() - 1 {
        for bit in 0..8 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(flipped) = String::from_utf8(bytes) else { continue };
            let verdict = verify_transcript(&flipped, &digest);
            assert!(verdict.is_err(), "bit {bit} of byte {at}: {:?}", flipped.get(at.saturating_sub(20)..));
        }
    }
}

#[test]
fn lines_cannot_go_come_or_change_places() {
    let (text, digest) = transcript(&events());
    let lines: Vec<&str> = text.lines().collect();
    let verdict = |lines: &[&str]| verify_transcript(&lines.join("\n"), &digest).map(|events| events.len());
    for at in 0..lines.len() - 1 {
        let mut fewer = lines.clone();
        fewer.remove(at);
        assert_eq!(verdict(&fewer), Err(TranscriptError::Broken { line: at + 1 }));
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        assert_eq!(verdict(&twice), Err(TranscriptError::Broken { line: at + 2 }));
        let mut swapped = lines.clone();
        swapped.swap(at, at + 1);
        assert_eq!(verdict(&swapped), Err(TranscriptError::Broken { line: at + 1 }));
    }
    assert_eq!(verdict(&lines[..lines.len() - 1]), Err(TranscriptError::WrongEnd));
    assert_eq!(verdict(&[]), Err(TranscriptError::WrongEnd));
    assert_eq!(
        verdict(&[lines[0], &lines[1].replacen(':', ": ", 1)]),
        Err(TranscriptError::Broken { line: 2 })
    );
}

#[test]
fn nothing_follows_the_end_of_a_run() {
    let end = EventKind::RunFailed { reason: "broke".to_owned() };
    let events = recorded(vec![end.clone(), EventKind::Warning { message: "late".to_owned() }, end]);
    assert_eq!(events.len(), 1);
}
