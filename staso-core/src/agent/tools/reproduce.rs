//! [`Reproduce`].

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::problem::of_sandbox;
use crate::agent::{Tool, ToolError, ToolProblem, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::run::{CheckSubject, RunContext};
use crate::verify::{CallVerdict, Reproduction, TestBench, VerifyLimits};

/// Makes the failing call of the trace again, with the files as they are now, and says whether it still fails.
#[derive(Debug)]
pub struct Reproduce<'a> {
    spec: ToolSpec,
    reproduction: &'a Reproduction,
    limits: &'a VerifyLimits,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {}

const DESCRIPTION: &str =
    "Makes the call that failed again, with your change, and says whether the failure is still there.";

impl<'a> Reproduce<'a> {
    /// Makes the call of `reproduction` again within `limits`.
    #[must_use]
    pub fn new(reproduction: &'a Reproduction, limits: &'a VerifyLimits) -> Self {
        Self { spec: ToolSpec::of::<Arguments>("reproduce", DESCRIPTION), reproduction, limits }
    }
}

#[async_trait]
impl Tool for Reproduce<'_> {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(
        &self,
        arguments: Value,
        scope: &ToolScope<'_>,
        ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        let Arguments {} = self.spec.arguments(arguments)?;
        let bench = TestBench::new(scope.session()?, None, self.limits, CheckSubject::FailingCommit);
        let check = bench.retry(self.reproduction, &ctx.muted()).await.map_err(of_sandbox)?;
        let Some((verdict, record)) = check else {
            let problem = ToolProblem::new(ToolProblemCode::Denied, "no recorded call shows this failure");
            return Err(problem.with_hint("the project's tests show it: use run_tests").into());
        };
        Ok(ToolReply::Text(format!("{}\n{}: {}", describe(&verdict), record.command, record.detail)))
    }
}

const fn describe(verdict: &CallVerdict) -> &'static str {
    match verdict {
        CallVerdict::Fails => "The failure is still there.",
        CallVerdict::Passes => "The failure is gone.",
        CallVerdict::Other(_) => "It fails in another way, which does not count as mended.",
    }
}
