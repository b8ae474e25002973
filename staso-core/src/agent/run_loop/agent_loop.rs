//! The [`AgentLoop`].

use super::turn::Work;
use super::{AgentError, AgentRun};
use crate::agent::{AgentLimits, LanguageModel, Message, Price, PriceTable, Tool};
use crate::redaction::Redactor;
use crate::run::RunContext;
use crate::sandbox::SandboxSession;

/// Lets a model work with tools until it submits or a limit is reached.
///
/// The limits of the agent and the budget of the run hold both and are hard: a call that would pass one is not made. A
/// part is kept back for the answer: when what is left of turns, tokens, time or money lasts for one more reply only, the
/// submit tool is forced. A submission that is refused then may be repaired twice, if the limits allow.
///
/// Everything that the model reads has credentials and invisible characters taken out; a tool result is at most 16 KiB.
#[derive(Debug)]
pub struct AgentLoop<'a> {
    pub(super) name: &'a str,
    pub(super) model: &'a dyn LanguageModel,
    pub(super) system: &'a str,
    pub(super) tools: Vec<&'a dyn Tool>,
    pub(super) submit: &'a str,
    pub(super) session: Option<&'a dyn SandboxSession>,
    pub(super) limits: &'a AgentLimits,
    prices: Option<&'a PriceTable>,
    pub(super) redactor: &'a Redactor,
}

impl<'a> AgentLoop<'a> {
    /// A loop with a model that is told `system`. `name` names the agent in events, e.g. `deep`; `submit` is the tool
    /// that ends it.
    #[must_use]
    pub const fn new(
        name: &'a str,
        model: &'a dyn LanguageModel,
        system: &'a str,
        submit: &'a str,
        limits: &'a AgentLimits,
        redactor: &'a Redactor,
    ) -> Self {
        Self { name, model, system, tools: Vec::new(), submit, session: None, limits, prices: None, redactor }
    }

    /// Offers tools, in this order. Of two with the same name the first is used: providers refuse a request with both.
    #[must_use]
    pub fn with_tools(mut self, tools: Vec<&'a dyn Tool>) -> Self {
        self.tools.clear();
        for tool in tools {
            if self.tools.iter().all(|known| known.spec().name != tool.spec().name) {
                self.tools.push(tool);
            }
        }
        self
    }

    /// Lets tools work in a session.
    #[must_use]
    pub const fn with_session(mut self, session: &'a dyn SandboxSession) -> Self {
        self.session = Some(session);
        self
    }

    /// Counts money.
    #[must_use]
    pub const fn with_prices(mut self, prices: &'a PriceTable) -> Self {
        self.prices = Some(prices);
        self
    }

    /// Works until the model submits or a limit is reached. `opening` is what the host says first.
    ///
    /// # Errors
    /// When the run is cancelled, the sandbox fails, or a limit on money cannot be kept.
    pub async fn run(&self, opening: Vec<Message>, ctx: &RunContext) -> Result<AgentRun, AgentError> {
        let mut work = Work::new(self, self.price(ctx)?, opening, ctx);
        let end = loop {
            if ctx.is_cancelled() {
                return Err(AgentError::Cancelled);
            }
            if let Some(end) = work.turn().await? {
                break end;
            }
        };
        Ok(work.into_run(end))
    }

    /// What the model costs, when anyone counts money.
    fn price(&self, ctx: &RunContext) -> Result<Option<Price>, AgentError> {
        let price = self.prices.and_then(|prices| prices.price(self.model.id())).copied();
        let limited = self.limits.cost_micro_usd.or(ctx.budget().limits().cost_micro_usd).is_some();
        if limited && price.is_none() {
            return Err(AgentError::NoPrice { model: self.model.id().to_string() });
        }
        Ok(price)
    }
}
