//! Which model, where, and with which key.

use std::fmt::Debug;

use staso_core::agent::{ModelId, ModelLimits, PriceTable};

use super::base_url::BaseUrl;
use super::error::ModelConfigError;
use super::http;
use super::provider::{Delivery, Provider};
use super::provider_model::ProviderModel;
use super::timeouts::ModelTimeouts;
use crate::environment::Environment;
use crate::secret::Secret;

const MAX_KEY_BYTES: usize = 4_096;
const PLACEHOLDER_KEYS: [&str; 6] =
    ["change-me", "changeme", "your-api-key", "your_api_key", "placeholder", "<your-api-key>"];

/// Which model to use, where it is, with which key, and what it costs.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    pub(super) provider: Provider,
    pub(super) model: String,
    pub(super) id: ModelId,
    pub(super) key: Option<Secret>,
    pub(super) limits: ModelLimits,
    pub(super) timeouts: ModelTimeouts,
    pub(super) delivery: Delivery,
    base: Option<BaseUrl>,
    prices: PriceTable,
}

impl ModelConfig {
    /// A model by the provider's name for it, at the provider's own address, with default limits, streamed.
    ///
    /// # Errors
    /// When the name is empty, holds blanks, or is too long.
    pub fn new(provider: Provider, model: impl Into<String>) -> Result<Self, ModelConfigError> {
        let model = model.into();
        let path_like = provider == Provider::Gemini && model.contains(['/', '?', '#', '%']);
        let id = ModelId::new(format!("{}/{model}", provider.name())).ok();
        let Some(id) = id.filter(|_| !model.is_empty() && !path_like) else {
            let reason = format!("{}/ is followed by the name of a model, without blanks", provider.name());
            return Err(ModelConfigError::setting("STASO_MODEL", reason));
        };
        Ok(Self {
            provider,
            model,
            id,
            base: None,
            key: None,
            limits: ModelLimits::default(),
            timeouts: ModelTimeouts::default(),
            delivery: Delivery::default(),
            prices: PriceTable::default(),
        })
    }

    /// What the environment says, `None` when it names no model:
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `STASO_MODEL` | provider and model: `openai/…`, `openai-responses/…`, `anthropic/…`, `gemini/…`, `compatible/…` |
    /// | `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `GEMINI_API_KEY` | the key, for the provider's own address only |
    /// | `STASO_MODEL_KEY` | the key, whatever the address; comes before the others |
    /// | `STASO_MODEL_BASE_URL` | another address than the provider's; `compatible` needs it |
    /// | `STASO_MODEL_CONTEXT_TOKENS`, `STASO_MODEL_OUTPUT_TOKENS` | the limits, in tokens |
    /// | `STASO_MODEL_PRICES` | path of a JSON file: `{"anthropic/claude-…": {"input": 3, "output": 15}}`, in US dollars per million tokens |
    ///
    /// # Errors
    /// When a variable has a value that cannot be used, or one that is needed is missing.
    pub fn from_environment(environment: &dyn Environment) -> Result<Option<Self>, ModelConfigError> {
        super::environment::read(environment)
    }

    /// Sets another address than the provider's own: `https`, or `http` to this machine.
    ///
    /// # Errors
    /// When it is no such address.
    pub fn with_base_url(mut self, url: &str) -> Result<Self, ModelConfigError> {
        let base = BaseUrl::parse(url);
        self.base = Some(base.map_err(|reason| ModelConfigError::setting("STASO_MODEL_BASE_URL", reason))?);
        Ok(self)
    }

    /// Sets the key.
    ///
    /// # Errors
    /// When it is empty, a placeholder, longer than 4,096 bytes, or holds something other than visible ASCII.
    pub fn with_key(mut self, key: impl Into<Secret>) -> Result<Self, ModelConfigError> {
        let key = key.into();
        let text = key.expose().trim();
        let refuse = |reason| Err(ModelConfigError::setting("the key", reason));
        if text.is_empty() {
            return refuse("it is empty");
        }
        if PLACEHOLDER_KEYS.contains(&text.to_ascii_lowercase().as_str()) {
            return refuse("it is a placeholder");
        }
        if text.len() > MAX_KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse(
                "it is longer than 4096 bytes or holds something other than visible ASCII characters",
            );
        }
        self.key = Some(Secret::new(text));
        Ok(self)
    }

    /// Sets what one call can hold.
    #[must_use]
    pub const fn with_limits(mut self, limits: ModelLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long a call may take.
    #[must_use]
    pub const fn with_timeouts(mut self, timeouts: ModelTimeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets how replies are asked for.
    #[must_use]
    pub const fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Sets what models cost.
    #[must_use]
    pub fn with_prices(mut self, prices: PriceTable) -> Self {
        self.prices = prices;
        self
    }

    /// The provider.
    #[must_use]
    pub const fn provider(&self) -> Provider {
        self.provider
    }

    /// Provider and model.
    #[must_use]
    pub const fn id(&self) -> &ModelId {
        &self.id
    }

    /// What one call can hold.
    #[must_use]
    pub const fn limits(&self) -> ModelLimits {
        self.limits
    }

    /// What models cost; empty when nobody said.
    #[must_use]
    pub const fn prices(&self) -> &PriceTable {
        &self.prices
    }

    /// The credentials in use, for a redactor that takes them out of everything else.
    #[must_use]
    pub fn known_secrets(&self) -> Vec<Secret> {
        self.key.clone().into_iter().collect()
    }

    /// The model, without retries. No connection is made yet.
    ///
    /// # Errors
    /// When the address or the key is missing, or TLS cannot be set up.
    pub fn build(&self) -> Result<ProviderModel, ModelConfigError> {
        let base = self.address()?;
        if self.key.is_none()
            && let Some(variable) = self.provider.key_variable()
        {
            let reason = format!("set {variable}, or STASO_MODEL_KEY");
            return Err(ModelConfigError::missing("the key", reason));
        }
        let client = http::client(self.provider, &base, self.key.as_ref(), self.timeouts, self.delivery)?;
        let url = base.join(&self.provider.path(&self.model, self.delivery));
        ProviderModel::new(self.clone(), url, client)
    }

    /// Whether the key of the provider's own variable may be sent to the address in use.
    pub(super) fn is_at_home(&self) -> bool {
        let own = self.provider.base_url().and_then(|url| BaseUrl::parse(url).ok());
        match (&self.base, own) {
            (None, own) => own.is_some(),
            (Some(base), Some(own)) => base.has_origin_of(&own),
            (Some(_), None) => false,
        }
    }

    fn address(&self) -> Result<BaseUrl, ModelConfigError> {
        if let Some(base) = &self.base {
            return Ok(base.clone());
        }
        let Some(url) = self.provider.base_url() else {
            let reason = format!("{} needs the address of the server", self.provider.name());
            return Err(ModelConfigError::missing("STASO_MODEL_BASE_URL", reason));
        };
        BaseUrl::parse(url).map_err(|reason| ModelConfigError::setting("STASO_MODEL_BASE_URL", reason))
    }
}
