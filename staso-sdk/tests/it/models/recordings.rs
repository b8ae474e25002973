//! Recorded answers of real providers, all of them, decoded through the public API. They stand outside of the repository.

use std::path::PathBuf;

use serde::Deserialize;
use staso::models::{Delivery, Provider};
use staso_core::agent::{LanguageModel as _, Message, ModelRequest, ToolChoice, ToolResult};
use staso_core::testing::test_context;
use yaml_rust2::{Yaml, YamlLoader};

use super::expected::{EXPECTED, Expected, seen};
use super::replay::{Answer, Replay};
use super::{Heard, model, spec};

#[derive(Debug, Deserialize)]
struct Entry {
    file: String,
    api: String,
    streaming: bool,
}

#[expect(clippy::disallowed_methods, reason = "where the recordings are is a matter of the machine")]
fn folder() -> Option<PathBuf> {
    let data = std::env::var_os("STASO_SHARED_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    Some(data.join("provider-recordings")).filter(|folder| folder.join("index.json").is_file())
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(test: &str) {
    eprintln!(
        "SKIPPED {test}: the recordings are not here. Set STASO_SHARED_DATA to the folder that holds \
         provider-recordings. NOTHING WAS CHECKED."
    );
}

fn text(yaml: &Yaml) -> String {
    yaml.as_str().unwrap_or_default().to_owned()
}

/// JSON of what a recorder wrote as YAML.
fn json(yaml: &Yaml) -> serde_json::Value {
    match yaml {
        Yaml::Hash(fields) => fields.iter().map(|(name, value)| (text(name), json(value))).collect(),
        Yaml::Array(items) => items.iter().map(json).collect(),
        Yaml::String(text) => text.as_str().into(),
        Yaml::Integer(number) => (*number).into(),
        Yaml::Real(number) => number.parse::<f64>().unwrap().into(),
        Yaml::Boolean(value) => (*value).into(),
        _ => serde_json::Value::Null,
    }
}

fn answers(file: &str) -> Vec<Answer> {
    let source = std::fs::read_to_string(folder().unwrap().join(file)).unwrap();
    let documents = YamlLoader::load_from_str(&source).unwrap();
    let mut answers = Vec::new();
    for document in &documents {
        let then = &document["then"];
        if !then.is_badvalue() {
            let headers = then["header"].as_vec().unwrap();
            let kind = headers.iter().find(|header| header["name"].as_str() == Some("content-type"));
            let status = u16::try_from(then["status"].as_i64().unwrap()).unwrap();
            let kind = kind.map_or_else(String::new, |kind| text(&kind["value"]));
            answers.push(Answer::new(status, &kind, text(&then["body"])));
        }
        for interaction in document["interactions"].as_vec().into_iter().flatten() {
            let response = &interaction["response"];
            let parsed = &response["parsed_body"];
            let body = if parsed.is_badvalue() {
                text(&response["body"]["string"])
            } else {
                json(parsed).to_string()
            };
            let status = u16::try_from(response["status"]["code"].as_i64().unwrap()).unwrap();
            answers.push(Answer::new(status, &text(&response["headers"]["content-type"][0]), body));
        }
    }
    assert!(!answers.is_empty(), "{file} holds no answer");
    answers
}

fn provider(api: &str) -> Provider {
    match api {
        "chat-completions" => Provider::Compatible,
        "responses" => Provider::OpenAiResponses,
        "messages" => Provider::Anthropic,
        "generate-content" | "vertex-generate-content" => Provider::Gemini,
        other => panic!("{other}"),
    }
}

/// Plays a recording, one call for each answer, the conversation going on with made-up results.
async fn played(entry: &Entry, piece: usize) -> Vec<String> {
    let answers: Vec<Answer> =
        answers(&entry.file).into_iter().map(|answer| answer.in_pieces(piece)).collect();
    let calls = answers.len();
    let replay = Replay::start(answers).await;
    let delivery = if entry.streaming { Delivery::Streamed } else { Delivery::Whole };
    let model = model(provider(&entry.api), &replay.base, delivery);
    let tools = [spec("add")];
    let tools: Vec<_> = tools.iter().collect();
    let mut messages = vec![Message::user("Go on.")];
    let mut all = Vec::new();
    for _ in 0..calls {
        let heard = Heard::default();
        let request = ModelRequest::new("Be brief.", &messages)
            .with_tools(&tools, ToolChoice::Auto)
            .with_deltas(&heard);
        let answer = model.complete(&request, &test_context()).await;
        all.push(seen(&answer));
        let Ok(reply) = answer else { continue };
        assert_eq!(heard.text(), reply.text, "{}: the pieces are not the text", entry.file);
        let results = reply.calls.iter().map(|call| ToolResult {
            call_id: call.id.clone(),
            name: call.name.clone(),
            content: format!("result of {}", call.id),
            ok: true,
        });
        let results: Vec<_> = results.collect();
        messages.push(Message::Assistant { text: reply.text, calls: reply.calls, state: reply.state });
        messages.push(if results.is_empty() { Message::user("And?") } else { Message::Tool { results } });
    }
    for (asked, turn) in replay.finish().iter().zip(0..) {
        let body = asked.body.to_string();
        assert!(turn == 0 || body.contains("result of ") || body.matches("Go on.").count() == 1);
    }
    all
}

fn entries() -> Option<Vec<Entry>> {
    let index = std::fs::read_to_string(folder()?.join("index.json")).unwrap();
    Some(serde_json::from_str(&index).unwrap())
}

fn expected(file: &str) -> &'static Expected {
    EXPECTED
        .iter()
        .find(|expected| expected.0 == file)
        .unwrap_or_else(|| panic!("nothing is expected of {file}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recording_is_read_whole_and_in_pieces() {
    let Some(entries) = entries() else { return skipped("every_recording_is_read_whole_and_in_pieces") };
    assert_eq!(entries.len(), EXPECTED.len(), "recordings came or went");
    let mut wrong = Vec::new();
    for entry in &entries {
        for piece in [usize::MAX, 7, 1] {
            let turns = played(entry, piece).await;
            let wanted = expected(&entry.file).1;
            if turns != wanted {
                wrong.push(format!("{} in pieces of {piece}:\n  {turns:#?}\n  not {wanted:#?}", entry.file));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
