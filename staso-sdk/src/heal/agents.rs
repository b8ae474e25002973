//! Lets a model work in runs.

use std::sync::Arc;

use staso_core::agent::{AgentLimits, LanguageModel, PriceTable, Tool};
use staso_core::deep::{DeepDiagnoser, TriageDiagnoser};
use staso_core::fix::AgentFixer;
use staso_core::heal::{HealPolicy, HealerBuilder};
use staso_core::redaction::Redactor;
use staso_core::sandbox::Sandbox;

/// A model at work in runs, and what it may use.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AgentOptions {
    /// The model.
    pub model: Arc<dyn LanguageModel>,
    /// What models cost; needed by limits on money. Default empty.
    pub prices: PriceTable,
    /// Takes credentials out of everything that the model reads. Give it those of the host. Default: the forms of common
    /// credentials.
    pub redactor: Redactor,
    /// Tools of the host for the agents in a sandbox, beside Staso's own. Default none.
    pub tools: Vec<Arc<dyn Tool>>,
    /// Attempts at a fix, from 1 to 3. Default 1.
    pub fix_samples: usize,
    /// What triage may use. Default that of [`TriageDiagnoser`].
    pub triage: Option<AgentLimits>,
    /// What the deep diagnosis may use. Default that of [`DeepDiagnoser`].
    pub deep: Option<AgentLimits>,
    /// What one attempt at a fix may use. Default that of [`AgentFixer`].
    pub fix: Option<AgentLimits>,
}

impl AgentOptions {
    /// This model with default limits.
    #[must_use]
    pub fn new(model: Arc<dyn LanguageModel>) -> Self {
        Self {
            model,
            prices: PriceTable::default(),
            redactor: Redactor::default(),
            tools: Vec::new(),
            fix_samples: 1,
            triage: None,
            deep: None,
            fix: None,
        }
    }

    /// The model that the environment names, with retries, its prices, and its key known to the redactor; `None` when it
    /// names none. See [`ModelConfig::from_environment`](crate::models::ModelConfig::from_environment) for the
    /// variables.
    ///
    /// # Errors
    /// When a variable has a value that cannot be used, or one that is needed is missing.
    #[cfg(feature = "llm")]
    pub fn from_environment(
        environment: &dyn crate::Environment,
    ) -> Result<Option<Self>, crate::models::ModelConfigError> {
        let config = crate::models::ModelConfig::from_environment(environment)?;
        config.as_ref().map(Self::from_config).transpose()
    }

    /// The configured model, with retries, its prices, and its key known to the redactor.
    ///
    /// # Errors
    /// When the address or the key is missing, or TLS cannot be set up.
    #[cfg(feature = "llm")]
    pub fn from_config(config: &crate::models::ModelConfig) -> Result<Self, crate::models::ModelConfigError> {
        let model = crate::models::RetryingModel::new(config.build()?);
        let secrets = config.known_secrets();
        let redactor = secrets.iter().fold(Redactor::default(), |redactor, secret| {
            redactor.with_known_secret("model key", secret.expose())
        });
        Ok(Self::new(Arc::new(model)).with_prices(config.prices().clone()).with_redactor(redactor))
    }

    /// Sets what models cost.
    #[must_use]
    pub fn with_prices(mut self, prices: PriceTable) -> Self {
        self.prices = prices;
        self
    }

    /// Sets what is taken out of everything that the model reads.
    #[must_use]
    pub fn with_redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Offers a tool of the host beside Staso's own.
    #[must_use]
    pub fn with_tool(mut self, tool: Arc<dyn Tool>) -> Self {
        self.tools.push(tool);
        self
    }

    /// Sets the attempts at a fix, from 1 to 3.
    #[must_use]
    pub const fn with_fix_samples(mut self, samples: usize) -> Self {
        self.fix_samples = samples;
        self
    }

    /// Sets what the deep diagnosis may use.
    #[must_use]
    pub const fn with_deep_limits(mut self, limits: AgentLimits) -> Self {
        self.deep = Some(limits);
        self
    }

    /// Sets what one attempt at a fix may use.
    #[must_use]
    pub const fn with_fix_limits(mut self, limits: AgentLimits) -> Self {
        self.fix = Some(limits);
        self
    }

    /// Puts the agents into a healer: triage and deep diagnosis behind the rules, the fixer behind the fixers before.
    #[must_use]
    pub fn install(
        self,
        builder: HealerBuilder,
        sandbox: &Arc<dyn Sandbox>,
        policy: &HealPolicy,
    ) -> HealerBuilder {
        let redactor = self.redactor.clone();
        let mut triage = TriageDiagnoser::new(Arc::clone(&self.model))
            .with_prices(self.prices.clone())
            .with_redactor(self.redactor.clone());
        let mut deep = DeepDiagnoser::new(Arc::clone(&self.model), Arc::clone(sandbox))
            .with_prices(self.prices.clone())
            .with_redactor(self.redactor.clone())
            .with_sandbox_limits(policy.sandbox.clone())
            .with_min_tier(policy.min_tier)
            .with_tools(self.tools.clone());
        let mut fixer = AgentFixer::new(self.model, Arc::clone(sandbox))
            .with_prices(self.prices)
            .with_redactor(self.redactor)
            .with_sandbox_limits(policy.sandbox.clone())
            .with_min_tier(policy.min_tier)
            .with_policy(policy.paths.clone())
            .with_verify_limits(policy.verify.clone())
            .with_tools(self.tools)
            .with_samples(self.fix_samples);
        if let Some(limits) = self.triage {
            triage = triage.with_limits(limits);
        }
        if let Some(limits) = self.deep {
            deep = deep.with_limits(limits);
        }
        if let Some(limits) = self.fix {
            fixer = fixer.with_limits(limits);
        }
        builder
            .with_redactor(redactor)
            .with_triage(Arc::new(triage))
            .with_deep(Arc::new(deep))
            .with_fixer(Arc::new(fixer))
    }
}
