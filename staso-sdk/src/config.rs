//! Settings from code and environment, in one order: what the code says, then the variable, then the default.

use std::sync::Arc;

use staso_core::id::{ConversationId, InvalidId, WorkspaceId};

use crate::capture::{BuildFacts, CapturePolicy, EffectivePolicy, strict_bool};
use crate::environment::{Environment, non_empty};
use crate::error::InitError;
use crate::export::Endpoint;
use crate::secret::Secret;

const DEFAULT_WORKSPACE: &str = "default";
const DEFAULT_ENVIRONMENT: &str = "default";
const PLACEHOLDER_KEYS: [&str; 9] = [
    "change-me",
    "changeme",
    "your-api-key",
    "your_api_key",
    "your-key",
    "replace-me",
    "placeholder",
    "<your-api-key>",
    "todo",
];

/// What the application said in code.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) agent: Option<String>,
    pub(crate) agent_version: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) conversation: Option<String>,
    pub(crate) workspace: Option<String>,
    pub(crate) api_key: Option<Secret>,
    pub(crate) endpoint: Option<String>,
    pub(crate) capture: CapturePolicy,
}

/// What is in force.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) enabled: bool,
    pub(crate) agent: Option<String>,
    pub(crate) agent_version: Option<String>,
    pub(crate) environment: String,
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) workspace: WorkspaceId,
    pub(crate) api_key: Option<Secret>,
    pub(crate) endpoint: Endpoint,
    pub(crate) policy: EffectivePolicy,
}

impl Settings {
    pub(crate) fn resolve(
        said: Said,
        variables: &Arc<dyn Environment>,
        facts: Option<&BuildFacts>,
    ) -> Result<Self, InitError> {
        let variables = variables.as_ref();
        let get = |name| non_empty(variables, name);
        let endpoint = said.endpoint.or_else(|| get("STASO_BASE_URL"));
        let conversation = said.conversation.or_else(|| get("STASO_SESSION_ID"));
        let workspace = said.workspace.or_else(|| get("STASO_WORKSPACE_SLUG"));
        let endpoint: Endpoint = endpoint.as_deref().unwrap_or(Endpoint::DEFAULT).parse()?;
        let api_key =
            said.api_key.or_else(|| get("STASO_API_KEY").map(Secret::new)).map(usable).transpose()?;
        if cfg!(not(feature = "tls")) && api_key.is_some() && endpoint.is_encrypted() {
            let reason = "https needs the feature `tls` of this crate".to_owned();
            return Err(InitError::Setting { name: "STASO_BASE_URL", reason });
        }
        Ok(Self {
            enabled: strict_bool(variables, "STASO_ENABLED")?.unwrap_or(true),
            agent: said
                .agent
                .or_else(|| get("STASO_AGENT_NAME"))
                .or_else(|| get("OTEL_SERVICE_NAME"))
                .or_else(|| facts.map(|facts| facts.package.to_owned())),
            agent_version: said
                .agent_version
                .or_else(|| get("STASO_AGENT_VERSION"))
                .or_else(|| facts.map(|facts| facts.version.to_owned())),
            environment: said
                .environment
                .or_else(|| get("STASO_ENVIRONMENT"))
                .unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned()),
            conversation: conversation
                .map(ConversationId::new)
                .transpose()
                .map_err(|error| invalid("STASO_SESSION_ID", &error))?,
            workspace: WorkspaceId::new(workspace.as_deref().unwrap_or(DEFAULT_WORKSPACE))
                .map_err(|error| invalid("STASO_WORKSPACE_SLUG", &error))?,
            api_key,
            endpoint,
            policy: said.capture.resolve(variables)?,
        })
    }
}

fn invalid(name: &'static str, error: &InvalidId) -> InitError {
    InitError::Setting { name, reason: error.reason.to_owned() }
}

/// Refuses what cannot be a key, before it is sent anywhere.
fn usable(key: Secret) -> Result<Secret, InitError> {
    let text = key.expose().trim();
    let refuse = |reason| Err(InitError::ApiKey { reason });
    if text.is_empty() {
        return refuse("it is empty");
    }
    if PLACEHOLDER_KEYS.contains(&text.to_ascii_lowercase().as_str()) {
        return refuse("it is a placeholder");
    }
    if text.len() > 1024 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse("it is longer than 1024 bytes or holds something other than visible ASCII characters");
    }
    Ok(if text.len() == key.expose().len() { key } else { Secret::new(text) })
}
