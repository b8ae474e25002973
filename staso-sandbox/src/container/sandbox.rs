//! [`ContainerSandbox`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use staso_core::run::RunContext;
use staso_core::sandbox::{
    ExecRequest, IsolationTier, Sandbox, SandboxCapabilities, SandboxError, SandboxSession,
    SandboxSessionExt as _, SandboxSpec,
};

use super::engine::Engine;
use super::opening;
use super::options::ContainerOptions;
use crate::session::{check_spec, interrupted, invalid};

/// How long building a session may take. An engine that copies whole images needs some of it.
const OPEN_LIMIT: Duration = Duration::from_secs(60);
const SHORTEST_SILENCE_MS: u64 = 1_000;

/// Runs sessions in containers of Docker or Podman, each in one of its own.
///
/// A session sees its checkout at `/workspace`, a copy in memory; the image read-only; an empty `/tmp`; and its own
/// processes. It has no network but its own loopback, no capabilities, no way to get privileges, a user other than root,
/// the engine's system-call filter and a second one of this crate, and limits on memory, processes, time, disk and
/// output. Nothing of the host is mounted into it, the engine's socket least of all, and of the image's environment it
/// has `PATH` alone. The agent looks at all this from inside before anything runs, and a container that is confined
/// otherwise is refused with [`SandboxError::Unavailable`].
///
/// Its tier is [`IsolationTier::Container`], which a caller must accept with
/// [`SandboxSpec::with_min_tier`]. It promises less than [`IsolationTier::Full`]: the engine and its runtime are trusted;
/// commands of one session have one user and see each other's processes; `/proc` and `/sys` show what the engine leaves
/// visible of the machine; a process that is faster than it can be killed takes the commands that run beside it
/// with it. With `runsc` or `kata` as [`ContainerOptions::runtime`] there is another kernel between the code and the host's,
/// which is more than the Full tier has.
///
/// Podman gives no bound for the number of files in memory, so those of the checkout are counted now and then; it names the
/// hosts of the machine's own `/etc/hosts`; and it cannot be asked for a runtime. An engine without root must be able to
/// bound processes (control groups of version 2, which systemd delegates); one that does not is refused.
///
/// Images are never pulled: one that is missing is an error that names the command. Containers are removed when their
/// session ends, by the engine itself when the host was killed; at the latest [`ContainerOptions::silence_ms`] after the host was last heard of.
/// Those that were never started are removed when the next session is opened.
///
/// ```no_run
/// # async fn example(ctx: &staso_core::run::RunContext) -> Result<(), staso_core::sandbox::SandboxError> {
/// use staso_core::sandbox::{ExecRequest, IsolationTier, Sandbox, SandboxSessionExt, SandboxSpec};
/// use staso_sandbox::{ContainerOptions, ContainerSandbox};
///
/// let sandbox = ContainerSandbox::new(ContainerOptions::new("python:3.13-slim"));
/// let spec = SandboxSpec::new("/var/cache/checkout").with_min_tier(IsolationTier::Container);
/// let session = sandbox.open(&spec, ctx).await?;
/// let output = session.run(&ExecRequest::new(["python3", "-m", "unittest"]), ctx).await?;
/// assert!(output.exit.success());
/// session.close().await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ContainerSandbox {
    options: ContainerOptions,
    engine: Arc<Engine>,
}

impl ContainerSandbox {
    /// With these options. The engine is spoken to when the first session is opened.
    #[must_use]
    pub fn new(options: ContainerOptions) -> Self {
        let engine = Arc::new(Engine::at(options.socket.clone()));
        Self { options, engine }
    }

    fn check(&self) -> Result<(), SandboxError> {
        let refused = |reason: &str| Err(invalid("open a session", reason));
        let options = &self.options;
        if options.session_user.0 == 0 || options.session_user.1 == 0 {
            return refused("sessions may not run as root or in its group");
        }
        if options.tmp_bytes == 0 || options.open_files == 0 || options.cpu_millis == Some(0) {
            return refused("the size of /tmp, the number of open files or the processor time is 0");
        }
        if options.silence_ms < SHORTEST_SILENCE_MS {
            return refused("sessions would end when their host is silent for less than a second");
        }
        if options.image.is_empty() {
            return refused("no image is named");
        }
        Ok(())
    }

    async fn start(
        &self,
        spec: &SandboxSpec,
        ctx: &RunContext,
    ) -> Result<Box<dyn SandboxSession>, SandboxError> {
        self.check()?;
        check_spec(spec)?;
        if spec.min_tier < IsolationTier::Container {
            return Err(SandboxError::Unavailable {
                wanted: spec.min_tier,
                reason: "a container engine gives the tier Container".to_owned(),
                remedy:
                    "accept it with SandboxSpec::with_min_tier(IsolationTier::Container), or use LocalSandbox"
                        .to_owned(),
            });
        }
        let built = ctx.bounded(OPEN_LIMIT, opening::open(&self.engine, &self.options, spec)).await;
        let session = built.map_err(|ended| interrupted(ended, "opening a session"))??;
        Ok(Box::new(session))
    }
}

#[async_trait]
impl Sandbox for ContainerSandbox {
    async fn capabilities(&self, ctx: &RunContext) -> Result<SandboxCapabilities, SandboxError> {
        // The empty path stands for an empty checkout; a caller's checkout must be absolute.
        let spec = SandboxSpec::new(PathBuf::new()).with_min_tier(IsolationTier::Container);
        let session = self.start(&spec, ctx).await?;
        let output = session.run(&ExecRequest::new(["true"]), ctx).await?;
        let isolation = session.isolation().clone();
        session.close().await?;
        if !output.exit.success() {
            return Err(SandboxError::Unavailable {
                wanted: isolation.tier,
                reason: format!("a session was built but `true` does not run in {}", self.options.image),
                remedy: "use an image with the usual small programs".to_owned(),
            });
        }
        let mut capabilities = SandboxCapabilities::new(isolation.tier);
        capabilities.missing = isolation.missing;
        Ok(capabilities)
    }

    async fn open(
        &self,
        spec: &SandboxSpec,
        ctx: &RunContext,
    ) -> Result<Box<dyn SandboxSession>, SandboxError> {
        if !spec.checkout.is_absolute() {
            let reason = format!("the checkout {} is no absolute path", spec.checkout.display());
            return Err(invalid("open a session", reason));
        }
        self.start(spec, ctx).await
    }
}
