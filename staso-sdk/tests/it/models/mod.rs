//! Language models, without one: recorded and hand-written answers over a loopback server.

mod configuration;
mod conversation;
mod expected;
mod recordings;
mod replay;
mod retries;
mod secrecy;
mod synthetic;
mod wire;

use std::sync::Mutex;

use serde_json::Value;
use staso::models::{Delivery, ModelConfig, ModelTimeouts, Provider, ProviderModel};
use staso_core::agent::{DeltaSink, ToolSpec};

/// Must never be seen anywhere but in one header.
const CANARY: &str = "sk-canary-5d1f0f7e2a9b4c";

fn config(provider: Provider, base: &str) -> ModelConfig {
    let model = match provider {
        Provider::Anthropic => "claude-test",
        Provider::Gemini => "gemini-test",
        _ => "gpt-test",
    };
    let config = ModelConfig::new(provider, model).unwrap();
    config.with_base_url(base).unwrap().with_key(CANARY).unwrap()
}

fn model(provider: Provider, base: &str, delivery: Delivery) -> ProviderModel {
    config(provider, base).with_delivery(delivery).build().unwrap()
}

/// As short as a test can bear on a busy machine.
fn impatient() -> ModelTimeouts {
    let limit = std::time::Duration::from_millis(300);
    ModelTimeouts::default().with_idle(limit).with_first_byte(limit * 10)
}

fn spec(name: &str) -> ToolSpec {
    let parameters: Value = serde_json::json!({
        "type": "object",
        "properties": { "x": { "type": "number" }, "note": { "type": ["string", "null"] } },
        "required": ["x"],
        "additionalProperties": false,
    });
    ToolSpec { name: name.to_owned(), description: format!("does {name}"), parameters }
}

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    /// Everything since the reply last began anew.
    fn text(&self) -> String {
        self.0.lock().unwrap().concat()
    }

    fn pieces(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl DeltaSink for Heard {
    fn text(&self, piece: &str) {
        self.0.lock().unwrap().push(piece.to_owned());
    }

    fn restarted(&self) {
        self.0.lock().unwrap().clear();
    }
}
