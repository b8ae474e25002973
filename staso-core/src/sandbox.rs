//! Where untrusted code runs: the [`Sandbox`] plug trait and its vocabulary.
//!
//! This module only describes. Namespaces and containers live in `staso-sandbox`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::code::RepoPath;
use crate::run::RunContext;

mod tree;

pub use tree::{SessionEntry, SessionNode, SessionTree, TreeLimits};

/// How strongly a session is confined, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IsolationTier {
    /// Own user, mount, pid, network, ipc and uts namespaces with a minimal read-only root.
    Full,
    /// A container engine's isolation, without network.
    Container,
    /// Landlock and a system-call filter only: processes and network namespaces are shared with the host.
    LandlockOnly,
    /// A plain process. Never chosen unless a caller asks for it by name.
    None,
}

/// What really confined the code that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Isolation {
    /// The tier that was reached.
    pub tier: IsolationTier,
    /// The limits in force.
    pub limits: SandboxLimits,
    /// Protections of the tier that this machine could not give, one sentence each.
    pub missing: Vec<String>,
    /// The version of the kernel's Landlock interface whose rules held; none where Landlock had no part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landlock_abi: Option<u32>,
}

impl Isolation {
    /// A tier with its limits, nothing of it missing, and without Landlock.
    #[must_use]
    pub const fn new(tier: IsolationTier, limits: SandboxLimits) -> Self {
        Self { tier, limits, missing: Vec::new(), landlock_abi: None }
    }

    /// Sets the protections that this machine could not give.
    #[must_use]
    pub fn with_missing(mut self, missing: Vec<String>) -> Self {
        self.missing = missing;
        self
    }

    /// Sets the version of Landlock whose rules hold.
    #[must_use]
    pub const fn with_landlock_abi(mut self, abi: Option<u32>) -> Self {
        self.landlock_abi = abi;
        self
    }
}

/// Upper bounds for one session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SandboxLimits {
    /// Longest time for one command, in milliseconds, when the request sets none. Default 120,000.
    pub exec_timeout_ms: u64,
    /// Memory of all processes together, in bytes; files that a backend keeps in memory may count beside it. Default 1 GiB.
    pub memory_bytes: u64,
    /// Processes and threads at a time, beside a few that the backend needs for itself. Default 256.
    pub pids: u32,
    /// CPU time of one process, in seconds. Default 600.
    pub cpu_seconds: u64,
    /// What may be written into the checkout, in bytes. Default 512 MiB.
    pub disk_bytes: u64,
    /// Output kept of one command and stream, in bytes: half from the start, which arrives while the command runs, and half
    /// from the end, which arrives when it has ended. Default 1 MiB.
    pub output_bytes: u64,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            exec_timeout_ms: 120_000,
            memory_bytes: 1 << 30,
            pids: 256,
            cpu_seconds: 600,
            disk_bytes: 512 << 20,
            output_bytes: 1 << 20,
        }
    }
}

/// What a backend can do on this machine, found by running a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SandboxCapabilities {
    /// The strongest tier that a session reaches here.
    pub tier: IsolationTier,
    /// Protections of that tier that this machine cannot give, one sentence each.
    pub missing: Vec<String>,
}

impl SandboxCapabilities {
    /// A backend that reaches `tier` with nothing missing.
    #[must_use]
    pub const fn new(tier: IsolationTier) -> Self {
        Self { tier, missing: Vec::new() }
    }
}

/// What a session is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SandboxSpec {
    /// The read-only checkout that becomes the working directory: an absolute path. Writes go to the session's own layer
    /// above it, or to a copy. Perhaps the host's user alone can reach it: a backend whose sessions are another user opens,
    /// mounts or copies it before it becomes that one.
    pub checkout: PathBuf,
    /// Bounds.
    pub limits: SandboxLimits,
    /// The weakest tier that is acceptable. Default [`IsolationTier::Full`].
    pub min_tier: IsolationTier,
    /// Variables that commands see beside `PATH`, `HOME`, `LANG` and `TMPDIR`, which every command has; the two directories
    /// can be written. Never put a credential here.
    pub env: BTreeMap<String, String>,
}

impl SandboxSpec {
    /// A session over the checkout with default limits and the strongest isolation.
    pub fn new(checkout: impl Into<PathBuf>) -> Self {
        Self {
            checkout: checkout.into(),
            limits: SandboxLimits::default(),
            min_tier: IsolationTier::Full,
            env: BTreeMap::new(),
        }
    }

    /// Sets the bounds.
    #[must_use]
    pub fn with_limits(mut self, limits: SandboxLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Accepts a weaker tier. The artifact will say which tier was reached.
    #[must_use]
    pub const fn with_min_tier(mut self, tier: IsolationTier) -> Self {
        self.min_tier = tier;
        self
    }

    /// Adds a variable to the environment of every command.
    #[must_use]
    pub fn with_env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecRequest {
    /// Program and arguments; no shell reads them. The program is looked up in the session's `PATH`; a path is taken from
    /// the working directory.
    pub argv: Vec<String>,
    /// Working directory inside the checkout, which must be there; `None` is its root.
    pub cwd: Option<RepoPath>,
    /// Variables for this command, over those of the session.
    pub env: BTreeMap<String, String>,
    /// What the command reads on standard input, which then ends. That it is not read is no error. Default empty.
    pub stdin: Vec<u8>,
    /// Longest time; `None` takes [`SandboxLimits::exec_timeout_ms`].
    pub timeout: Option<Duration>,
}

impl ExecRequest {
    /// A command at the root of the checkout.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            cwd: None,
            env: BTreeMap::new(),
            stdin: Vec::new(),
            timeout: None,
        }
    }

    /// Sets the longest time.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets what the command reads.
    #[must_use]
    pub fn with_stdin(mut self, stdin: impl Into<Vec<u8>>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Sets the working directory inside the checkout.
    #[must_use]
    pub fn with_cwd(mut self, cwd: RepoPath) -> Self {
        self.cwd = Some(cwd);
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn with_env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }
}

/// What a running command reports. [`Exit`](Self::Exit) is the last, and everything that was printed comes before it. The
/// order of the two streams among each other is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecEvent {
    /// Bytes written to standard output.
    Stdout(Vec<u8>),
    /// Bytes written to standard error.
    Stderr(Vec<u8>),
    /// This many bytes of one stream were left out between what came of it before and what comes after. Each stream is cut
    /// once at most.
    Truncated {
        /// Bytes left out.
        bytes: u64,
    },
    /// The command ended.
    Exit(ExecExit),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExecExit {
    /// The exit code, when the program returned one. None when it was killed, also for its time.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Whether it was killed for using too much memory, as far as the backend can tell.
    pub oom: bool,
    /// Whether it was killed because its time was over.
    pub timed_out: bool,
}

impl ExecExit {
    /// Whether the program returned 0.
    #[must_use]
    pub const fn success(&self) -> bool {
        matches!(self.code, Some(0))
    }
}

/// The events of one command, in order. Dropping it kills the command.
#[derive(Debug)]
pub struct ExecStream {
    events: mpsc::Receiver<Result<ExecEvent, SandboxError>>,
}

impl ExecStream {
    /// Wraps the receiving half; the backend keeps the sender, kills the command when that is closed, and drops it after the
    /// last event. A reader that is slow may slow the command down: give the channel a small bound, and wait in `send`.
    #[must_use]
    pub const fn new(events: mpsc::Receiver<Result<ExecEvent, SandboxError>>) -> Self {
        Self { events }
    }

    /// The next event; `None` after [`ExecEvent::Exit`] or an error.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Result<ExecEvent, SandboxError>> {
        self.events.recv().await
    }
}

/// A command with everything it printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// How it ended.
    pub exit: ExecExit,
    /// Standard output, cut in the middle when [`omitted_bytes`](Self::omitted_bytes) is not 0.
    pub stdout: Vec<u8>,
    /// Standard error, cut likewise.
    pub stderr: Vec<u8>,
    /// Bytes of both streams that were left out.
    pub omitted_bytes: u64,
}

/// What a session did to one path of its checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionChange {
    /// A regular file that is new or has other content or mode.
    Written {
        /// Its content.
        content: Vec<u8>,
        /// Whether its owner may execute it.
        executable: bool,
    },
    /// The path is gone.
    Deleted,
    /// A symbolic link that is new or points elsewhere.
    Symlink {
        /// Where it points, as written.
        target: Vec<u8>,
    },
    /// A change that does not leave the session, and why: a device, a socket, a file over the backend's own size limit,
    /// which is some MiB.
    Refused {
        /// Why not.
        why: String,
    },
}

/// What went wrong in a sandbox. Messages never repeat the environment or the content of files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// This machine cannot give the tier that was asked for. Nothing was run.
    #[error("this machine cannot isolate a session as asked ({wanted:?}): {reason}; {remedy}")]
    Unavailable {
        /// The tier that was asked for.
        wanted: IsolationTier,
        /// What the machine refused.
        reason: String,
        /// What the user can do about it.
        remedy: String,
    },
    /// Sandboxes are switched off for this workspace. Nothing was run.
    #[error(
        "sandboxes are switched off for this workspace, so its code is not investigated, changed or run; \
         switch them on in {place}"
    )]
    Disabled {
        /// Where a person switches them on.
        place: String,
    },
    /// The request cannot be carried out as written.
    #[error("cannot {operation}: {reason}")]
    InvalidRequest {
        /// What was asked.
        operation: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is not there.
    #[error("no file {path} in the session")]
    NotFound {
        /// The file.
        path: RepoPath,
    },
    /// The path leads out of the checkout or is no regular file.
    #[error("{path} is not accessible: {reason}")]
    Denied {
        /// The file.
        path: RepoPath,
        /// Why not.
        reason: String,
    },
    /// More than a limit allows.
    #[error("{what} is larger than the limit of {limit_bytes} bytes")]
    TooLarge {
        /// What.
        what: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// The session was closed, or its helper died.
    #[error("the session is closed")]
    Closed,
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The operation took too long.
    #[error("{operation} took longer than {limit_ms} ms")]
    Timeout {
        /// What.
        operation: &'static str,
        /// The limit, in milliseconds.
        limit_ms: u64,
    },
    /// The operating system or a third-party backend failed.
    #[error("{operation} failed in sandbox backend {provider}")]
    Backend {
        /// The backend's name.
        provider: &'static str,
        /// What was done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl SandboxError {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Backend { .. })
    }
}

/// A place where untrusted code runs.
///
/// # Contract
/// A session sees its checkout, a read-only system and nothing else: no network, no host files, no host processes,
/// no credentials. A backend that cannot give [`SandboxSpec::min_tier`] must return
/// [`SandboxError::Unavailable`] and must not run anything; it must never fall back to a weaker tier in silence.
/// Two sessions never see each other. The checkout below a session stays unchanged.
///
/// # Cancellation
/// Every method returns within two seconds after the context is cancelled, with [`SandboxError::Cancelled`]. A backend needs
/// nothing else of the context but its clock; the run's own time and budget are for the caller.
///
/// # Errors
/// One [`SandboxError`]; [`is_retryable`](SandboxError::is_retryable) decides about retries. What is wrong with the request
/// itself is [`SandboxError::InvalidRequest`], before anything runs: a checkout that is no directory or no absolute path, a
/// limit of 0, a program that is not there, no program at all, a NUL in an argument, a variable that no environment can
/// hold, a working directory that is not there, more arguments than the system takes.
///
/// # Implementing
/// All methods may be called at the same time, from any task of a tokio runtime. Where the checkout is inside is up to the
/// backend; nobody asks for an absolute path of it. [`SandboxError::Disabled`] is not for backends.
///
/// Run `staso_core::conformance::sandbox::run_all` (feature `conformance`) against your backend, and
/// `staso_sandbox::escape::run` (feature `escape-suite`). The example `custom_sandbox` does both.
#[async_trait]
pub trait Sandbox: Debug + Send + Sync + 'static {
    /// What this machine gives, found by running a session, not by reading settings.
    async fn capabilities(&self, ctx: &RunContext) -> Result<SandboxCapabilities, SandboxError>;

    /// Opens a session. Dropping the session kills everything in it and removes it.
    async fn open(
        &self,
        spec: &SandboxSpec,
        ctx: &RunContext,
    ) -> Result<Box<dyn SandboxSession>, SandboxError>;
}

/// A running session.
///
/// # Contract
/// Commands of one session share its files and run at the same time; file operations do not wait for them. File operations
/// act inside the session, at once, and never follow a link out of the checkout. After [`close`](Self::close), or when the
/// helper died, every method returns [`SandboxError::Closed`], and so do the streams of commands that were running.
/// Dropping a session does what `close` does, without waiting.
///
/// # Cancellation
/// As for [`Sandbox`]. The context of [`exec`](Self::exec) holds for the command to its end: a cancelled command is killed
/// with all its children, and its stream ends with [`SandboxError::Cancelled`]. The session goes on for other contexts.
#[async_trait]
pub trait SandboxSession: Debug + Send + Sync + 'static {
    /// What really confines this session. The limits are those of the request; one that does not hold is among what is
    /// missing.
    fn isolation(&self) -> &Isolation;

    /// Starts a command. It ends on exit of the program plus a short grace, never on the end of a pipe that a child
    /// still holds, and all its processes are killed then. When its time is over it is killed, which is no error but an
    /// [`ExecExit`] that says so.
    async fn exec(&self, request: &ExecRequest, ctx: &RunContext) -> Result<ExecStream, SandboxError>;

    /// Reads a regular file of the checkout, at most `max_bytes` long.
    ///
    /// # Errors
    /// [`SandboxError::NotFound`], also when a directory above it is missing; [`SandboxError::Denied`] for whatever is no
    /// regular file, and for a path with a link in it; [`SandboxError::TooLarge`].
    async fn read_file(
        &self,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<Vec<u8>, SandboxError>;

    /// Writes a regular file of the checkout, making its directories. What was there loses its content and its mode.
    ///
    /// # Errors
    /// [`SandboxError::Denied`] where something is that is no regular file, and for a path with a link in it. When there is
    /// no room left, any error.
    async fn write_file(
        &self,
        path: &RepoPath,
        content: &[u8],
        executable: bool,
        ctx: &RunContext,
    ) -> Result<(), SandboxError>;

    /// Everything that differs from the checkout below, sorted by path. What has the same content and mode as before does not
    /// differ, and as in git, a directory is not listed but what was in it is. Two things are no content of the repository and
    /// left out: git's own directories, wherever commands made some, and `.staso` at the root, the host's scratch
    /// directory, unless the checkout has a `.staso` of its own. Other paths that cannot be named safely are refused
    /// with an error that names one.
    async fn changes(&self, ctx: &RunContext) -> Result<BTreeMap<RepoPath, SessionChange>, SandboxError>;

    /// The files of the session as they are now, with their content as far as `limits` allow. Nothing is followed or
    /// opened but regular files. Searches ask for it again and again: a backend should keep what did not change, and
    /// give the same tree when nothing did.
    async fn tree(&self, limits: &TreeLimits, ctx: &RunContext) -> Result<Arc<SessionTree>, SandboxError>;

    /// Kills everything and removes the session. Calling it again does nothing.
    async fn close(&self) -> Result<(), SandboxError>;
}

/// Conveniences over any session.
#[async_trait]
pub trait SandboxSessionExt: SandboxSession {
    /// Runs a command to its end and collects what it printed.
    ///
    /// # Errors
    /// Those of [`SandboxSession::exec`]; a command that fails is no error.
    async fn run(&self, request: &ExecRequest, ctx: &RunContext) -> Result<ExecOutput, SandboxError> {
        let mut stream = self.exec(request, ctx).await?;
        let mut output = ExecOutput::default();
        while let Some(event) = stream.next().await {
            match event? {
                ExecEvent::Stdout(bytes) => output.stdout.extend_from_slice(&bytes),
                ExecEvent::Stderr(bytes) => output.stderr.extend_from_slice(&bytes),
                ExecEvent::Truncated { bytes } => output.omitted_bytes += bytes,
                ExecEvent::Exit(exit) => {
                    output.exit = exit;
                    return Ok(output);
                }
            }
        }
        Err(SandboxError::Closed)
    }
}

impl<S: SandboxSession + ?Sized> SandboxSessionExt for S {}
