//! Which of several attempts is best.

use super::attempt::{Attempt, Workshop};
use crate::fix::FixError;
use crate::run::{CheckSubject, RunContext};
use crate::sandbox::SandboxError;
use crate::verify::{Baseline, Reproduction, TestBench};

/// What a fresh session shows of an attempt. `None` when it was not tried or could not be.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    gone: Option<bool>,
    tests_pass: Option<bool>,
}

impl Workshop<'_> {
    /// The attempts, best first, each different from the others. A single one is not tried: the proof does that.
    pub(super) async fn rank(
        &self,
        attempts: Vec<Attempt>,
        ctx: &RunContext,
    ) -> Result<Vec<Attempt>, FixError> {
        let mut different: Vec<Attempt> = Vec::new();
        for attempt in attempts {
            match different.iter_mut().find(|known| known.patch == attempt.patch) {
                Some(known) if known.submission.is_none() => *known = attempt,
                Some(_) => {}
                None => different.push(attempt),
            }
        }
        if different.len() < 2 {
            return Ok(different);
        }
        let mut ranked = Vec::new();
        for attempt in different {
            let standing = match self.try_once(&attempt, ctx).await {
                Err(SandboxError::Cancelled) => return Err(FixError::Cancelled),
                tried => tried.unwrap_or_default(),
            };
            ranked.push((standing.rank(), attempt));
        }
        ranked.sort_by_key(|(rank, attempt)| (*rank, attempt.stopped.is_some(), attempt.changed_lines()));
        Ok(ranked.into_iter().map(|(_, attempt)| attempt).collect())
    }

    /// Tries an attempt where nothing else has run.
    async fn try_once(&self, attempt: &Attempt, ctx: &RunContext) -> Result<Standing, SandboxError> {
        let quiet = &ctx.muted();
        let session = self.sandbox.open(self.spec, ctx).await?;
        let bench = TestBench::new(&*session, None, self.verify, CheckSubject::FailingCommit);
        let reproduction = self.request.reproduction.unwrap_or(&Reproduction::Tests);
        let trial = bench.try_patch(&attempt.patch, reproduction, &Baseline::NoTests, quiet).await?;
        let gone = matches!(reproduction, Reproduction::Call { .. }).then_some(trial.gone);
        let tests_pass = match self.request.tests {
            Some((runner, command)) if gone != Some(false) => {
                let report = runner.run(&*session, command, self.verify.test_timeout, quiet).await?;
                Some(report.passed())
            }
            _ => None,
        };
        session.close().await?;
        Ok(Standing { gone, tests_pass })
    }
}

impl Standing {
    /// 0 is best: the failure is gone and no test fails; then no test fails.
    const fn rank(self) -> u8 {
        match (self.gone, self.tests_pass) {
            (Some(false), _) => 3,
            (_, Some(false)) => 2,
            (Some(true), _) | (_, Some(true)) => 0,
            (None, None) => 1,
        }
    }
}

impl Attempt {
    fn changed_lines(&self) -> usize {
        let (added, removed) = self.patch.line_counts();
        added + removed
    }
}
