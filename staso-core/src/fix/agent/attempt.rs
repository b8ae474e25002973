//! One try of the model, in a session of its own.

use std::collections::BTreeSet;

use super::draft::FixDraft;
use super::opening::SYSTEM;
use crate::agent::tools::{
    Bash, EditFile, FixSubmission, ListFiles, ReadFile, Reproduce, RunTests, SearchCode, SubmitFix,
    WriteFile, WrittenFiles,
};
use crate::agent::{
    AgentEnd, AgentError, AgentLimits, AgentLoop, LanguageModel, Message, ModelError, PriceTable, Tool,
    read_ahead,
};
use crate::code::{CodeSnapshot, RepoPath};
use crate::fix::{FixError, FixRequest, Patch, PathPolicy};
use crate::redaction::Redactor;
use crate::run::{Note, RunContext};
use crate::sandbox::{Sandbox, SandboxError, SandboxSession, SandboxSpec};
use crate::verify::{Reproduction, VerifyLimits};

/// The fixer's name, in errors.
pub(super) const NAME: &str = "agent";

/// Everything that an attempt needs, the same for all of them.
#[derive(Debug)]
pub(super) struct Workshop<'a> {
    pub(super) model: &'a dyn LanguageModel,
    pub(super) sandbox: &'a dyn Sandbox,
    pub(super) spec: &'a SandboxSpec,
    pub(super) policy: &'a PathPolicy,
    pub(super) verify: &'a VerifyLimits,
    pub(super) prices: Option<&'a PriceTable>,
    pub(super) redactor: &'a Redactor,
    pub(super) tools: Vec<&'a dyn Tool>,
    pub(super) request: &'a FixRequest<'a>,
    pub(super) opening: &'a str,
}

/// A change that keeps to the rules.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) patch: Patch,
    /// What the model said of it, when it handed it in.
    pub(super) submission: Option<FixSubmission>,
    /// Why it did not.
    pub(super) stopped: Option<String>,
}

impl Workshop<'_> {
    /// Lets the model work.
    pub(super) async fn attempt(&self, limits: &AgentLimits, ctx: &RunContext) -> Result<Attempt, FixError> {
        let session = self.sandbox.open(self.spec, ctx).await.map_err(sandbox_error)?;
        ctx.note(Note::Isolation(session.isolation().clone()));
        let made = self.work(&*session, limits, ctx).await;
        let closed = session.close().await;
        let made = made?;
        closed.map_err(sandbox_error)?;
        Ok(made)
    }

    async fn work(
        &self,
        session: &dyn SandboxSession,
        limits: &AgentLimits,
        ctx: &RunContext,
    ) -> Result<Attempt, FixError> {
        let request = self.request;
        let written = WrittenFiles::default();
        let draft =
            FixDraft::new(self.sandbox, self.spec, request.code, self.policy, self.redactor, written.clone());
        let edit = EditFile::new(written.clone(), executables(request.code));
        let write = WriteFile::new(written);
        let tests = request.tests.map(|(runner, command)| RunTests::new(runner, command));
        let call = request.reproduction.filter(|found| matches!(found, Reproduction::Call { .. }));
        let reproduce = call.map(|found| Reproduce::new(found, self.verify));
        let submit = SubmitFix::new(&draft);
        let mut tools: Vec<&dyn Tool> = vec![&ReadFile, &SearchCode, &ListFiles, &Bash, &edit, &write];
        tools.extend(tests.as_ref().map(|tool| tool as &dyn Tool));
        tools.extend(reproduce.as_ref().map(|tool| tool as &dyn Tool));
        tools.push(&submit);
        tools.extend(&self.tools);
        let mut agent = AgentLoop::new("fix", self.model, SYSTEM, SubmitFix::NAME, limits, self.redactor)
            .with_tools(tools)
            .with_session(session);
        if let Some(prices) = self.prices {
            agent = agent.with_prices(prices);
        }
        let opening = vec![Message::user(self.opening)];
        let run = read_ahead(session, agent.run(opening, ctx), ctx).await.map_err(agent_error)?;
        drop(agent);
        match submit.into_accepted() {
            Some((submission, patch)) => Ok(Attempt { patch, submission: Some(submission), stopped: None }),
            None => unfinished(&draft, session, run.end, ctx).await,
        }
    }
}

/// Keeps what is there, if it keeps to the rules.
async fn unfinished(
    draft: &FixDraft<'_>,
    session: &dyn SandboxSession,
    end: AgentEnd,
    ctx: &RunContext,
) -> Result<Attempt, FixError> {
    let stopped = match &end {
        AgentEnd::Submitted => "it handed in nothing".to_owned(),
        AgentEnd::Exhausted { resource, limit } => format!("its limit of {limit} {resource} was reached"),
        AgentEnd::Stuck { how } => format!("it went round in circles: {how}"),
        AgentEnd::Malformed => "its replies could not be read any more".to_owned(),
        AgentEnd::Model(error) => error.to_string(),
    };
    let drawn = draft.draw(session, ctx).await.map_err(sandbox_error)?;
    match (drawn.patch, end) {
        (Ok(patch), _) => Ok(Attempt { patch, submission: None, stopped: Some(stopped) }),
        (Err(_), AgentEnd::Model(error)) => Err(model_error(error)),
        (Err(problem), _) => {
            Err(FixError::NothingMade { fixer: NAME, reason: format!("{stopped}, and {problem}") })
        }
    }
}

/// Files of the commit that are executable and stay so.
fn executables(code: &CodeSnapshot) -> BTreeSet<RepoPath> {
    let is_executable = |path: &&RepoPath| {
        code.file(path).is_some_and(|file| file.executable)
            || code.listed(path).is_some_and(|file| file.executable)
    };
    code.paths().iter().filter(is_executable).cloned().collect()
}

fn model_error(error: ModelError) -> FixError {
    if matches!(error, ModelError::Cancelled) {
        return FixError::Cancelled;
    }
    FixError::Backend { provider: NAME, operation: "asking the model", source: Box::new(error) }
}

pub(super) fn sandbox_error(error: SandboxError) -> FixError {
    if matches!(error, SandboxError::Cancelled) {
        return FixError::Cancelled;
    }
    FixError::Backend { provider: NAME, operation: "working in a sandbox session", source: Box::new(error) }
}

fn agent_error(error: AgentError) -> FixError {
    match error {
        AgentError::Cancelled => FixError::Cancelled,
        AgentError::Sandbox(error) => sandbox_error(error),
        error => FixError::NothingMade { fixer: NAME, reason: error.to_string() },
    }
}
