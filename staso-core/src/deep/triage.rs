//! [`TriageDiagnoser`].

use std::sync::Arc;

use async_trait::async_trait;

use super::agent::{Investigator, Workplace};
use super::excerpt::excerpts;
use super::opening::Opening;
use crate::agent::{AgentLimits, LanguageModel, PriceTable};
use crate::diagnosis::{Depth, DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis};
use crate::redaction::Redactor;
use crate::run::RunContext;

const NAME: &str = "triage";
const SYSTEM: &str = concat!(
    include_str!("prompts/role.md"),
    "\n",
    include_str!("prompts/work_triage.md"),
    "\n",
    include_str!("prompts/rules.md")
);
const TURNS: u64 = 5;

/// Asks a model about what the rules could not settle: the same evidence, no sandbox, a handful of turns. Without a line of
/// code among its evidence it is never surer than 0.45.
#[derive(Debug)]
pub struct TriageDiagnoser {
    model: Arc<dyn LanguageModel>,
    limits: AgentLimits,
    prices: Option<PriceTable>,
    redactor: Redactor,
}

impl TriageDiagnoser {
    /// With this model, at most 5 turns and 100,000 tokens read.
    #[must_use]
    pub fn new(model: Arc<dyn LanguageModel>) -> Self {
        let limits = AgentLimits::default().with_turns(TURNS).with_tokens(100_000, 16_000);
        Self { model, limits, prices: None, redactor: Redactor::default() }
    }

    /// Sets what it may use.
    #[must_use]
    pub fn with_limits(mut self, limits: AgentLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Counts money by this table. Default none.
    #[must_use]
    pub fn with_prices(mut self, prices: PriceTable) -> Self {
        self.prices = Some(prices);
        self
    }

    /// Takes out what this redactor knows before the model sees a text. The default knows the forms of common credentials.
    #[must_use]
    pub fn with_redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }
}

#[async_trait]
impl Diagnoser for TriageDiagnoser {
    fn name(&self) -> &str {
        NAME
    }

    async fn diagnose(
        &self,
        request: &DiagnoseRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Diagnosis, DiagnoseError> {
        if ctx.is_cancelled() {
            return Err(DiagnoseError::Cancelled);
        }
        let investigator = Investigator {
            name: NAME,
            system: SYSTEM,
            depth: Depth::Quick,
            model: &*self.model,
            limits: &self.limits,
            prices: self.prices.as_ref(),
            redactor: &self.redactor,
        };
        let excerpts = excerpts(request, &self.redactor);
        let opening = Opening { note: "", excerpts: &excerpts, instructions: "", turns: self.limits.turns };
        investigator.run(request, &opening, Workplace::default(), ctx).await
    }
}
