//! Settings, what is said about wrong ones, and the preview.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use staso::models::{ModelConfig, ModelConfigError, PreviewModel};
use staso_core::agent::{
    LanguageModel as _, Message, ModelError, ModelId, ModelLimits, ModelRequest, ToolChoice,
};
use staso_core::testing::test_context;

use super::{CANARY, spec};

fn read(variables: &[(&str, &str)]) -> Result<Option<ModelConfig>, ModelConfigError> {
    let environment: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ModelConfig::from_environment(&environment)
}

#[test]
fn no_model_is_a_configuration() {
    assert!(read(&[]).unwrap().is_none());
    assert!(read(&[("STASO_MODEL", " ")]).unwrap().is_none());
    // A key that lies about for something else is no wish for a model.
    assert!(read(&[("OPENAI_API_KEY", CANARY)]).unwrap().is_none());
}

#[test]
fn every_provider_can_be_named() {
    for (model, variable) in [
        ("openai/gpt-5", "OPENAI_API_KEY"),
        ("openai-responses/gpt-5", "OPENAI_API_KEY"),
        ("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY"),
        ("gemini/gemini-2.5-pro", "GEMINI_API_KEY"),
    ] {
        let config = read(&[("STASO_MODEL", model), (variable, CANARY)]).unwrap().unwrap();
        assert_eq!(config.id().as_str(), model);
        assert_eq!(config.build().unwrap().id().as_str(), model);
    }
    let local =
        [("STASO_MODEL", "compatible/org/model:7b"), ("STASO_MODEL_BASE_URL", "http://127.0.0.1:8080/v1")];
    let config = read(&local).unwrap().unwrap();
    assert_eq!(config.id().as_str(), "compatible/org/model:7b");
    assert!(config.known_secrets().is_empty());
    config.build().unwrap();
}

#[test]
fn limits_and_prices_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.json");
    std::fs::write(&path, r#"{"openai/gpt-5": {"input": 1.25, "output": 10, "cached_input": 0.125}}"#)
        .unwrap();
    let mut variables = vec![
        ("STASO_MODEL", "openai/gpt-5"),
        ("STASO_MODEL_KEY", CANARY),
        ("STASO_MODEL_CONTEXT_TOKENS", "400000"),
        ("STASO_MODEL_OUTPUT_TOKENS", "64000"),
        ("STASO_MODEL_PRICES", path.to_str().unwrap()),
    ];
    let config = read(&variables).unwrap().unwrap();
    assert_eq!(config.limits(), ModelLimits::new(400_000, 64_000));
    assert_eq!(config.prices().price(config.id()).unwrap().cached_input, Some(0.125));
    variables.retain(|(name, _)| *name != "STASO_MODEL_OUTPUT_TOKENS");
    assert_eq!(read(&variables).unwrap().unwrap().limits(), ModelLimits::new(400_000, 8_192));
}

#[test]
fn what_is_wrong_is_said_without_repeating_it() {
    let folder = tempfile::tempdir().unwrap();
    let prices = folder.path().join("prices.json");
    std::fs::write(&prices, r#"{"openai/gpt-5": {"price": 3}}"#).unwrap();
    let good = [("STASO_MODEL", "openai/gpt-5"), ("OPENAI_API_KEY", CANARY)];
    let with = |name, value| [good[0], good[1], (name, value)];
    let cases: Vec<Vec<(&str, &str)>> = vec![
        vec![("STASO_MODEL_BASE_URL", "https://example.com")],
        vec![("STASO_MODEL", "gpt-5")],
        vec![("STASO_MODEL", "gpt/5")],
        vec![("STASO_MODEL", "openai/")],
        vec![("STASO_MODEL", "gemini/../secrets")],
        vec![("STASO_MODEL", "anthropic/claude-sonnet-4-5")],
        vec![good[0], ("OPENAI_API_KEY", "your-api-key")],
        vec![good[0], ("STASO_MODEL_KEY", "sk canary")],
        with("STASO_MODEL_BASE_URL", "http://example.com/v1").into(),
        with("STASO_MODEL_BASE_URL", "https://me:sk-canary@example.com/v1").into(),
        with("STASO_MODEL_BASE_URL", "https://gateway.example.com/v1").into(),
        with("STASO_MODEL_CONTEXT_TOKENS", "many").into(),
        with("STASO_MODEL_OUTPUT_TOKENS", "200000").into(),
        with("STASO_MODEL_PRICES", "/nowhere/prices.json").into(),
        with("STASO_MODEL_PRICES", prices.to_str().unwrap()).into(),
    ];
    let said: Vec<String> = cases.iter().map(|case| read(case).unwrap_err().to_string()).collect();
    let missing = read(&[("STASO_MODEL", "compatible/m")]).unwrap().unwrap().build().unwrap_err().to_string();
    let all = format!("{}\n{missing}", said.join("\n"));
    assert!(!all.contains("canary"), "{all}");
    insta::assert_snapshot!(all);
}

#[test]
fn a_gateway_gets_its_own_key() {
    let gateway = ("STASO_MODEL_BASE_URL", "https://gateway.example.com/v1");
    let both = [
        ("STASO_MODEL", "openai/gpt-5"),
        gateway,
        ("OPENAI_API_KEY", "sk-other"),
        ("STASO_MODEL_KEY", CANARY),
    ];
    let config = read(&both).unwrap().unwrap();
    assert_eq!(config.known_secrets()[0].expose(), CANARY);
}

#[tokio::test]
async fn a_preview_shows_everything_and_sends_nothing() {
    let shown: Arc<Mutex<Vec<Value>>> = Arc::default();
    let log = Arc::clone(&shown);
    let id = ModelId::new("openai/gpt-5").unwrap();
    let model = PreviewModel::new(id, ModelLimits::default(), move |request| {
        log.lock().unwrap().push(request.clone());
    });
    let tools = [spec("add")];
    let tools: Vec<_> = tools.iter().collect();
    let messages = [Message::user("Why?")];
    let request = ModelRequest::new("Be brief.", &messages).with_tools(&tools, ToolChoice::Named("add"));
    let error = model.complete(&request, &test_context()).await.unwrap_err();
    assert!(matches!(error, ModelError::Backend { provider: "preview", .. }) && !error.is_retryable());
    let shown = shown.lock().unwrap()[0].clone();
    assert_eq!(shown["system"], "Be brief.");
    assert_eq!(shown["messages"], json!([{ "role": "user", "text": "Why?" }]));
    assert_eq!(shown["tools"][0]["name"], "add");
    assert_eq!(shown["tool_choice"], json!({ "tool": "add" }));
}
