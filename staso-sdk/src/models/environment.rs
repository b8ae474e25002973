//! A model's settings from the environment.

use std::fs::File;
use std::io::Read as _;

use staso_core::agent::{ModelLimits, PriceTable};

use super::config::ModelConfig;
use super::error::ModelConfigError;
use super::provider::Provider;
use crate::environment::{Environment, non_empty};

const MAX_PRICES_BYTES: u64 = 1 << 20;
const OTHERS: [&str; 5] = [
    "STASO_MODEL_BASE_URL",
    "STASO_MODEL_KEY",
    "STASO_MODEL_CONTEXT_TOKENS",
    "STASO_MODEL_OUTPUT_TOKENS",
    "STASO_MODEL_PRICES",
];

pub(super) fn read(environment: &dyn Environment) -> Result<Option<ModelConfig>, ModelConfigError> {
    let get = |name| non_empty(environment, name);
    let Some(model) = get("STASO_MODEL") else {
        return match OTHERS.into_iter().find(|name| get(name).is_some()) {
            None => Ok(None),
            Some(name) => Err(ModelConfigError::missing(
                "STASO_MODEL",
                format!("{name} is set, but no model; e.g. anthropic/claude-sonnet-4-5"),
            )),
        };
    };
    let named = model.split_once('/').and_then(|(provider, model)| Some((Provider::named(provider)?, model)));
    let Some((provider, model)) = named else {
        let reason = format!("it is PROVIDER/MODEL, and the provider one of {}", Provider::names());
        return Err(ModelConfigError::setting("STASO_MODEL", reason));
    };
    let mut config = ModelConfig::new(provider, model)?;
    if let Some(url) = get("STASO_MODEL_BASE_URL") {
        config = config.with_base_url(&url)?;
    }
    if let Some(path) = get("STASO_MODEL_PRICES") {
        config = config.with_prices(prices(&path)?);
    }
    let limits = config.limits();
    let context = tokens(environment, "STASO_MODEL_CONTEXT_TOKENS")?.unwrap_or(limits.context_tokens);
    let output =
        tokens(environment, "STASO_MODEL_OUTPUT_TOKENS")?.unwrap_or(limits.output_tokens.min(context));
    if output > context {
        let reason = "a reply cannot be longer than the context";
        return Err(ModelConfigError::setting("STASO_MODEL_OUTPUT_TOKENS", reason));
    }
    with_key(config.with_limits(ModelLimits::new(context, output)), environment).map(Some)
}

/// The key of a provider's own variable goes to the provider alone, never to an address that another variable names.
fn with_key(config: ModelConfig, environment: &dyn Environment) -> Result<ModelConfig, ModelConfigError> {
    let renamed = |name: &'static str| {
        move |error| match error {
            ModelConfigError::Setting { reason, .. } => ModelConfigError::Setting { name, reason },
            other => other,
        }
    };
    if let Some(key) = non_empty(environment, "STASO_MODEL_KEY") {
        return config.with_key(key).map_err(renamed("STASO_MODEL_KEY"));
    }
    let Some(variable) = config.provider().key_variable() else { return Ok(config) };
    if !config.is_at_home() {
        let reason = format!("STASO_MODEL_BASE_URL names another address, to which {variable} is not sent");
        return Err(ModelConfigError::missing("STASO_MODEL_KEY", reason));
    }
    match non_empty(environment, variable) {
        Some(key) => config.with_key(key).map_err(renamed(variable)),
        None => {
            let reason = format!("{} needs a key; STASO_MODEL_KEY does as well", config.id());
            Err(ModelConfigError::missing(variable, reason))
        }
    }
}

fn tokens(environment: &dyn Environment, name: &'static str) -> Result<Option<u64>, ModelConfigError> {
    let Some(text) = non_empty(environment, name) else { return Ok(None) };
    match text.parse() {
        Ok(count) if (256..=100_000_000).contains(&count) => Ok(Some(count)),
        _ => Err(ModelConfigError::setting(name, "it is a number of tokens from 256 to 100000000")),
    }
}

fn prices(path: &str) -> Result<PriceTable, ModelConfigError> {
    let refuse = |reason: &str| ModelConfigError::setting("STASO_MODEL_PRICES", reason);
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_PRICES_BYTES + 1).read_to_string(&mut text));
    read.map_err(|_| refuse("the file cannot be read as text"))?;
    if text.len() as u64 > MAX_PRICES_BYTES {
        return Err(refuse("the file is larger than 1 MiB"));
    }
    serde_json::from_str(&text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        refuse(&format!(r#"{place} is not of the form {{"PROVIDER/MODEL": {{"input": 3, "output": 15}}}}"#))
    })
}
