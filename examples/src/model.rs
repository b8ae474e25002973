//! The model that the program uses: none, the one that the environment names, or one that only shows what it would be sent.

use std::io::Write;
use std::sync::Arc;

use staso::ProcessEnvironment;
use staso::heal::AgentOptions;
use staso::models::{ModelConfig, ModelConfigError, PreviewModel};
use staso_core::agent::{LanguageModel as _, ModelId, ModelLimits};

/// The model of the environment, or `None`. With `preview`, nothing is sent: every first request is written there.
///
/// # Errors
/// When the environment names a model that cannot be used.
pub fn agents(preview: Option<Box<dyn Write + Send>>) -> Result<Option<AgentOptions>, ModelConfigError> {
    let Some(out) = preview else {
        return AgentOptions::from_environment(&ProcessEnvironment);
    };
    let config = ModelConfig::from_environment(&ProcessEnvironment)?;
    let (id, limits) = match &config {
        Some(config) => (config.id().clone(), config.limits()),
        None => match ModelId::new("preview/none") {
            Ok(id) => (id, ModelLimits::default()),
            Err(_) => return Ok(None),
        },
    };
    Ok(Some(AgentOptions::new(Arc::new(PreviewModel::writing(id, limits, out)))))
}

/// What the user is told of the model, in one line.
#[must_use]
pub fn described(agents: Option<&AgentOptions>, preview: bool) -> String {
    match agents {
        None => "model     none; set STASO_MODEL to let one look at what the rules cannot settle".to_owned(),
        Some(agents) if preview => {
            format!("model     {} would be sent what is shown; nothing is sent", agents.model.id())
        }
        Some(agents) => format!("model     {} is asked when the rules are not sure", agents.model.id()),
    }
}
