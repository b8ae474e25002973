//! [`DeepDiagnoser`].

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::agent::{Investigator, Workplace, sandbox};
use super::clean::CleanSession;
use super::excerpt::excerpts;
use super::opening::Opening;
use super::{files, instructions};
use crate::agent::tools::{Bash, GetSpans, ListFiles, ReadFile, SearchCode, SubmitDiagnosis};
use crate::agent::{AgentLimits, LanguageModel, PriceTable, Tool, read_ahead};
use crate::diagnosis::{Depth, DiagnoseError, DiagnoseRequest, Diagnoser, Diagnosis, MissingEvidence};
use crate::redaction::Redactor;
use crate::run::{EventKind, Note, RunContext};
use crate::sandbox::{IsolationTier, Sandbox, SandboxError, SandboxLimits, SandboxSession, SandboxSpec};

const NAME: &str = "deep";
const SYSTEM: &str = concat!(
    include_str!("prompts/role.md"),
    "\n",
    include_str!("prompts/work_deep.md"),
    "\n",
    include_str!("prompts/rules.md")
);

/// Lets a model read and run the code at the failing commit, in a sandbox, with the whole trace at hand.
///
/// It opens a session over the checkout of the request and closes it whatever happens. The agent changes nothing that lasts.
/// A request without a checkout is worked on without a sandbox, and the diagnosis says so.
#[derive(Debug)]
pub struct DeepDiagnoser {
    model: Arc<dyn LanguageModel>,
    sandbox: Arc<dyn Sandbox>,
    sandbox_limits: SandboxLimits,
    min_tier: IsolationTier,
    env: BTreeMap<String, String>,
    tools: Vec<Arc<dyn Tool>>,
    limits: AgentLimits,
    prices: Option<PriceTable>,
    redactor: Redactor,
}

impl DeepDiagnoser {
    /// With this model and this sandbox, the default limits of both and the strongest isolation.
    #[must_use]
    pub fn new(model: Arc<dyn LanguageModel>, sandbox: Arc<dyn Sandbox>) -> Self {
        Self {
            model,
            sandbox,
            sandbox_limits: SandboxLimits::default(),
            min_tier: IsolationTier::Full,
            env: BTreeMap::new(),
            tools: Vec::new(),
            limits: AgentLimits::default(),
            prices: None,
            redactor: Redactor::default(),
        }
    }

    /// Sets what it may use. Default 20 turns.
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

    /// Sets the bounds of its session.
    #[must_use]
    pub fn with_sandbox_limits(mut self, limits: SandboxLimits) -> Self {
        self.sandbox_limits = limits;
        self
    }

    /// Accepts a weaker isolation; the artifact says which one was reached. Default [`IsolationTier::Full`].
    #[must_use]
    pub const fn with_min_tier(mut self, tier: IsolationTier) -> Self {
        self.min_tier = tier;
        self
    }

    /// Adds a variable that commands see. Never a credential.
    #[must_use]
    pub fn with_env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    /// Offers tools of the host beside its own. Their output is data to the model, and weak evidence.
    #[must_use]
    pub fn with_tools(mut self, tools: Vec<Arc<dyn Tool>>) -> Self {
        self.tools = tools;
        self
    }

    fn spec(&self, request: &DiagnoseRequest<'_>) -> Result<Option<SandboxSpec>, DiagnoseError> {
        let Some(checkout) = request.checkout else { return Ok(None) };
        if let Some(code) = request.code.filter(|code| *code.commit() != checkout.commit) {
            let reason =
                format!("the checkout is of commit {}, the code of {}", checkout.commit, code.commit());
            return Err(DiagnoseError::Configuration { diagnoser: NAME, reason });
        }
        let spec = SandboxSpec::new(&checkout.path)
            .with_limits(self.sandbox_limits.clone())
            .with_min_tier(self.min_tier);
        Ok(Some(self.env.iter().fold(spec, |spec, (key, value)| spec.with_env(key, value))))
    }

    fn check_tools(&self) -> Result<(), DiagnoseError> {
        let mut names = vec![GetSpans::NAME, SubmitDiagnosis::NAME];
        names.extend(SESSION_TOOLS.iter().map(|tool| tool.spec().name.as_str()));
        for tool in &self.tools {
            let name = tool.spec().name.as_str();
            if names.contains(&name) {
                let reason = format!("two tools are called {name}; rename the one of the host");
                return Err(DiagnoseError::Configuration { diagnoser: NAME, reason });
            }
            names.push(name);
        }
        Ok(())
    }

    fn investigator(&self) -> Investigator<'_> {
        Investigator {
            name: NAME,
            system: SYSTEM,
            depth: Depth::Deep,
            model: &*self.model,
            limits: &self.limits,
            prices: self.prices.as_ref(),
            redactor: &self.redactor,
        }
    }

    fn host_tools(&self) -> Vec<&dyn Tool> {
        self.tools.iter().map(|tool| &**tool as &dyn Tool).collect()
    }

    async fn in_session(
        &self,
        request: &DiagnoseRequest<'_>,
        session: &dyn SandboxSession,
        clean: &CleanSession<'_>,
        ctx: &RunContext,
    ) -> Result<Diagnosis, DiagnoseError> {
        let redactor = &self.redactor;
        let failed = |error: SandboxError| sandbox(NAME, error);
        let instructions = instructions::read(request.code, session, redactor, ctx).await.map_err(failed)?;
        let excerpts = excerpts(request, redactor);
        files::write(request, &excerpts, session, redactor, ctx).await.map_err(failed)?;
        let opening = Opening {
            note: files::LISTING,
            excerpts: &excerpts,
            instructions: &instructions,
            turns: self.limits.turns,
        };
        let mut tools = SESSION_TOOLS.to_vec();
        tools.extend(self.host_tools());
        let place = Workplace { session: Some(session), source: Some(clean), tools };
        let investigator = self.investigator();
        read_ahead(session, investigator.run(request, &opening, place, ctx), ctx).await
    }

    async fn without_session(
        &self,
        request: &DiagnoseRequest<'_>,
        ctx: &RunContext,
    ) -> Result<Diagnosis, DiagnoseError> {
        let excerpts = excerpts(request, &self.redactor);
        let note = "There is no checkout in this run, and no sandbox: work with what is shown here.";
        let opening = Opening { note, excerpts: &excerpts, instructions: "", turns: self.limits.turns };
        let place = Workplace { tools: self.host_tools(), ..Workplace::default() };
        let mut diagnosis = self.investigator().run(request, &opening, place, ctx).await?;
        diagnosis.missing.push(MissingEvidence {
            what: "a checkout of the code to read and run".to_owned(),
            how_to_get: "Give the run access to the repository at the recorded commit.".to_owned(),
        });
        Ok(diagnosis)
    }
}

/// The tools that work in the session.
static SESSION_TOOLS: [&dyn Tool; 4] = [&ListFiles, &ReadFile, &SearchCode, &Bash];

#[async_trait]
impl Diagnoser for DeepDiagnoser {
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
        self.check_tools()?;
        let Some(spec) = self.spec(request)? else {
            return self.without_session(request, ctx).await;
        };
        let session = self.sandbox.open(&spec, ctx).await.map_err(|error| sandbox(NAME, error))?;
        ctx.note(Note::Isolation(session.isolation().clone()));
        let clean = CleanSession::new(&*self.sandbox, &spec);
        let result = self.in_session(request, &*session, &clean, ctx).await;
        for closed in [session.close().await, clean.close().await] {
            if let Err(error) = closed {
                ctx.emit(EventKind::Warning { message: format!("a session could not be closed: {error}") });
            }
        }
        result
    }
}
