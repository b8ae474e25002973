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
use crate::toolchain::{Found, HostToolchain, Lacking, ReadOnlyMount, Toolchains};

/// How long looking for toolchains may take; each question to one of them takes at most thirty seconds.
const DETECT_LIMIT: Duration = Duration::from_secs(180);

/// How [`LocalSandbox`] builds its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalSandboxOptions {
    /// Directories of the host that sessions may read beside the system, such as a tool that is not installed under
    /// `/usr`. The `bin` directory of each comes first on `PATH`. Default none.
    pub mounts: Vec<ReadOnlyMount>,
    /// Toolchains of the host that sessions get with their downloaded packages, after [`mounts`](Self::mounts) on `PATH`.
    /// They are looked for once, when the first session is opened. Default none.
    pub toolchains: Vec<HostToolchain>,
    /// Whether the interpreters of [`Toolchains::detect`] are mounted as well, after all others. They are looked for once, when the first session is opened. Default yes.
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
            toolchains: Vec::new(),
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

    /// Lets sessions use a toolchain of the host with its downloaded packages. Where the host does not have it,
    /// [`open`](Sandbox::open) fails with [`SandboxError::Unavailable`], which says what to do.
    #[must_use]
    pub fn with_host_toolchain(mut self, toolchain: HostToolchain) -> Self {
        self.toolchains.push(toolchain);
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
/// of `/etc` and the interpreters of [`Toolchains::detect`] read-only, an empty `/tmp`, and its own processes. It has no
/// network but its own loopback, no capabilities, no way to make namespaces, and a user of the host other than root.
///
/// Tests of a project that has dependencies need them without a network: name the toolchain, and sessions see it with
/// the packages that the host has downloaded ([`HostToolchain`]; [`DetectedTests`](crate::DetectedTests) runs in such
/// sessions as in others). Tools of your own are one [`ReadOnlyMount`] each.
///
/// ```
/// use staso_sandbox::{HostToolchain, LocalSandbox, LocalSandboxOptions, ReadOnlyMount};
///
/// let options = LocalSandboxOptions::new()
///     .with_host_toolchain(HostToolchain::Cargo)
///     .with_toolchain(ReadOnlyMount::same_place("/opt/protoc"));
/// let sandbox = LocalSandbox::with_options(options);
/// ```
///
/// When the host is root, the owner of the checkout directory is mapped to the session's user, so that sessions can
/// change what they were given; the checkout must then lie on a file system that can map owners (ext4, xfs, btrfs,
/// tmpfs; Linux 5.19), and files of other owners in it can be read as their mode allows, but not changed. When it is not,
/// the host's user must be able to read the checkout. Linux 5.12 or newer is needed in any case. Elsewhere, and where
/// the kernel refuses any step, [`open`](Sandbox::open) fails with [`SandboxError::Unavailable`]; nothing runs without
/// the isolation.
///
/// Memory and processes of a session as a whole are bounded by control groups: version 1 where the host may write its
/// own, version 2 where a service manager delegated one (systemd: `Delegate=yes` with `DelegateSubgroup=`). What a session
/// writes is in memory, so the bound of memory for all together is the limit and the sizes of the checkout's layer,
/// `/tmp` and `/dev/shm`; a process alone has the limit. Without control groups, each
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
    found: Arc<OnceCell<Found>>,
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
        Self { options, found: Arc::default() }
    }

    /// What sessions are to see of the host beside the system.
    async fn found(
        &self,
        detect: fn() -> Toolchains,
        wanted: IsolationTier,
        ctx: &RunContext,
    ) -> Result<Found, SandboxError> {
        const OPERATION: &str = "looking for toolchains";
        let options = self.options.clone();
        let look = move || look(&options, detect);
        let search = self.found.get_or_try_init(|| async {
            let found = tokio::task::spawn_blocking(look).await.map_err(|error| SandboxError::Backend {
                provider: "local",
                operation: OPERATION,
                source: error.into(),
            })?;
            found.map_err(|Lacking { reason, remedy }| SandboxError::Unavailable { wanted, reason, remedy })
        });
        match ctx.bounded(DETECT_LIMIT, search).await {
            Ok(found) => found.cloned(),
            Err(Interrupted::Cancelled) => Err(SandboxError::Cancelled),
            Err(Interrupted::TimedOut { limit_ms }) => {
                Err(SandboxError::Timeout { operation: OPERATION, limit_ms })
            }
        }
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
        let unusable = self.options.mounts.iter().find(|mount| !mount.is_usable());
        unusable.map_or(Ok(()), |mount| {
            let (host, inside) = (mount.host.display(), mount.inside.display());
            Err(invalid(&format!(
                "{host} cannot be mounted at {inside}: both must be absolute, without `..`, and not where sessions have \
                 something of their own (/workspace, /tmp, /proc, /dev/shm)"
            )))
        })
    }
}

#[async_trait]
impl Sandbox for LocalSandbox {
    async fn capabilities(&self, ctx: &RunContext) -> Result<SandboxCapabilities, SandboxError> {
        // The empty path stands for an empty checkout; a caller's checkout must be absolute.
        self.check()?;
        // A plain process is no isolation: only a host that asks for it by name is told that it can have one.
        let weakest = self.options.strongest_tier.max(IsolationTier::LandlockOnly);
        let found = self.found(Toolchains::detect, weakest, ctx).await?;
        let spec = SandboxSpec::new(PathBuf::new()).with_min_tier(weakest);
        let session = isolation::open(&self.options, &found, &spec, ctx).await?;
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
        let found = self.found(Toolchains::detect, spec.min_tier, ctx).await?;
        isolation::open(&self.options, &found, spec, ctx).await
    }
}

/// Looks for everything that the options name or leave to be found. Blocks.
fn look(options: &LocalSandboxOptions, detect: fn() -> Toolchains) -> Result<Found, Lacking> {
    let mut found = Found::default();
    options.mounts.iter().for_each(|mount| found.add(mount));
    for toolchain in &options.toolchains {
        let named = toolchain.find().and_then(|named| {
            named.mounts.iter().try_for_each(|mount| isolation::check_readable(options, mount))?;
            Ok(named)
        });
        found.extend(named.map_err(|lacking| Lacking {
            reason: format!("sessions cannot have the toolchain `{toolchain}`: {}", lacking.reason),
            remedy: format!("{}, or do not name it", lacking.remedy),
        })?);
    }
    if options.detect_toolchains {
        detect().mounts.iter().for_each(|mount| found.add(mount));
    }
    Ok(found)
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
        let tier = IsolationTier::Full;
        let options = LocalSandboxOptions::new().with_toolchain(mount("/opt/named"));
        let without = LocalSandbox::with_options(options.clone().without_detected_toolchains());
        assert_eq!(without.found(detect, tier, &ctx).await.unwrap().mounts, [mount("/opt/named")]);
        assert_eq!(SEARCHES.load(Ordering::SeqCst), 0);
        let sandbox = LocalSandbox::with_options(options);
        for sandbox in [&sandbox, &sandbox.clone()] {
            let found = sandbox.found(detect, tier, &ctx).await.unwrap();
            assert_eq!(found.mounts, [mount("/opt/named"), mount("/opt/found")], "the host's own come first");
            assert_eq!(found.path, [mount("/opt/named/bin"), mount("/opt/found/bin")]);
        }
        assert_eq!(SEARCHES.load(Ordering::SeqCst), 1);
    }
}
