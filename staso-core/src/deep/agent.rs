//! What both diagnosers share: a model at work, and what becomes of its end.

use super::opening::{self, Opening};
use super::settle::Verdict;
use crate::agent::tools::{CleanSource, GetSpans, SubmitDiagnosis};
use crate::agent::{AgentEnd, AgentError, AgentLimits, AgentLoop, LanguageModel, Message, PriceTable, Tool};
use crate::diagnosis::{Depth, DiagnoseError, DiagnoseRequest, Diagnosis, Unfinished};
use crate::id::Digest;
use crate::redaction::Redactor;
use crate::run::{EventKind, Note, RunContext};
use crate::sandbox::{SandboxError, SandboxSession};

/// A model that is asked for a diagnosis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Investigator<'a> {
    pub(super) name: &'static str,
    pub(super) system: &'static str,
    pub(super) depth: Depth,
    pub(super) model: &'a dyn LanguageModel,
    pub(super) limits: &'a AgentLimits,
    pub(super) prices: Option<&'a PriceTable>,
    pub(super) redactor: &'a Redactor,
}

/// Where it works.
#[derive(Debug, Default)]
pub(super) struct Workplace<'a> {
    pub(super) session: Option<&'a dyn SandboxSession>,
    pub(super) source: Option<&'a dyn CleanSource>,
    pub(super) tools: Vec<&'a dyn Tool>,
}

impl Investigator<'_> {
    /// Lets the model work until it submits, and settles what it submitted.
    pub(super) async fn run(
        &self,
        request: &DiagnoseRequest<'_>,
        opening: &Opening<'_>,
        place: Workplace<'_>,
        ctx: &RunContext,
    ) -> Result<Diagnosis, DiagnoseError> {
        for (part, text) in [("system", self.system), ("opening", opening::TEMPLATE)] {
            ctx.note(Note::Prompt { name: format!("{}/{part}", self.name), digest: Digest::of(text) });
        }
        let spans = GetSpans::new(request.trace, self.redactor);
        let submit = SubmitDiagnosis::new(request, self.redactor).with_source(place.source);
        let mut tools = place.tools;
        tools.push(&spans);
        tools.push(&submit);
        let mut agent = AgentLoop::new(
            self.name,
            self.model,
            self.system,
            SubmitDiagnosis::NAME,
            self.limits,
            self.redactor,
        )
        .with_tools(tools);
        if let Some(session) = place.session {
            agent = agent.with_session(session);
        }
        if let Some(prices) = self.prices {
            agent = agent.with_prices(prices);
        }
        let message = Message::user(opening.text(request, self.redactor, ctx.run_id()));
        let run = agent.run(vec![message], ctx).await.map_err(|error| self.failed(error))?;
        drop(agent);
        let submitted = matches!(run.end, AgentEnd::Submitted);
        let Some((submission, code)) = submit.into_submission() else {
            return Err(self.unfinished(run.end));
        };
        if !submitted {
            let message =
                format!("{} ended before it could correct its submission; the last one is used", self.name);
            ctx.emit(EventKind::Warning { message });
        }
        let verdict = Verdict {
            request,
            submission: &submission,
            code: code.as_ref(),
            in_sandbox: place.session.is_some(),
            depth: self.depth,
            redactor: self.redactor,
        };
        Ok(verdict.diagnosis())
    }

    fn failed(&self, error: AgentError) -> DiagnoseError {
        let diagnoser = self.name;
        match error {
            AgentError::Cancelled => DiagnoseError::Cancelled,
            AgentError::Sandbox(source) => sandbox(diagnoser, source),
            AgentError::NoPrice { .. } => {
                DiagnoseError::Configuration { diagnoser, reason: error.to_string() }
            }
        }
    }

    fn unfinished(&self, end: AgentEnd) -> DiagnoseError {
        let diagnoser = self.name;
        let why = match end {
            AgentEnd::Model(source) => return DiagnoseError::Model { diagnoser, source },
            AgentEnd::Exhausted { resource, limit } => Unfinished::Limit { resource, limit },
            AgentEnd::Stuck { how } => Unfinished::Stuck { how },
            AgentEnd::Malformed | AgentEnd::Submitted => Unfinished::Malformed,
        };
        DiagnoseError::Unfinished { diagnoser, why }
    }
}

/// A failed sandbox, as a diagnoser reports it.
pub(super) fn sandbox(diagnoser: &'static str, source: SandboxError) -> DiagnoseError {
    match source {
        SandboxError::Cancelled => DiagnoseError::Cancelled,
        source => DiagnoseError::Sandbox { diagnoser, source },
    }
}
