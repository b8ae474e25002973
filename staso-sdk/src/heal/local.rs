//! Everything on this machine: no account, no server, no network.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use staso_core::diagnosis::Calibrator;
use staso_core::fix::TemplateFixer;
use staso_core::heal::{HealPolicy, HealRequest, Healer, RunHandle, RunIds as _, SandboxSwitch};
use staso_core::id::RunId;
use staso_core::quick::QuickDiagnoser;
use staso_core::redaction::Redactor;
use staso_core::run::{Clock, RunContext, StoreError};
use staso_core::sandbox::Sandbox;
use staso_core::trace::RepositoryUrl;
use staso_core::vcs::VcsProvider;
use staso_github::LocalGit;
use staso_sandbox::{DetectedTests, LocalSandbox};

use super::providers::Providers;
use super::{AgentOptions, RandomRunIds, RunFiles, SystemClock};
use crate::secret::Secret;
use crate::store::SqliteStore;

/// How to set up healing on this machine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LocalOptions {
    /// Where traces, artifacts, checkouts and mirrors are kept. Made when it is not there.
    pub data: PathBuf,
    /// Recorded addresses that a repository on this machine stands for.
    pub repositories: Vec<(RepositoryUrl, PathBuf)>,
    /// Recorded addresses that are mirrored with the git program.
    pub mirrors: Vec<(RepositoryUrl, RepositoryUrl)>,
    /// The repository for every other address, and for traces that name none.
    pub fallback: Option<PathBuf>,
    /// Whether a repository on this machine is opened only because a trace names its path. Default no: whoever can write
    /// a trace could name any repository.
    pub recorded_paths: bool,
    /// Providers that are asked before the repositories of this machine, in this order. Default none.
    pub providers: Vec<Arc<dyn VcsProvider>>,
    /// Credentials of the host, with a word for each: no text, artifact or branch of a run will hold one. Those that have
    /// the form of a common credential need not be named. Default none.
    pub secrets: Vec<(String, Secret)>,
    /// What runs may do by themselves. Whether they may run code is [`HealPolicy::sandboxes`].
    pub policy: HealPolicy,
    /// The model that reads what rules cannot settle, and writes the changes that templates cannot. Default none: then
    /// nothing leaves the process, and runs end where the rules end.
    pub agents: Option<AgentOptions>,
    /// How sure the rules are of what they find. Default the calibration that ships with them, which has no labels.
    pub calibrator: Calibrator,
}

impl LocalOptions {
    /// With the default policy and no repository yet: name at least one, or allow recorded paths.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            repositories: Vec::new(),
            mirrors: Vec::new(),
            fallback: None,
            recorded_paths: false,
            providers: Vec::new(),
            secrets: Vec::new(),
            policy: HealPolicy::default(),
            agents: None,
            calibrator: QuickDiagnoser::new().calibrator().clone(),
        }
    }

    /// Serves a recorded address from a repository on this machine.
    #[must_use]
    pub fn with_repository(mut self, recorded: RepositoryUrl, path: impl Into<PathBuf>) -> Self {
        self.repositories.push((recorded, path.into()));
        self
    }

    /// Serves a recorded address from a mirror of `remote`.
    #[must_use]
    pub fn with_mirror(mut self, recorded: RepositoryUrl, remote: RepositoryUrl) -> Self {
        self.mirrors.push((recorded, remote));
        self
    }

    /// Serves every other address from one repository on this machine.
    #[must_use]
    pub fn with_fallback(mut self, path: impl Into<PathBuf>) -> Self {
        self.fallback = Some(path.into());
        self
    }

    /// Opens the repository at the `file://` address that a trace records. Only for traces that are your own.
    #[must_use]
    pub const fn with_recorded_paths(mut self) -> Self {
        self.recorded_paths = true;
        self
    }

    /// Asks a provider before the repositories of this machine: [`GitHub`](crate::vcs::GitHub),
    /// [`GitRemote`](crate::vcs::GitRemote), or one of your own. What it does not serve
    /// ([`VcsError::Unsupported`](staso_core::vcs::VcsError::Unsupported)) goes to the next.
    #[must_use]
    pub fn with_provider(mut self, provider: Arc<dyn VcsProvider>) -> Self {
        self.providers.push(provider);
        self
    }

    /// Names a credential of the host, such as the password of a git server.
    #[must_use]
    pub fn with_secret(mut self, what: impl Into<String>, secret: Secret) -> Self {
        self.secrets.push((what.into(), secret));
        self
    }

    /// Sets what runs may do by themselves.
    #[must_use]
    pub fn with_policy(mut self, policy: HealPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Lets a model work in runs.
    #[must_use]
    pub fn with_agents(mut self, agents: AgentOptions) -> Self {
        self.agents = Some(agents);
        self
    }

    /// Sets how sure the rules are of what they find, for example after [`Calibrator::observe`].
    #[must_use]
    pub fn with_calibrator(mut self, calibrator: Calibrator) -> Self {
        self.calibrator = calibrator;
        self
    }
}

/// Healing could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The data directory cannot be made.
    #[error("cannot make the data directory {}; check permissions and free space", path.display())]
    Data {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error("cannot open the store")]
    Store(#[from] StoreError),
}

/// A healer with everything it needs on this machine: SQLite, local git, a namespace sandbox, quick rules and template
/// repair. Works without a model.
#[derive(Debug, Clone)]
pub struct Local {
    healer: Healer,
    store: Arc<SqliteStore>,
    files: Arc<RunFiles>,
    clock: Arc<dyn Clock>,
    vcs: Arc<dyn VcsProvider>,
    redactor: Redactor,
}

/// Sets up healing on this machine.
///
/// # Errors
/// When the data directory or the store cannot be opened.
pub fn local(options: LocalOptions) -> Result<Local, LocalError> {
    let LocalOptions {
        data,
        repositories,
        mirrors,
        fallback,
        recorded_paths,
        mut providers,
        secrets,
        policy,
        mut agents,
        calibrator,
    } = options;
    std::fs::create_dir_all(&data).map_err(|source| LocalError::Data { path: data.clone(), source })?;
    let store = Arc::new(SqliteStore::open(data.join("staso.db"))?);
    let files = Arc::new(RunFiles::new(&data, store.clone()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut git = LocalGit::new(data.join("git"));
    for (recorded, path) in repositories {
        git = git.with_repository(recorded, path);
    }
    for (recorded, remote) in mirrors {
        git = git.with_mirror(recorded, remote);
    }
    if !recorded_paths {
        git = git.without_recorded_paths();
    }
    if let Some(path) = fallback {
        git = git.with_fallback(path);
    }
    providers.push(Arc::new(git));
    let vcs: Arc<dyn VcsProvider> = Arc::new(Providers(providers));
    let quick = Arc::new(QuickDiagnoser::new().with_calibrator(calibrator));
    let redactor = agents.as_ref().map(|agents| agents.redactor.clone()).unwrap_or_default();
    let redactor = secrets.iter().fold(redactor, |redactor, (what, secret)| {
        redactor.with_known_secret(what.as_str(), secret.expose())
    });
    if let Some(agents) = &mut agents {
        agents.redactor = redactor.clone();
    }
    let sandbox: Arc<dyn Sandbox> = Arc::new(LocalSandbox::new());
    let mut builder =
        Healer::builder(store.clone(), files.clone(), quick, Arc::clone(&clock), Arc::new(RandomRunIds))
            .with_fixer(Arc::new(TemplateFixer))
            .with_vcs(vcs.clone())
            .with_sandbox(Arc::clone(&sandbox), Arc::new(DetectedTests::new()))
            .with_redactor(redactor.clone())
            .with_sink(files.clone());
    if let Some(agents) = agents {
        builder = agents.install(builder, &sandbox, &policy);
    }
    let healer = builder.with_policy(policy).build();
    Ok(Local { healer, store, files, clock, vcs, redactor })
}

impl Local {
    /// Starts a run in the background.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn start(&self, request: HealRequest) -> RunHandle {
        self.healer.start(request)
    }

    /// The same healing with other switches, for runs that are started from now on: see [`SandboxSwitch`]. Runs in progress
    /// keep theirs.
    #[must_use]
    pub fn with_sandboxes(&self, switch: SandboxSwitch) -> Self {
        Self { healer: self.healer.with_sandboxes(switch), ..self.clone() }
    }

    /// The healer.
    #[must_use]
    pub const fn healer(&self) -> &Healer {
        &self.healer
    }

    /// The store of traces and artifacts.
    #[must_use]
    pub const fn store(&self) -> &Arc<SqliteStore> {
        &self.store
    }

    /// A context for asking the stores and the repositories, outside of any run: with the clock of runs and default
    /// bounds.
    #[must_use]
    pub fn context(&self) -> RunContext {
        RunContext::new(RandomRunIds.next(), Arc::clone(&self.clock))
    }

    /// The clock that runs use.
    #[must_use]
    pub const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Where code is read and fixes are proposed.
    #[must_use]
    pub const fn vcs(&self) -> &Arc<dyn VcsProvider> {
        &self.vcs
    }

    /// What is taken out of texts in runs.
    pub(super) const fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Where the files of a run are: `run.json`, `transcript.jsonl`, `patch.diff`.
    #[must_use]
    pub fn run_directory(&self, run_id: RunId) -> PathBuf {
        self.files.directory(run_id)
    }
}

/// The address of a repository on this machine, as traces record it.
///
/// # Errors
/// When the path cannot be made absolute or is not Unicode.
pub fn repository_url(path: &Path) -> io::Result<RepositoryUrl> {
    let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidInput, reason);
    let absolute = path.canonicalize()?;
    let text = absolute.to_str().ok_or_else(|| invalid(format!("{} is not Unicode", absolute.display())))?;
    RepositoryUrl::from_local_path(text).map_err(|error| invalid(error.to_string()))
}
