//! The [`AgentFixer`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::attempt::{Attempt, NAME, Workshop};
use super::opening::{note_prompts, opening};
use super::words;
use crate::agent::{AgentLimits, LanguageModel, PriceTable, Tool};
use crate::fix::kind::kind_of;
use crate::fix::{FixCandidate, FixError, FixRequest, Fixer, PathPolicy};
use crate::redaction::Redactor;
use crate::run::{EventKind, RunContext};
use crate::sandbox::{IsolationTier, Sandbox, SandboxLimits, SandboxSpec};
use crate::verify::VerifyLimits;

/// Mends code, prompt files and settings with a language model that works in a sandbox session.
///
/// The model sees the accepted diagnosis as data and the code at the failing commit, never the trace. It edits files of
/// its session, runs the project's tests, makes the failure happen again and hands the change in; the change leaves the
/// session as data and is checked by code: text files only, the path policy, no new syntax error, not only tests. New
/// files count when the model wrote them with its tool, not when a command left them behind. A model that stops before
/// it is done leaves what it has as a candidate that says so.
///
/// Needs [`FixRequest::checkout`]; without one it has nothing to offer.
///
/// # Errors
/// [`FixError::NothingMade`] when the model ends without a usable change, [`FixError::Backend`] when the model or the
/// sandbox fails, [`FixError::Cancelled`].
#[derive(Debug, Clone)]
pub struct AgentFixer {
    model: Arc<dyn LanguageModel>,
    sandbox: Arc<dyn Sandbox>,
    sandbox_limits: SandboxLimits,
    min_tier: IsolationTier,
    limits: AgentLimits,
    prices: Option<PriceTable>,
    policy: PathPolicy,
    verify: VerifyLimits,
    redactor: Redactor,
    tools: Vec<Arc<dyn Tool>>,
    samples: usize,
}

/// Score of a change that was handed in.
const DONE: f64 = 0.9;
/// Score of a change that was not.
const NOT_DONE: f64 = 0.4;

impl AgentFixer {
    /// Most attempts.
    pub const MAX_SAMPLES: usize = 3;

    /// A fixer that makes one attempt of at most 25 turns, 900 s and 600 s inside of tools, with default limits otherwise
    /// and the strongest isolation.
    #[must_use]
    pub fn new(model: Arc<dyn LanguageModel>, sandbox: Arc<dyn Sandbox>) -> Self {
        Self {
            model,
            sandbox,
            sandbox_limits: SandboxLimits::default(),
            min_tier: IsolationTier::Full,
            limits: AgentLimits::default()
                .with_turns(25)
                .with_wall(Duration::from_secs(900))
                .with_tool_wall(Duration::from_secs(600)),
            prices: None,
            policy: PathPolicy::default(),
            verify: VerifyLimits::default(),
            redactor: Redactor::default(),
            tools: Vec::new(),
            samples: 1,
        }
    }

    /// Sets the bounds of a session.
    #[must_use]
    pub fn with_sandbox_limits(mut self, limits: SandboxLimits) -> Self {
        self.sandbox_limits = limits;
        self
    }

    /// Accepts sessions of a weaker tier.
    #[must_use]
    pub const fn with_min_tier(mut self, tier: IsolationTier) -> Self {
        self.min_tier = tier;
        self
    }

    /// Sets what one attempt may use.
    #[must_use]
    pub const fn with_limits(mut self, limits: AgentLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Counts money.
    #[must_use]
    pub fn with_prices(mut self, prices: PriceTable) -> Self {
        self.prices = Some(prices);
        self
    }

    /// Sets which files a change may touch.
    #[must_use]
    pub fn with_policy(mut self, policy: PathPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets how long a call that is made again and the tests may take.
    #[must_use]
    pub const fn with_verify_limits(mut self, limits: VerifyLimits) -> Self {
        self.verify = limits;
        self
    }

    /// Sets what is taken out of everything that the model reads.
    #[must_use]
    pub fn with_redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Offers tools of the host beside Staso's own; of two with the same name Staso's is used.
    #[must_use]
    pub fn with_tools(mut self, tools: Vec<Arc<dyn Tool>>) -> Self {
        self.tools = tools;
        self
    }

    /// Makes several attempts, at most [`MAX_SAMPLES`](Self::MAX_SAMPLES), each in a session of its own with another
    /// temperature and seed.
    #[must_use]
    pub fn with_samples(mut self, samples: usize) -> Self {
        self.samples = samples.clamp(1, Self::MAX_SAMPLES);
        self
    }

    /// The limits of one attempt. Each after the first leaves more to chance.
    fn limits_of(&self, sample: u32, deadline: Option<Duration>, ctx: &RunContext) -> AgentLimits {
        let left = deadline.map_or(self.limits.wall, |deadline| deadline.saturating_sub(ctx.elapsed()));
        let limits = self.limits.clone().with_wall(self.limits.wall.min(left));
        if sample == 0 {
            return limits;
        }
        let temperature = self.limits.temperature.unwrap_or(0.2) + 0.3 * f64::from(sample);
        let seed = self.limits.seed.unwrap_or(0).wrapping_add(u64::from(sample));
        limits.with_sampling(Some(temperature.min(1.0)), Some(seed))
    }

    async fn attempts(&self, shop: &Workshop<'_>, ctx: &RunContext) -> Result<Vec<Attempt>, FixError> {
        let deadline = shop.request.time.map(|time| ctx.elapsed() + time);
        let mut attempts = Vec::new();
        let mut failed = None;
        for sample in 0..u32::try_from(self.samples).unwrap_or(1) {
            let out_of_time = deadline.is_some_and(|deadline| ctx.elapsed() >= deadline);
            if sample > 0 && (out_of_time || ctx.budget().check().is_err()) {
                break;
            }
            match shop.attempt(&self.limits_of(sample, deadline, ctx), ctx).await {
                Ok(attempt) => attempts.push(attempt),
                Err(FixError::Cancelled) => return Err(FixError::Cancelled),
                Err(error) => {
                    let message = format!("attempt {} at a fix: {error}", sample + 1);
                    ctx.emit(EventKind::Warning { message });
                    failed = failed.or(Some(error));
                }
            }
            if ctx.is_cancelled() {
                return Err(FixError::Cancelled);
            }
        }
        match failed {
            Some(error) if attempts.is_empty() => Err(error),
            _ => Ok(attempts),
        }
    }

    fn candidate(&self, attempt: Attempt, request: &FixRequest<'_>, most: f64) -> FixCandidate {
        let summary = request.diagnosis.summary.as_str();
        let said = attempt.submission.as_ref();
        let title =
            said.map(|said| words::title(&said.title, &self.redactor)).filter(|title| !title.is_empty());
        let title = title.unwrap_or_else(|| words::title(&format!("Mend: {summary}"), &self.redactor));
        let why = match &attempt.stopped {
            Some(stopped) => format!("The agent stopped before it was done: {stopped}."),
            None => said.map(|said| words::reason(&said.explanation_md, &self.redactor)).unwrap_or_default(),
        };
        let why = words::reason(&why, &self.redactor);
        FixCandidate {
            kind: kind_of(&attempt.patch),
            author: format!("{NAME}:{}", self.model.id()),
            why: if why.is_empty() { words::reason(summary, &self.redactor) } else { why },
            score: most.min(if attempt.stopped.is_some() { NOT_DONE } else { DONE }),
            patch: attempt.patch,
            title,
        }
    }
}

#[async_trait]
impl Fixer for AgentFixer {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn propose(
        &self,
        request: &FixRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Vec<FixCandidate>, FixError> {
        if ctx.is_cancelled() {
            return Err(FixError::Cancelled);
        }
        let Some(checkout) = request.checkout else { return Ok(Vec::new()) };
        if request.diagnosis.suggested_fix.is_none() || request.max_candidates == 0 {
            return Ok(Vec::new());
        }
        note_prompts(ctx);
        let opening = opening(request, &self.policy, &self.redactor, ctx);
        let spec = SandboxSpec::new(&checkout.path)
            .with_limits(self.sandbox_limits.clone())
            .with_min_tier(self.min_tier)
            .with_env("PYTHONDONTWRITEBYTECODE", "1")
            .with_env("PYTHONHASHSEED", "0");
        let shop = Workshop {
            model: &*self.model,
            sandbox: &*self.sandbox,
            spec: &spec,
            policy: &self.policy,
            verify: &self.verify,
            prices: self.prices.as_ref(),
            redactor: &self.redactor,
            tools: self.tools.iter().map(|tool| &**tool as &dyn Tool).collect(),
            request,
            opening: &opening,
        };
        let attempts = self.attempts(&shop, ctx).await?;
        let ranked = shop.rank(attempts, ctx).await?;
        let mut candidates: Vec<FixCandidate> = Vec::new();
        for attempt in ranked.into_iter().take(request.max_candidates) {
            let most = candidates.last().map_or(1.0, |better| better.score);
            candidates.push(self.candidate(attempt, request, most));
        }
        Ok(candidates)
    }
}
