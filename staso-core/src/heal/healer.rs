//! The assembled plug-ins.

use std::fmt::Debug;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::handle::HandleSink;
use super::run::HealRun;
use super::{HealPolicy, HealRequest, RunHandle, SandboxSwitch};
use crate::diagnosis::Diagnoser;
use crate::fix::Fixer;
use crate::id::RunId;
use crate::redaction::Redactor;
use crate::run::{Clock, EngineInfo, EventSink, RunArtifact, RunContext, RunStore, TraceStore};
use crate::sandbox::Sandbox;
use crate::vcs::VcsProvider;
use crate::verify::TestRunner;

/// Draws ids for runs. The host has the source of randomness.
pub trait RunIds: Debug + Send + Sync + 'static {
    /// An id that was never drawn before.
    fn next(&self) -> RunId;
}

/// Turns failed runs into artifacts. Cheap to clone; clones share their plug-ins.
#[derive(Debug, Clone)]
pub struct Healer {
    pub(super) parts: Arc<Parts>,
}

#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) traces: Arc<dyn TraceStore>,
    pub(super) runs: Arc<dyn RunStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) run_ids: Arc<dyn RunIds>,
    pub(super) quick: Arc<dyn Diagnoser>,
    pub(super) triage: Option<Arc<dyn Diagnoser>>,
    pub(super) deep: Option<Arc<dyn Diagnoser>>,
    pub(super) fixers: Vec<Arc<dyn Fixer>>,
    pub(super) vcs: Option<Arc<dyn VcsProvider>>,
    pub(super) sandbox: Option<Arc<dyn Sandbox>>,
    pub(super) tests: Option<Arc<dyn TestRunner>>,
    pub(super) policy: HealPolicy,
    pub(super) redactor: Redactor,
    pub(super) sinks: Vec<Arc<dyn EventSink>>,
}

/// Assembles a [`Healer`]. Without a repository provider runs end after the diagnosis; without a sandbox they end with
/// a suggestion.
#[derive(Debug)]
pub struct HealerBuilder {
    parts: Parts,
}

impl Healer {
    /// Begins with what every healer needs.
    pub fn builder(
        traces: Arc<dyn TraceStore>,
        runs: Arc<dyn RunStore>,
        quick: Arc<dyn Diagnoser>,
        clock: Arc<dyn Clock>,
        run_ids: Arc<dyn RunIds>,
    ) -> HealerBuilder {
        HealerBuilder {
            parts: Parts {
                traces,
                runs,
                clock,
                run_ids,
                quick,
                triage: None,
                deep: None,
                fixers: Vec::new(),
                vcs: None,
                sandbox: None,
                tests: None,
                policy: HealPolicy::default(),
                redactor: Redactor::default(),
                sinks: Vec::new(),
            },
        }
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &HealPolicy {
        &self.parts.policy
    }

    /// The same plug-ins with other switches, for runs that are started from now on: what a host does when a person turns
    /// one. Runs in progress keep theirs.
    #[must_use]
    pub fn with_sandboxes(&self, switch: SandboxSwitch) -> Self {
        let mut parts = Parts::clone(&self.parts);
        parts.policy.sandboxes = switch;
        Self { parts: Arc::new(parts) }
    }

    /// Starts a run in the background.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn start(&self, mut request: HealRequest) -> RunHandle {
        let (sender, events) = mpsc::unbounded_channel();
        request.sinks.push(Arc::new(HandleSink(sender)));
        let cancel = request.cancellation.child_token();
        request.cancellation = cancel.clone();
        let redirections = request.redirections.clone();
        let run_id = self.parts.run_ids.next();
        let healer = self.clone();
        let task = tokio::spawn(async move { healer.run(run_id, request).await });
        RunHandle::new(run_id, events, cancel, redirections, task)
    }

    /// Runs to the end. Whatever happens, there is one artifact, and it is in the run store unless that failed, which
    /// an event says.
    pub async fn heal(&self, request: HealRequest) -> RunArtifact {
        self.run(self.parts.run_ids.next(), request).await
    }

    async fn run(&self, run_id: RunId, request: HealRequest) -> RunArtifact {
        let ctx = RunContext::new(run_id, Arc::clone(&self.parts.clock))
            .with_budget(request.budget.clone())
            .with_sinks(self.parts.sinks.iter().chain(&request.sinks).cloned().collect())
            .with_redactor(self.parts.redactor.clone())
            .with_cancellation(request.cancellation.clone())
            .with_redirections(request.redirections.clone());
        HealRun::new(&self.parts, &request, ctx).run().await
    }
}

impl Parts {
    pub(super) fn engine(&self) -> EngineInfo {
        let mut parts = vec![self.quick.name().to_owned()];
        parts.extend(self.triage.iter().map(|triage| triage.name().to_owned()));
        parts.extend(self.deep.iter().map(|deep| deep.name().to_owned()));
        parts.extend(self.fixers.iter().map(|fixer| fixer.name().to_owned()));
        EngineInfo {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rules_digest: crate::quick::rules_digest(),
            calibrator: crate::quick::calibrator_id(),
            parts,
            models: Vec::new(),
            prompts: std::collections::BTreeMap::new(),
        }
    }
}

impl HealerBuilder {
    /// Sets the diagnoser that is asked first when the quick one is not sure. It gets no checkout.
    #[must_use]
    pub fn with_triage(mut self, triage: Arc<dyn Diagnoser>) -> Self {
        self.parts.triage = Some(triage);
        self
    }

    /// Sets the diagnoser that is asked when the others are not sure and the stopping point allows
    /// [`HealPolicy::deep_from`]. It gets a checkout of the failing commit.
    #[must_use]
    pub fn with_deep(mut self, deep: Arc<dyn Diagnoser>) -> Self {
        self.parts.deep = Some(deep);
        self
    }

    /// Adds a fixer. They are asked in the order in which they were added.
    #[must_use]
    pub fn with_fixer(mut self, fixer: Arc<dyn Fixer>) -> Self {
        self.parts.fixers.push(fixer);
        self
    }

    /// Sets where repositories come from and proposals go.
    #[must_use]
    pub fn with_vcs(mut self, vcs: Arc<dyn VcsProvider>) -> Self {
        self.parts.vcs = Some(vcs);
        self
    }

    /// Sets where code runs, and how tests are found and run there.
    #[must_use]
    pub fn with_sandbox(mut self, sandbox: Arc<dyn Sandbox>, tests: Arc<dyn TestRunner>) -> Self {
        self.parts.sandbox = Some(sandbox);
        self.parts.tests = Some(tests);
        self
    }

    /// Sets the policy.
    #[must_use]
    pub fn with_policy(mut self, policy: HealPolicy) -> Self {
        self.parts.policy = policy;
        self
    }

    /// Sets what is taken out of texts and never written into a repository. Give it the credentials of the host. Default: the
    /// forms of common credentials.
    #[must_use]
    pub fn with_redactor(mut self, redactor: Redactor) -> Self {
        self.parts.redactor = redactor;
        self
    }

    /// Adds a place for the events of every run.
    #[must_use]
    pub fn with_sink(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.parts.sinks.push(sink);
        self
    }

    /// The healer.
    #[must_use]
    pub fn build(self) -> Healer {
        Healer { parts: Arc::new(self.parts) }
    }
}
