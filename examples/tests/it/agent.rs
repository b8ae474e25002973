//! The healthy agent.

use std::path::Path;
use std::process::Command;

use staso_examples::agent_process::{AgentRun, answer_ticket};
use staso_examples::environment::Environment;

use crate::recording_server::{Answer, RecordingServer};
use crate::wire_rules::checked_spans;

pub(crate) const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/agents/support");

/// The summary of the agent's own unit tests in `directory`, and whether they pass.
pub(crate) fn unit_tests(directory: &Path) -> (bool, String) {
    let mut command = Command::new("python3");
    command.args(["-B", "-m", "unittest"]).current_dir(directory).env_remove("STASO_BASE_URL");
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn tickets() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(DIRECTORY).join("data/tickets.json")).unwrap();
    let tickets: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    tickets.into_iter().map(|(id, _)| id).collect()
}

async fn answer(ticket: &str, sink: Option<&str>) -> AgentRun {
    answer_ticket(Path::new(DIRECTORY), ticket, sink, &Environment::read()).await.unwrap()
}

#[test]
fn its_own_tests_pass() {
    let (passed, summary) = unit_tests(Path::new(DIRECTORY));
    assert!(passed && summary.contains("Ran 4"), "{summary}");
}

#[tokio::test]
async fn every_ticket_is_answered() {
    let tickets = tickets();
    assert!(tickets.len() >= 8);
    for ticket in tickets {
        let run = answer(&ticket, None).await;
        assert!(run.answered(), "{ticket}: {}", run.stderr);
        let reply: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert!(reply["body"].as_str().unwrap().contains("Mara, Fjord Outfitters support"), "{ticket}");
    }
}

#[tokio::test]
async fn a_healthy_run_sends_its_spans_in_the_wire_format() {
    let server = RecordingServer::start(Answer::Accept);
    assert!(answer("T-1002", Some(server.url())).await.answered());
    let spans = checked_spans(&server.requests());
    let names: Vec<_> = spans.iter().map(|span| span.text("name")).collect();
    for name in ["render_prompt", "chat", "lookup_order", "calculate_refund", "reply_prompt", "parse_reply"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    let refund = spans.iter().find(|span| span.text("name") == "calculate_refund").unwrap();
    let expected = serde_json::json!({
        "order_id": "A-10240", "sku": "STV-GAS", "quantity": 1, "requested_on": "2026-03-12",
    });
    assert_eq!(refund.input, expected);
    assert!(spans.iter().all(|span| span.text("status") == "ok"));
}

#[tokio::test]
async fn a_batch_that_was_not_taken_is_sent_again_under_the_same_key() {
    let server = RecordingServer::start(Answer::FailOnce);
    let run = answer("T-1003", Some(server.url())).await;
    assert!(run.answered() && !run.stderr.contains("not delivered"), "{}", run.stderr);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].header("idempotency-key"), requests[1].header("idempotency-key"));
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn an_acknowledgement_that_is_not_exact_is_no_delivery() {
    let server = RecordingServer::start(Answer::DropASpan);
    let run = answer("T-1003", Some(server.url())).await;
    assert!(run.answered());
    assert!(run.stderr.contains("malformed_response (spans_dropped is 1, not 0)"), "{}", run.stderr);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn the_agent_answers_when_the_sink_is_down() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let run = answer("T-1003", Some(&format!("http://127.0.0.1:{port}"))).await;
    assert!(run.answered());
    assert!(run.complaint().contains("network_unavailable"), "{}", run.stderr);
}

#[tokio::test]
async fn a_ticket_that_does_not_exist_is_an_error() {
    let run = answer("T-9999", None).await;
    assert_eq!(run.exit_code, Some(1));
    assert_eq!(run.complaint(), "support.errors.ToolRefused: there is no ticket T-9999");
}
