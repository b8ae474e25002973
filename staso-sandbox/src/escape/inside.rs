//! A session with the probe in it.

use std::time::Duration;

use staso_core::code::RepoPath;
use staso_core::run::RunContext;
use staso_core::sandbox::{
    ExecOutput, ExecRequest, ExecStream, Sandbox, SandboxError, SandboxSession, SandboxSessionExt as _,
    SandboxSpec,
};

use super::outcome::Outcome;
use super::probe::PROGRAM;
use super::verdict::{OrBroken as _, Verdict};

/// Where the probe lies in the checkout, and how it is called.
pub(super) const PROBE_FILE: &str = "probe-of-the-suite";
const PROBE_COMMAND: &str = "./probe-of-the-suite";

/// An open session with the probe in it.
#[derive(Debug)]
pub(super) struct Inside<'a> {
    pub(super) session: Box<dyn SandboxSession>,
    ctx: &'a RunContext,
}

impl<'a> Inside<'a> {
    /// Opens a session and puts the probe in.
    pub(super) async fn open(
        sandbox: &dyn Sandbox,
        spec: &SandboxSpec,
        ctx: &'a RunContext,
    ) -> Result<Self, Verdict> {
        let session = sandbox.open(spec, ctx).await.or_broken("open a session")?;
        session.write_file(&path(PROBE_FILE)?, PROGRAM, true, ctx).await.or_broken("put the probe in")?;
        Ok(Self { session, ctx })
    }

    pub(super) fn request(arguments: &[String]) -> ExecRequest {
        ExecRequest::new([PROBE_COMMAND.to_owned()].into_iter().chain(arguments.iter().cloned()))
    }

    /// Starts a probe.
    pub(super) async fn start(&self, arguments: &[String]) -> Result<ExecStream, Verdict> {
        self.session.exec(&Self::request(arguments), self.ctx).await.or_broken("start the probe")
    }

    /// Runs a probe to its end.
    pub(super) async fn output(
        &self,
        arguments: &[String],
        limit: Duration,
    ) -> Result<ExecOutput, SandboxError> {
        self.session.run(&Self::request(arguments).with_timeout(limit), self.ctx).await
    }

    /// Makes an attempt.
    pub(super) async fn attempt(&self, arguments: &[String]) -> Outcome {
        match self.session.run(&Self::request(arguments), self.ctx).await {
            Ok(output) => Outcome::of_output(&output),
            Err(error) => Outcome::Broken(error.to_string()),
        }
    }

    /// Whether the session still carries out commands.
    pub(super) async fn lives(&self) -> bool {
        self.attempt(&words("exists .")).await.is_done()
    }
}

/// A path of the checkout.
pub(super) fn path(text: &str) -> Result<RepoPath, Verdict> {
    RepoPath::new(text).or_broken("name a path")
}

/// The arguments in a sentence.
pub(super) fn words(sentence: &str) -> Vec<String> {
    sentence.split(' ').map(str::to_owned).collect()
}
