//! Every planted fault: it fits, the agent's own tests do not notice, and the failing run leaves a usable trace.

use std::collections::BTreeSet;

use staso_examples::agent_process::answer_ticket;
use staso_examples::agent_repository::{AgentRepository, RepositoryError, plant};
use staso_examples::environment::Environment;
use staso_examples::git::Git;
use staso_examples::scenario::{DEFAULTS, Edit, FaultClass, Scenario, find};
use staso_examples::variants::VARIANTS;

use crate::agent::unit_tests;
use crate::recording_server::{Answer, RecordingServer};
use crate::wire_rules::{SentSpan, checked_spans};

fn all() -> impl Iterator<Item = &'static Scenario> {
    DEFAULTS.iter().chain(VARIANTS)
}

/// Plants the fault, runs the agent and returns what it sent.
async fn spans_of(scenario: &Scenario) -> Vec<SentSpan> {
    let directory = tempfile::tempdir().unwrap();
    let environment = Environment::read();
    let git = Git::new(environment.clone());
    let repository = AgentRepository::create(directory.path(), Some(scenario), &git).await.unwrap();
    let (passed, summary) = unit_tests(repository.clone_directory());
    assert!(passed, "{}: its own tests notice: {summary}", scenario.name);

    let server = RecordingServer::start(Answer::Accept);
    let clone = repository.clone_directory();
    let run = answer_ticket(clone, scenario.ticket, Some(server.url()), &environment).await.unwrap();
    assert_eq!(run.exit_code, Some(1), "{}: {}", scenario.name, run.stdout);
    let spans = checked_spans(&server.requests());
    let root = spans.last().unwrap();
    assert_eq!(root.attribute("vcs.commit.sha"), repository.commit());
    assert_eq!(root.attribute("vcs.branch"), "main");
    assert_eq!(root.attribute("vcs.repo_url"), format!("file://{}", repository.origin().display()));
    assert_eq!(root.attributes["vcs.is_dirty"], false);
    assert!(["error", "timeout"].contains(&root.text("status")), "{}", scenario.name);
    assert_eq!(git.run(clone, &["status", "--porcelain"]).await.unwrap(), "", "{}", scenario.name);
    spans
}

async fn failing_spans_of(class: FaultClass) -> Vec<(&'static Scenario, Vec<SentSpan>)> {
    let mut found = Vec::new();
    for scenario in all().filter(|scenario| scenario.class == class) {
        found.push((scenario, spans_of(scenario).await));
    }
    found
}

#[test]
fn names_are_unique_and_found() {
    let names: BTreeSet<_> = all().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), DEFAULTS.len() + VARIANTS.len());
    assert!(names.iter().all(|name| find(name).is_some_and(|scenario| scenario.name == *name)));
    assert!(VARIANTS.iter().all(|scenario| scenario.name.starts_with("variant-")));
    assert!(find("variant").is_none());
}

#[tokio::test]
async fn code_faults_end_in_a_tool_or_the_agent_with_frames_of_the_program() {
    for (scenario, spans) in failing_spans_of(FaultClass::Code).await {
        let failed = spans.iter().find(|span| span.text("status") == "error").unwrap();
        let file = scenario.edits[scenario.edits.len() - 1].file;
        assert!(
            failed.attribute("exception.stacktrace").contains(file),
            "{}: {}",
            scenario.name,
            failed.attribute("exception.stacktrace")
        );
    }
}

#[tokio::test]
async fn prompt_faults_leave_a_placeholder_in_the_prompt_and_no_reply() {
    for (scenario, spans) in failing_spans_of(FaultClass::Prompt).await {
        let rendered = spans
            .iter()
            .any(|span| span.text("name") == "render_prompt" && span.text("output").contains("{{"));
        let asked = spans.iter().any(|span| span.text("kind") == "llm" && span.text("input").contains("{{"));
        assert!(rendered && asked, "{}", scenario.name);
        assert_eq!(spans.last().unwrap().attribute("exception.type"), "ReplyRejected", "{}", scenario.name);
    }
}

#[tokio::test]
async fn config_faults_show_the_limit_that_they_hit() {
    for (scenario, spans) in failing_spans_of(FaultClass::Config).await {
        let edit = scenario.edits[0];
        let (key, value) = edit.replace.split_once(": ").unwrap();
        let (key, value) = (key.trim_matches('"'), value.trim_matches('"'));
        let shown = spans.iter().any(|span| {
            span.text("error_message").contains(value)
                && (key == "model" || span.text("error_message").contains(key))
                || span.attributes["gen_ai.response.finish_reasons"] == serde_json::json!(["length"])
                    && span.attributes["gen_ai.request.max_tokens"].as_u64() == value.parse().ok()
        });
        assert!(shown, "{}", scenario.name);
    }
}

#[tokio::test]
async fn outages_fail_every_attempt_with_the_provider_s_status() {
    for (scenario, spans) in failing_spans_of(FaultClass::Outage).await {
        let failed: Vec<_> = spans
            .iter()
            .filter(|span| span.text("kind") == "llm" && span.text("status") == "error")
            .collect();
        assert_eq!(failed.len(), 3, "{}", scenario.name);
        assert!(failed.iter().all(|span| {
            span.attribute("exception.type") == "ProviderOverloaded"
                && [503, 529]
                    .map(serde_json::Value::from)
                    .contains(&span.attributes["http.response.status_code"])
        }));
    }
}

#[tokio::test]
async fn the_same_scenario_is_the_same_commit() {
    let git = Git::new(Environment::read());
    let mut commits = BTreeSet::new();
    for _ in 0..2 {
        let directory = tempfile::tempdir().unwrap();
        let repository = AgentRepository::create(directory.path(), Some(&DEFAULTS[0]), &git).await.unwrap();
        commits.insert(repository.commit().to_owned());
    }
    assert_eq!(commits.len(), 1);
}

#[test]
fn an_edit_that_does_not_fit_exactly_once_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.txt"), "one one two").unwrap();
    for (find, expected) in [("one", 2), ("three", 0)] {
        let edits = [Edit { file: "a.txt", find, replace: "" }];
        let refused = plant(&edits, directory.path());
        assert!(matches!(refused, Err(RepositoryError::Edit { found, .. }) if found == expected));
    }
    assert_eq!(std::fs::read_to_string(directory.path().join("a.txt")).unwrap(), "one one two");
}
