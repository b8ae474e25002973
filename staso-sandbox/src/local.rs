//! [`LocalSandbox`]: sessions on this machine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use staso_core::run::{Interrupted, RunContext};
use staso_core::sandbox::{
    ExecRequest, IsolationTier, Sandbox, SandboxCapabilities, SandboxError, SandboxSession,
    SandboxSessionExt as _, SandboxSpec,
};
use tokio::sync::OnceCell;

use crate::isolation;
use crate::toolchain::{ReadOnlyMount, Toolchains};

/// How long looking for interpreters may take; each of them is asked for at most five seconds.
const DETECT_LIMIT: Duration = Duration::from_secs(15);

/// How [`LocalSandbox`] builds its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalSandboxOptions {
    /// Directories of the host that sessions may read beside the system, such as an interpreter that is not installed
    /// under `/usr`. The `bin` directory of each comes first on `PATH`. Default none.
    pub mounts: Vec<ReadOnlyMount>,
    /// Whether the interpreters of [`Toolchains::detect`] are mounted as well, after those of
    /// [`mounts`](Self::mounts). They are looked for once, when the first session is opened. Default yes.
    pub detect_toolchains: bool,
    /// User and group of the host that sessions run as when the host is root; else they run as the host's own user.
    /// Default 65534 for both.
    pub session_user: (u32, u32),
    /// Size of `/tmp` in bytes; `/dev/shm` gets a quarter of it. Default 256 MiB.
    pub tmp_bytes: u64,
    /// Files that one process may have open. Default 4,096.
    pub open_files: u64,
    /// The strongest tier that is tried. A weaker one than [`IsolationTier::Full`] is for tests of what another machine
    /// would give. Default [`IsolationTier::Full`].
    pub strongest_tier: IsolationTier,
    /// The latest version of Landlock's interface that is used; 0 is none. Setting it is for tests of what an older
    /// kernel would give. Default is all that the kernel has.
    pub landlock_most: Option<u32>,
    /// Where sessions of a tier below [`IsolationTier::Full`] get a directory with a copy of their checkout. The session's
    /// user must be able to reach it. Default the host's directory for temporary files.
    pub directory: Option<PathBuf>,
}

impl Default for LocalSandboxOptions {
    fn default() -> Self {
        Self {
            mounts: Vec::new(),
            detect_toolchains: true,
            session_user: (65_534, 65_534),
            tmp_bytes: 256 << 20,
            open_files: 4_096,
            strongest_tier: IsolationTier::Full,
            landlock_most: None,
            directory: None,
        }
    }
}

impl LocalSandboxOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets sessions read one more directory of the host.
    #[must_use]
    pub fn with_toolchain(mut self, mount: ReadOnlyMount) -> Self {
        self.mounts.push(mount);
        self
    }

    /// Mounts only what was named, whatever interpreters the host has.
    #[must_use]
    pub const fn without_detected_toolchains(mut self) -> Self {
        self.detect_toolchains = false;
        self
    }

    /// Sets the user and group of the host that sessions run as when the host is root. Neither may be 0.
    #[must_use]
    pub const fn with_session_user(mut self, uid: u32, gid: u32) -> Self {
        self.session_user = (uid, gid);
        self
    }

    /// Sets the strongest tier that is tried.
    #[must_use]
    pub const fn with_strongest_tier(mut self, tier: IsolationTier) -> Self {
        self.strongest_tier = tier;
        self
    }

    /// Sets the latest version of Landlock's interface that is used; 0 is none.
    #[must_use]
    pub const fn with_landlock_at_most(mut self, abi: u32) -> Self {
        self.landlock_most = Some(abi);
        self
    }

    /// Sets where sessions below [`IsolationTier::Full`] get their directories.
    #[must_use]
    pub fn with_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the size of `/tmp`, in bytes.
    #[must_use]
    pub const fn with_tmp_bytes(mut self, bytes: u64) -> Self {
        self.tmp_bytes = bytes;
        self
    }
}

/// Runs sessions on this machine, each in Linux namespaces of its own.
///
/// That is [`IsolationTier::Full`], and all that is given by default. A caller that accepts less by
/// [`SandboxSpec::min_tier`] gets, where the kernel refuses namespaces, a session in
/// [`IsolationTier::LandlockOnly`], or at last [`IsolationTier::None`]; the session's
/// [`Isolation`](staso_core::sandbox::Isolation) says which one it is, why the stronger ones were refused and what is
/// missing. Which tier a machine gives is found by building sessions, never by reading settings.
///
/// # Full
///
/// A session sees its checkout at `/workspace` (writes go to a layer in memory above it), the host's `/usr`, a few files
/// of `/etc` and the interpreters of [`Toolchains::detect`] read-only, an empty `/tmp`, and its own processes. It has no network but its own loopback, no
/// capabilities, no way to make namespaces, and a user of the host other than root.
///
/// When the host is root, the owner of the checkout directory is mapped to the session's user, so that sessions can
/// change what they were given; the checkout must then lie on a file system that can map owners (ext4, xfs, btrfs,
/// tmpfs; Linux 5.19), and files of other owners in it can be read as their mode allows, but not changed. When it is not,
/// the host's user must be able to read the checkout. Linux 5.12 or newer is needed in any case. Elsewhere, and where
/// the kernel refuses any step, [`open`](Sandbox::open) fails with [`SandboxError::Unavailable`]; nothing runs without
/// the isolation.
///
/// Memory and processes of a session as a whole are bounded by control groups: version 1 where the host may write its
/// own, version 2 where a service manager delegated one (systemd: `Delegate=yes` with `DelegateSubgroup=`). Without, each
/// process has its own bound of memory, and a resource limit bounds their number: it holds for a host that is root as
/// well, because sessions do not run as root.
///
/// # Landlock only
///
/// For machines without user namespaces, such as the inside of a default container. The checkout is copied into a
/// private directory. Commands can open the system, the toolchains and that directory, and write the last alone; they
/// have no sockets but connected pairs, no `/proc`, no signals to others (Landlock 6, Linux 6.12), and the limits. What
/// is missing, beginning with what can be learned of the host's files without opening them, is said one sentence each. When the host is
/// root, sessions run as [`LocalSandboxOptions::session_user`].
///
/// # None
///
/// A copy of the checkout, the limits, and when the host is root another user: nothing else.
///
/// ```no_run
/// # async fn example(ctx: &staso_core::run::RunContext) -> Result<(), staso_core::sandbox::SandboxError> {
/// use staso_core::sandbox::{ExecRequest, Sandbox, SandboxSessionExt, SandboxSpec};
/// use staso_sandbox::LocalSandbox;
///
/// let session = LocalSandbox::new().open(&SandboxSpec::new("/var/cache/checkout"), ctx).await?;
/// let output = session.run(&ExecRequest::new(["python3", "-m", "unittest"]), ctx).await?;
/// assert!(output.exit.success());
/// session.close().await
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct LocalSandbox {
    options: LocalSandboxOptions,
    toolchains: Arc<OnceCell<Toolchains>>,
}

impl LocalSandbox {
    /// With the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With other options.
    #[must_use]
    pub fn with_options(options: LocalSandboxOptions) -> Self {
        Self { options, toolchains: Arc::default() }
    }

    /// The options with everything that sessions are to see.
    async fn resolved(
        &self,
        detect: fn() -> Toolchains,
        ctx: &RunContext,
    ) -> Result<LocalSandboxOptions, SandboxError> {
        const OPERATION: &str = "looking for interpreters";
        let mut options = self.options.clone();
        if options.detect_toolchains {
            let search = self.toolchains.get_or_try_init(|| tokio::task::spawn_blocking(detect));
            let found = ctx.bounded(DETECT_LIMIT, search).await.map_err(|ended| match ended {
                Interrupted::Cancelled => SandboxError::Cancelled,
                Interrupted::TimedOut { limit_ms } => {
                    SandboxError::Timeout { operation: OPERATION, limit_ms }
                }
            })?;
            let found = found.map_err(|error| SandboxError::Backend {
                provider: "local",
                operation: OPERATION,
                source: error.into(),
            })?;
            let new = found.mounts.iter().filter(|mount| !self.options.mounts.contains(mount));
            options.mounts.extend(new.cloned());
        }
        Ok(options)
    }

    fn check(&self) -> Result<(), SandboxError> {
        let invalid = |reason: &str| SandboxError::InvalidRequest {
            operation: "open a session",
            reason: reason.to_owned(),
        };
        if self.options.session_user.0 == 0 || self.options.session_user.1 == 0 {
            return Err(invalid("sessions may not run as root or in its group"));
        }
        if self.options.tmp_bytes == 0 || self.options.open_files == 0 {
            return Err(invalid("the size of /tmp or the number of open files is 0"));
        }
        Ok(())
    }
}

#[async_trait]
impl Sandbox for LocalSandbox {
    async fn capabilities(&self, ctx: &RunContext) -> Result<SandboxCapabilities, SandboxError> {
        // The empty path stands for an empty checkout; a caller's checkout must be absolute.
        self.check()?;
        let options = self.resolved(Toolchains::detect, ctx).await?;
        // A plain process is no isolation: only a host that asks for it by name is told that it can have one.
        let weakest = options.strongest_tier.max(IsolationTier::LandlockOnly);
        let spec = SandboxSpec::new(PathBuf::new()).with_min_tier(weakest);
        let session = isolation::open(&options, &spec, ctx).await?;
        let output = session.run(&ExecRequest::new(["true"]), ctx).await?;
        let isolation = session.isolation().clone();
        session.close().await?;
        if !output.exit.success() {
            return Err(SandboxError::Unavailable {
                wanted: isolation.tier,
                reason: "a session was built but `true` does not run in it".to_owned(),
                remedy:
                    "make sure that /usr/bin/true and its libraries are under /usr and readable by everyone"
                        .to_owned(),
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
        self.check()?;
        if !spec.checkout.is_absolute() {
            return Err(SandboxError::InvalidRequest {
                operation: "open a session",
                reason: format!("the checkout {} is no absolute path", spec.checkout.display()),
            });
        }
        let options = self.resolved(Toolchains::detect, ctx).await?;
        isolation::open(&options, spec, ctx).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use staso_core::testing::test_context;

    use super::*;

    fn mount(path: &str) -> ReadOnlyMount {
        ReadOnlyMount::same_place(path)
    }

    #[tokio::test]
    async fn interpreters_are_looked_for_once_and_only_when_wanted() {
        static SEARCHES: AtomicUsize = AtomicUsize::new(0);
        let detect = || {
            SEARCHES.fetch_add(1, Ordering::SeqCst);
            Toolchains { mounts: vec![mount("/opt/found"), mount("/opt/named")] }
        };
        let ctx = test_context();
        let options = LocalSandboxOptions::new().with_toolchain(mount("/opt/named"));
        let without = LocalSandbox::with_options(options.clone().without_detected_toolchains());
        assert_eq!(without.resolved(detect, &ctx).await.unwrap().mounts, [mount("/opt/named")]);
        assert_eq!(SEARCHES.load(Ordering::SeqCst), 0);
        let sandbox = LocalSandbox::with_options(options);
        for sandbox in [&sandbox, &sandbox.clone()] {
            let mounts = sandbox.resolved(detect, &ctx).await.unwrap().mounts;
            assert_eq!(mounts, [mount("/opt/named"), mount("/opt/found")], "the host's own come first");
        }
        assert_eq!(SEARCHES.load(Ordering::SeqCst), 1);
    }
}
