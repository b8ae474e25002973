//! Attribution of wrong results of real teams of agents, measured against people's labels.
//!
//! The data is not part of this repository; without it the test says so and passes.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use staso_core::diagnosis::Diagnosis;
use staso_core::id::SpanId;
use staso_core::trace::{
    Captured, Payload, SourceRevision, Span, SpanError, SpanKind, SpanStatus, Timestamp, Trace, TraceLimits,
};

use super::case::diagnose;

#[derive(Deserialize)]
struct Label {
    file: String,
    step: usize,
    agent: String,
    spans: Vec<SpanId>,
}

#[expect(clippy::disallowed_methods, reason = "only this test looks for data outside of the repository")]
fn data() -> Option<PathBuf> {
    let root = std::env::var_os("STASO_SHARED_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")),
        PathBuf::from,
    );
    let folder = root.join("whowhen");
    folder.join("labels.json").is_file().then_some(folder)
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The few fields that these files use.
fn span(value: &Value) -> Span {
    let kind = if text(value, "kind") == "tool" { SpanKind::Tool } else { SpanKind::Agent };
    let start: Timestamp = text(value, "timestamp").parse().unwrap();
    let mut span = Span::new(text(value, "span_id").parse().unwrap(), text(value, "name"), kind, start);
    span.parent_span_id = value["parent_span_id"].as_str().map(|id| id.parse().unwrap());
    span.duration_ns = value["duration_ms"].as_u64().map(|ms| ms * 1_000_000);
    span.agent.name = Some(text(value, "agent_name"));
    span.input = Captured::Present(Payload::new(text(value, "input")));
    span.output = Captured::Present(Payload::new(text(value, "output")));
    if text(value, "status") == "error" {
        span.status = SpanStatus::Error;
        span.error = Some(SpanError {
            message: Captured::Present(text(value, "error_message")),
            ..SpanError::default()
        });
    }
    span
}

fn trace(bytes: &[u8]) -> Trace {
    let body: Value = serde_json::from_slice(bytes).unwrap();
    let trace = &body["traces"][0];
    let spans = trace["spans"].as_array().unwrap().iter().map(span).collect();
    let id = text(trace, "trace_id").parse().unwrap();
    Trace::new(id, SourceRevision::default(), spans, TraceLimits::default()).unwrap()
}

#[derive(Debug, Default)]
struct Score {
    runs: usize,
    step: usize,
    agent: usize,
    top3: usize,
}

impl Score {
    fn add(&mut self, label: &Label, diagnosis: &Diagnosis) {
        let places: Vec<Option<usize>> = diagnosis
            .hypotheses
            .iter()
            .map(|hypothesis| label.spans.iter().position(|span| *span == hypothesis.span_id))
            .collect();
        let agent = diagnosis.hypotheses.first().and_then(|first| first.agent.clone()).unwrap_or_default();
        let role = agent.split(" (").next().unwrap_or_default();
        self.runs += 1;
        self.step += usize::from(places.first() == Some(&Some(label.step)));
        self.agent += usize::from(role.eq_ignore_ascii_case(&label.agent));
        self.top3 += usize::from(places.iter().take(3).any(|place| *place == Some(label.step)));
    }
}

#[tokio::test]
async fn the_decisive_step_is_found_more_often_than_by_any_constant() {
    let Some(folder) = data() else {
        eprintln!(
            "SKIPPED: no labelled failures; set STASO_SHARED_DATA to the directory that holds whowhen/"
        );
        return;
    };
    let labels: Vec<Label> =
        serde_json::from_slice(&std::fs::read(folder.join("labels.json")).unwrap()).unwrap();
    let mut score = Score::default();
    let mut lines = String::new();
    for label in &labels {
        let diagnosis = diagnose(&trace(&std::fs::read(folder.join(&label.file)).unwrap()), None).await;
        score.add(label, &diagnosis);
        lines.push_str(&serde_json::to_string(&diagnosis).unwrap());
        lines.push('\n');
    }
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/attribution.jsonl"), lines).unwrap();
    eprintln!("attribution: {score:?}");
    // The best constant step gets 27 % on one half of the data and 16 % on the other; chance gets 12 % and 4 %.
    assert!(score.step * 100 >= score.runs * 28, "{score:?}");
    assert!(score.agent * 100 >= score.runs * 50, "{score:?}");
    assert!(score.top3 * 100 >= score.runs * 55, "{score:?}");
}
