//! Starting and ending recording: [`init`], its [`Builder`] and the guard [`Staso`].

mod install;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use staso_core::trace::{AgentInfo, SourceRevision};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::capture::{
    BuildFacts, CaptureFilter, CapturePolicy, DetectedSource, RecordLayer, Redactor, Slot, SourceDetector,
    SpanContext,
};
use crate::config::{Said, Settings};
use crate::environment::{Environment, ProcessEnvironment};
use crate::error::InitError;
use crate::export::{DeliveryReport, ExportOptions, Exporter, HttpExporter, Packing, Pipeline, Recorder};
use crate::secret::Secret;

pub use install::Installed;

/// Prepares recording in this process. The macro of the same name, [`init!`](macro@crate::init), also knows what was known
/// when the program was compiled: prefer it.
///
/// What the builder does not say comes from the environment: `STASO_API_KEY`, `STASO_BASE_URL`, `STASO_AGENT_NAME`,
/// `STASO_AGENT_VERSION`, `STASO_ENVIRONMENT`, `STASO_WORKSPACE_SLUG`, `STASO_SESSION_ID`, `STASO_CAPTURE_*` and
/// `STASO_VCS_*`. `STASO_ENABLED=0` switches recording off.
pub fn init() -> Builder {
    Builder {
        said: Said::default(),
        facts: None,
        exporters: Vec::new(),
        redactor: None,
        source: None,
        directory: None,
        options: ExportOptions::default(),
        variables: Arc::new(ProcessEnvironment),
        global: true,
    }
}

/// Settings of recording, before it starts.
#[derive(Debug)]
#[must_use = "nothing is recorded before `start`"]
pub struct Builder {
    said: Said,
    facts: Option<BuildFacts>,
    exporters: Vec<Exporter>,
    redactor: Option<Arc<dyn Redactor>>,
    source: Option<SourceRevision>,
    directory: Option<PathBuf>,
    options: ExportOptions,
    variables: Arc<dyn Environment>,
    global: bool,
}

impl Builder {
    /// The agent that spans belong to when nothing around them names one.
    pub fn agent(mut self, name: impl Into<String>) -> Self {
        self.said.agent = Some(name.into());
        self
    }

    /// The version of the agent. Default: the version of the crate that calls the macro.
    pub fn agent_version(mut self, version: impl Into<String>) -> Self {
        self.said.agent_version = Some(version.into());
        self
    }

    /// The deployment environment, e.g. `production`. Default `default`.
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.said.environment = Some(name.into());
        self
    }

    /// The conversation of traces that name none, for processes that serve a single one.
    pub fn conversation(mut self, id: impl Into<String>) -> Self {
        self.said.conversation = Some(id.into());
        self
    }

    /// The workspace that traces go to. Default `default`.
    pub fn workspace(mut self, slug: impl Into<String>) -> Self {
        self.said.workspace = Some(slug.into());
        self
    }

    /// The key of the ingest service. Without a key nothing goes over the network.
    pub fn api_key(mut self, key: impl Into<Secret>) -> Self {
        self.said.api_key = Some(key.into());
        self
    }

    /// The base address of the ingest service: `https`, or `http` to this machine. Default `https://api.staso.ai`.
    pub fn endpoint(mut self, address: impl Into<String>) -> Self {
        self.said.endpoint = Some(address.into());
        self
    }

    /// Also delivers here. May be called several times; exporters do not wait for each other.
    pub fn exporter(mut self, exporter: Exporter) -> Self {
        self.exporters.push(exporter);
        self
    }

    /// Which content may leave the process.
    pub fn capture(mut self, policy: CapturePolicy) -> Self {
        self.said.capture = policy;
        self
    }

    /// Rewrites all text before it leaves the process.
    pub fn redactor(mut self, redactor: impl Redactor) -> Self {
        self.redactor = Some(Arc::new(redactor));
        self
    }

    /// Leaves the global `tracing` subscriber alone: compose [`Staso::layer`] into your own.
    pub fn no_global(mut self) -> Self {
        self.global = false;
        self
    }

    /// The revision that this process runs, instead of finding it out.
    pub fn source(mut self, revision: SourceRevision) -> Self {
        self.source = Some(revision);
        self
    }

    /// Looks for the checkout in this directory instead of the current one.
    pub fn source_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Limits of the queue, of batches and of attempts.
    pub fn export_options(mut self, options: ExportOptions) -> Self {
        self.options = options;
        self
    }

    /// Reads settings from here instead of the environment of the process.
    pub fn variables(mut self, variables: impl Environment) -> Self {
        self.variables = Arc::new(variables);
        self
    }

    /// What was known when the program was compiled. The macro calls it.
    pub fn build_facts(mut self, facts: BuildFacts) -> Self {
        self.facts = Some(facts);
        self
    }

    /// Starts recording. Needs no async runtime; delivery runs on threads of its own.
    ///
    /// Without a key and without an exporter, or with `STASO_ENABLED=0`, the client is disabled: it installs nothing and
    /// records nothing, and its reports say so. When another global subscriber is already set, recording does not begin by
    /// itself: [`Staso::installed`] says so, and [`Staso::layer`] is the way. Starting again drains the client before and
    /// takes its place.
    ///
    /// # Errors
    /// When a setting cannot be used or the operating system refuses a thread.
    pub fn start(self) -> Result<Staso, InitError> {
        let settings = Settings::resolve(self.said, &self.variables, self.facts.as_ref())?;
        let mut exporters = Vec::new();
        if settings.enabled {
            exporters.extend(self.exporters.into_iter().map(Exporter::into_inner));
            if let Some(key) = settings.api_key {
                let exporter = HttpExporter::new(&settings.endpoint, key, settings.policy);
                exporters.push(Box::new(exporter));
            }
        }
        let source = match (exporters.is_empty(), self.source) {
            (true, _) => DetectedSource::default(),
            (false, Some(revision)) => DetectedSource::of(revision),
            (false, None) => detect(self.variables, self.facts, self.directory),
        };
        let packing = Arc::new(Packing {
            context: SpanContext {
                policy: settings.policy,
                agent: AgentInfo { name: settings.agent, id: None, version: settings.agent_version },
                root_attributes: root_attributes(&source),
            },
            redactor: self.redactor,
            workspace: settings.workspace,
            environment: settings.environment,
            conversation: settings.conversation,
            source: source.revision.clone(),
        });
        let pipelines: Result<Vec<_>, _> = exporters
            .into_iter()
            .map(|exporter| Pipeline::start(exporter, packing.clone(), self.options.clone()))
            .collect();
        let recorder = Arc::new(Recorder::new(pipelines.map_err(InitError::Thread)?));
        let placed = install::place(recorder.clone(), self.global);
        for warning in &source.warnings {
            tracing::warn!(target: "staso", "{warning}");
        }
        Ok(Staso { recorder, placed, source, drop_timeout: self.options.drop_timeout, is_shut_down: false })
    }
}

fn detect(
    variables: Arc<dyn Environment>,
    facts: Option<BuildFacts>,
    directory: Option<PathBuf>,
) -> DetectedSource {
    let mut detector = SourceDetector::new(variables);
    if let Some(facts) = facts {
        detector = detector.with_facts(facts);
    }
    if let Some(directory) = directory {
        detector = detector.with_directory(directory);
    }
    detector.detect()
}

fn root_attributes(source: &DetectedSource) -> BTreeMap<String, Value> {
    let digest = source.diff_digest.as_deref().map(Value::from);
    digest.map(|digest| ("staso.vcs.diff_digest".to_owned(), digest)).into_iter().collect()
}

/// Recording under way. Keep it until the program ends: dropping it waits a little for delivery and stops recording.
#[derive(Debug)]
#[must_use = "dropping the guard stops recording"]
pub struct Staso {
    recorder: Arc<Recorder>,
    placed: install::Placed,
    source: DetectedSource,
    drop_timeout: Duration,
    is_shut_down: bool,
}

impl Staso {
    /// A layer that records what this guard delivers, to compose into a subscriber of your own. It filters for itself and
    /// does not change what other layers see.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'s> LookupSpan<'s>,
    {
        let slot: Arc<Slot> = self.placed.slot.clone();
        RecordLayer::new(slot).with_filter(CaptureFilter)
    }

    /// Whether recording is wired up without further ado.
    #[must_use]
    pub const fn installed(&self) -> Installed {
        self.placed.installed
    }

    /// Whether there is anything to deliver to.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.recorder.is_enabled()
    }

    /// The revision that root spans carry, and what did not fit together when it was looked for.
    #[must_use]
    pub const fn source(&self) -> &DetectedSource {
        &self.source
    }

    /// What became of the spans of the client that this one took the place of.
    #[must_use]
    pub const fn previous_shutdown_report(&self) -> Option<&DeliveryReport> {
        self.placed.previous.as_ref()
    }

    /// What became of the spans so far.
    #[must_use]
    pub fn report(&self) -> DeliveryReport {
        self.recorder.report()
    }

    /// Waits until every span that ended before this call is delivered or given up, at most `timeout`. The report is about
    /// those spans alone.
    pub async fn flush(&self, timeout: Duration) -> DeliveryReport {
        waiting(self.recorder.clone(), move |recorder| recorder.flush(timeout)).await
    }

    /// Like [`flush`](Self::flush), for programs without async code. Blocks the thread.
    pub fn flush_blocking(&self, timeout: Duration) -> DeliveryReport {
        self.recorder.flush(timeout)
    }

    /// Stops recording and delivers what was recorded, at most `timeout`. What is still waiting then is in the report as
    /// pending and will not be sent.
    pub async fn shutdown(mut self, timeout: Duration) -> DeliveryReport {
        self.is_shut_down = true;
        waiting(self.recorder.clone(), move |recorder| recorder.shutdown(timeout)).await
    }

    /// Like [`shutdown`](Self::shutdown), for programs without async code. Blocks the thread.
    pub fn shutdown_blocking(mut self, timeout: Duration) -> DeliveryReport {
        self.is_shut_down = true;
        self.recorder.shutdown(timeout)
    }
}

impl Drop for Staso {
    fn drop(&mut self) {
        if self.is_shut_down || !self.recorder.is_recording() {
            return;
        }
        let report = self.recorder.shutdown(self.drop_timeout);
        if !report.ok() {
            tracing::warn!(target: "staso", "recording ended: {report}");
        }
    }
}

/// Waits on a thread of its own, because no async runtime can be assumed.
async fn waiting(
    recorder: Arc<Recorder>,
    wait: impl FnOnce(&Recorder) -> DeliveryReport + Send + 'static,
) -> DeliveryReport {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let waited_for = recorder.clone();
    // The receiver is gone when nobody waits any more.
    let spawned = std::thread::Builder::new()
        .name("staso-flush".to_owned())
        .spawn(move || sender.send(wait(&waited_for)).is_ok());
    let answer = match spawned {
        Ok(_) => receiver.await.ok(),
        Err(_) => None,
    };
    answer.unwrap_or_else(|| recorder.report())
}
