//! A session: opening it, and the trait over its connection.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::run::{Interrupted, RunContext};
use staso_core::sandbox::{
    ExecEvent, ExecExit, ExecRequest, ExecStream, Isolation, IsolationTier, SandboxError, SandboxSession,
    SandboxSpec, SessionChange, SessionTree, TreeLimits,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::cgroup::{Cgroups, OomWatch};
use super::connection::{Answer, Connection, Gone, Refused, Report, Reports};
use super::helper::effective_ids;
use super::process::HelperProcess;
use super::remedy::unavailable;
use super::tree::TreeCache;
use super::wire::{
    self, Command, Configuration, Decoder, Encoder, Exit, Limits, change, refusal, reply, request,
};
use crate::local::LocalSandboxOptions;

const PROVIDER: &str = "local";
/// How long building a session may take.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// How long a file operation may take.
const FILE_LIMIT: Duration = Duration::from_secs(30);
/// How long the helper may take beyond a command's own time, and a killed command until it is gone.
const EXEC_SLACK: Duration = Duration::from_secs(5);
const KILL_LIMIT: Duration = Duration::from_millis(1000);
const CLOSE_LIMIT: Duration = Duration::from_millis(1900);
/// Largest file that can be written, in bytes.
const MAX_WRITE_BYTES: usize = 64 << 20;
/// Arguments, environment and input of a command together, in bytes.
const MAX_COMMAND_BYTES: usize = 64 << 20;
/// All contents of one list of changes together, as the helper bounds them, in bytes.
const CHANGES_BYTES: u64 = 64 << 20;
/// Events that wait for a slow reader.
const QUEUED_EVENTS: usize = 16;
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// A session of [`LocalSandbox`](crate::LocalSandbox).
#[derive(Debug)]
struct LocalSession {
    isolation: Isolation,
    env: BTreeMap<String, String>,
    connection: Arc<Connection>,
    oom: Arc<OomWatch>,
    gone: watch::Receiver<bool>,
    tree: TreeCache,
    /// Cancelled when the session is closed or dropped; commands hold the connection a little longer.
    stop: CancellationToken,
}

/// Opens a session, or says why this machine cannot.
pub(crate) async fn open(
    options: &LocalSandboxOptions,
    spec: &SandboxSpec,
    ctx: &RunContext,
) -> Result<Box<dyn SandboxSession>, SandboxError> {
    check_spec(spec)?;
    let built = ctx.bounded(OPEN_LIMIT, build(options, spec)).await;
    let session = built.map_err(|ended| interrupted(ended, "opening a session"))??;
    Ok(Box::new(session))
}

fn check_spec(spec: &SandboxSpec) -> Result<(), SandboxError> {
    let limits = &spec.limits;
    let bounds = [
        ("exec_timeout_ms", limits.exec_timeout_ms),
        ("memory_bytes", limits.memory_bytes),
        ("pids", u64::from(limits.pids)),
        ("cpu_seconds", limits.cpu_seconds),
        ("disk_bytes", limits.disk_bytes),
        ("output_bytes", limits.output_bytes),
    ];
    // A file system of size 0 is one without a limit.
    if let Some((name, _)) = bounds.into_iter().find(|(_, bound)| *bound == 0) {
        return Err(invalid("open a session", format!("the limit {name} is 0")));
    }
    check_env("open a session", &spec.env)
}

fn check_env(operation: &'static str, env: &BTreeMap<String, String>) -> Result<(), SandboxError> {
    let bad = |(key, value): &(&String, &String)| {
        key.is_empty() || key.contains(['=', '\0']) || value.contains('\0')
    };
    match env.iter().find(bad) {
        None => Ok(()),
        Some((key, _)) => {
            Err(invalid(operation, format!("the variable {key:?} cannot be put into an environment")))
        }
    }
}

async fn build(options: &LocalSandboxOptions, spec: &SandboxSpec) -> Result<LocalSession, SandboxError> {
    let mut missing = Vec::new();
    let in_memory = spec.limits.disk_bytes.saturating_add(options.tmp_bytes.saturating_mul(5) / 4);
    let (limits, checkout, wanted) = (spec.limits.clone(), spec.checkout.clone(), spec.min_tier);
    let started = tokio::task::spawn_blocking(move || {
        if !checkout.as_os_str().is_empty() && !checkout.is_dir() {
            let reason = format!("the checkout {} is no directory", checkout.display());
            return Err(invalid("open a session", reason));
        }
        let cgroups = Cgroups::create(&limits, in_memory, &mut missing);
        let (oom, joins) = (cgroups.oom_watch(), cgroups.join_files());
        let (helper, socket) = HelperProcess::start(cgroups).map_err(|error| match error.kind() {
            std::io::ErrorKind::Unsupported => unavailable(wanted, &error.to_string(), None),
            _ => backend("starting the helper", error),
        })?;
        Ok((helper, socket, oom, joins, missing))
    });
    let (helper, socket, oom, joins, mut missing) =
        started.await.map_err(|error| backend("starting the helper", error))??;
    let mut socket = UnixStream::from_std(socket).map_err(|error| backend("starting the helper", error))?;
    let configuration = configuration(options, spec, &joins);
    missing.extend(handshake(&mut socket, &configuration, spec.min_tier).await?);
    let (gone, stop) = (helper.gone(), CancellationToken::new());
    let connection = Arc::new(Connection::start(socket, helper, stop.clone()));
    let isolation = Isolation::new(IsolationTier::Full, spec.limits.clone()).with_missing(missing);
    let env = environment(options, spec);
    Ok(LocalSession {
        isolation,
        env,
        connection,
        oom: Arc::new(oom),
        gone,
        tree: TreeCache::default(),
        stop,
    })
}

fn configuration(
    options: &LocalSandboxOptions,
    spec: &SandboxSpec,
    joins: &[std::path::PathBuf],
) -> Configuration {
    let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
    let (uid, gid) = effective_ids();
    let privileged = uid == 0;
    let (host_uid, host_gid) = if privileged { options.session_user } else { (uid, gid) };
    let limits = &spec.limits;
    Configuration {
        host_pid: std::process::id(),
        privileged,
        host_uid,
        host_gid,
        checkout: bytes(&spec.checkout),
        cgroups: joins.iter().map(|path| bytes(path)).collect(),
        mounts: options.mounts.iter().map(|mount| (bytes(&mount.host), bytes(&mount.inside))).collect(),
        limits: Limits {
            data_bytes: limits.memory_bytes,
            pids: u64::from(limits.pids),
            cpu_seconds: limits.cpu_seconds,
            disk_bytes: limits.disk_bytes,
            tmp_bytes: options.tmp_bytes,
            open_files: options.open_files,
        },
    }
}

/// Sends the configuration and waits for the helper to be ready; gives the protections that are missing.
async fn handshake(
    socket: &mut UnixStream,
    configuration: &Configuration,
    wanted: IsolationTier,
) -> Result<Vec<String>, SandboxError> {
    let failed = |error| backend("starting the helper", error);
    socket.write_all(&configuration.encode()).await.map_err(failed)?;
    let mut buffer = Vec::new();
    loop {
        let frame = wire::split_frame(&buffer).map_err(|_| SandboxError::Closed)?;
        if let Some(frame) = frame {
            let mut body = Decoder::new(frame.body);
            return match frame.kind {
                reply::READY => {
                    let missing = body.list().unwrap_or_default();
                    Ok(missing.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect())
                }
                reply::FAILED => Err(refused_session(&mut body, wanted)),
                _ => Err(SandboxError::Closed),
            };
        }
        if socket.read_buf(&mut buffer).await.map_err(failed)? == 0 {
            return Err(unavailable(wanted, "the helper ended while it built the session", None));
        }
    }
}

fn refused_session(body: &mut Decoder<'_>, wanted: IsolationTier) -> SandboxError {
    let step = body.bytes().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    let errno = body.u32().and_then(|number| i32::try_from(number).ok());
    unavailable(wanted, &step, errno)
}

fn environment(options: &LocalSandboxOptions, spec: &SandboxSpec) -> BTreeMap<String, String> {
    let tools =
        options.mounts.iter().filter_map(|mount| mount.inside.join("bin").to_str().map(str::to_owned));
    let path: Vec<String> = tools.chain([SYSTEM_PATH.to_owned()]).collect();
    let basics = [("PATH", path.join(":")), ("HOME", "/tmp/home".to_owned())];
    let basics = basics.into_iter().chain([("LANG", "C.UTF-8".to_owned()), ("TMPDIR", "/tmp".to_owned())]);
    let mut env: BTreeMap<String, String> = basics.map(|(key, value)| (key.to_owned(), value)).collect();
    env.extend(spec.env.clone());
    env
}

impl LocalSession {
    fn check(&self, ctx: &RunContext) -> Result<(), SandboxError> {
        if ctx.is_cancelled() {
            return Err(SandboxError::Cancelled);
        }
        if self.stop.is_cancelled() || self.connection.is_closed() {
            return Err(SandboxError::Closed);
        }
        Ok(())
    }

    async fn ask(
        &self,
        operation: &'static str,
        path: Option<&RepoPath>,
        ctx: &RunContext,
        encode: impl FnOnce(u32) -> Vec<u8> + Send,
    ) -> Result<Answer, SandboxError> {
        self.check(ctx)?;
        let answer = ctx.bounded(FILE_LIMIT, self.connection.ask(encode)).await;
        match answer.map_err(|ended| interrupted(ended, operation))?.map_err(closed)? {
            Answer::Refused(refused) => Err(refusal_error(operation, path, refused)),
            answer => Ok(answer),
        }
    }

    fn command(&self, request: &ExecRequest) -> Result<Command, SandboxError> {
        const OPERATION: &str = "run the command";
        if request.argv.first().is_none_or(String::is_empty) {
            return Err(invalid(OPERATION, "it names no program"));
        }
        if request.argv.iter().any(|argument| argument.contains('\0')) {
            return Err(invalid(OPERATION, "an argument holds a null character"));
        }
        check_env(OPERATION, &request.env)?;
        let mut env = self.env.clone();
        env.extend(request.env.clone());
        let env: Vec<Vec<u8>> =
            env.iter().map(|(key, value)| format!("{key}={value}").into_bytes()).collect();
        let argv: Vec<Vec<u8>> = request.argv.iter().map(|text| text.clone().into_bytes()).collect();
        let bytes = argv.iter().chain(&env).map(Vec::len).sum::<usize>().saturating_add(request.stdin.len());
        if bytes > MAX_COMMAND_BYTES {
            let limit_bytes = u64::try_from(MAX_COMMAND_BYTES).unwrap_or(u64::MAX);
            return Err(SandboxError::TooLarge {
                what: "the command with its input".to_owned(),
                limit_bytes,
            });
        }
        Ok(Command {
            argv,
            env,
            cwd: request.cwd.as_ref().map(|path| path.as_str().as_bytes().to_vec()).unwrap_or_default(),
            stdin: request.stdin.clone(),
            timeout_ms: self.timeout_ms(request),
            output_bytes: self.isolation.limits.output_bytes,
        })
    }

    fn timeout_ms(&self, request: &ExecRequest) -> u64 {
        let wanted = request.timeout.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        // A day is longer than any run may take, and far from any overflow.
        wanted.unwrap_or(self.isolation.limits.exec_timeout_ms).min(86_400_000)
    }
}

#[async_trait]
impl SandboxSession for LocalSession {
    fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    async fn exec(&self, request: &ExecRequest, ctx: &RunContext) -> Result<ExecStream, SandboxError> {
        const OPERATION: &str = "run the command";
        self.check(ctx)?;
        let command = self.command(request)?;
        let limit = Duration::from_millis(command.timeout_ms).saturating_add(EXEC_SLACK);
        let sent = ctx.bounded(EXEC_SLACK, self.connection.command(|id| command.encode(id))).await;
        let (id, reports) = sent.map_err(|ended| interrupted(ended, OPERATION))?.map_err(closed)?;
        let guard = KillOnDrop { connection: Arc::clone(&self.connection), id, armed: true };
        let first = ctx.bounded(limit, reports.next()).await;
        let first = match first.map_err(|ended| interrupted(ended, OPERATION))? {
            Report::Refused(refused) => {
                guard.disarm();
                return Err(exec_error(request, refused));
            }
            Report::Lost => return Err(SandboxError::Closed),
            report => report,
        };
        let (events, stream) = mpsc::channel(QUEUED_EVENTS);
        let forward = Forward { reports, events, oom: Arc::clone(&self.oom), guard, limit };
        tokio::spawn(forward.run(first, ctx.clone(), self.stop.clone()));
        Ok(ExecStream::new(stream))
    }

    async fn read_file(
        &self,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<Vec<u8>, SandboxError> {
        let most = max_bytes.min(u64::try_from(MAX_WRITE_BYTES).unwrap_or(u64::MAX));
        let encode = |id| Encoder::new(request::READ, id).bytes(path.as_str().as_bytes()).u64(most).finish();
        match self.ask("read the file", Some(path), ctx, encode).await {
            Ok(Answer::Content(content)) => Ok(content),
            Ok(_) => Err(SandboxError::Closed),
            Err(SandboxError::TooLarge { .. }) => {
                Err(SandboxError::TooLarge { what: format!("the file {path}"), limit_bytes: most })
            }
            Err(error) => Err(error),
        }
    }

    async fn write_file(
        &self,
        path: &RepoPath,
        content: &[u8],
        executable: bool,
        ctx: &RunContext,
    ) -> Result<(), SandboxError> {
        if content.len() > MAX_WRITE_BYTES {
            let limit_bytes = u64::try_from(MAX_WRITE_BYTES).unwrap_or(u64::MAX);
            return Err(SandboxError::TooLarge { what: format!("the file {path}"), limit_bytes });
        }
        let encode = |id| {
            Encoder::new(request::WRITE, id)
                .bytes(path.as_str().as_bytes())
                .bytes(content)
                .u8(u8::from(executable))
                .finish()
        };
        self.ask("write the file", Some(path), ctx, encode).await.map(|_| ())
    }

    async fn changes(&self, ctx: &RunContext) -> Result<BTreeMap<RepoPath, SessionChange>, SandboxError> {
        const OPERATION: &str = "list the changes";
        let encode = |id| Encoder::new(request::CHANGES, id).finish();
        let Answer::Done(changes) = self.ask(OPERATION, None, ctx, encode).await? else {
            return Err(SandboxError::Closed);
        };
        let content =
            changes.into_iter().filter(|(path, ..)| !RepoPath::is_of_git(&String::from_utf8_lossy(path)));
        content.map(|(path, kind, content)| session_change(&path, kind, content)).collect()
    }

    async fn tree(&self, limits: &TreeLimits, ctx: &RunContext) -> Result<Arc<SessionTree>, SandboxError> {
        const OPERATION: &str = "read the tree";
        self.check(ctx)?;
        let read = ctx.bounded(FILE_LIMIT, self.tree.read(&self.connection, limits)).await;
        match read.map_err(|ended| interrupted(ended, OPERATION))?.map_err(closed)? {
            Ok(tree) => Ok(tree),
            Err(refused) => Err(refusal_error(OPERATION, None, refused)),
        }
    }

    async fn close(&self) -> Result<(), SandboxError> {
        self.stop.cancel();
        self.connection.stop();
        let mut gone = self.gone.clone();
        match tokio::time::timeout(CLOSE_LIMIT, gone.wait_for(|gone| *gone)).await {
            // The sender lives until the end was seen; without one there is nothing left to wait for.
            Ok(_) => Ok(()),
            Err(_) => Err(SandboxError::Timeout {
                operation: "closing the session",
                limit_ms: u64::try_from(CLOSE_LIMIT.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }
}

impl Drop for LocalSession {
    fn drop(&mut self) {
        self.stop.cancel();
        self.connection.stop();
    }
}

/// Kills a command that nobody waits for any more.
#[derive(Debug)]
struct KillOnDrop {
    connection: Arc<Connection>,
    id: u32,
    armed: bool,
}

impl KillOnDrop {
    fn disarm(mut self) {
        self.armed = false;
    }

    fn frame(&self) -> Vec<u8> {
        Encoder::new(request::KILL, self.id).finish()
    }

    async fn kill(&self) {
        drop(self.connection.tell(self.frame()).await);
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if self.armed {
            self.connection.tell_now(self.frame());
        }
    }
}

/// Carries the reports of one command to its stream.
struct Forward {
    reports: Arc<Reports>,
    events: mpsc::Sender<Result<ExecEvent, SandboxError>>,
    oom: Arc<OomWatch>,
    guard: KillOnDrop,
    limit: Duration,
}

impl Forward {
    async fn run(self, first: Report, ctx: RunContext, stop: CancellationToken) {
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Err(SandboxError::Closed),
            () = ctx.cancellation().cancelled() => Err(SandboxError::Cancelled),
            () = self.events.closed() => Err(SandboxError::Cancelled),
            done = self.forward(first, &ctx) => done,
        };
        match ended {
            Ok(()) => self.guard.disarm(),
            Err(error) => {
                self.kill().await;
                drop(self.events.send(Err(error)).await);
            }
        }
    }

    async fn forward(&self, first: Report, ctx: &RunContext) -> Result<(), SandboxError> {
        let mut report = first;
        loop {
            let event = match report {
                Report::Started => None,
                Report::Stdout(bytes) => Some(ExecEvent::Stdout(bytes)),
                Report::Stderr(bytes) => Some(ExecEvent::Stderr(bytes)),
                Report::Truncated(bytes) => Some(ExecEvent::Truncated { bytes }),
                Report::Exit(exit) => {
                    drop(self.events.send(Ok(ExecEvent::Exit(self.exit(exit)))).await);
                    return Ok(());
                }
                Report::Refused(_) | Report::Lost => return Err(SandboxError::Closed),
            };
            if let Some(event) = event
                && self.events.send(Ok(event)).await.is_err()
            {
                return Err(SandboxError::Cancelled);
            }
            let next = ctx.bounded(self.limit, self.reports.next()).await;
            report = next.map_err(|ended| interrupted(ended, "running the command"))?;
        }
    }

    /// Kills the command and waits until it is gone.
    async fn kill(&self) {
        let end = async {
            self.guard.kill().await;
            while !matches!(self.reports.next().await, Report::Exit(_) | Report::Refused(_) | Report::Lost) {}
        };
        drop(tokio::time::timeout(KILL_LIMIT, end).await);
    }

    fn exit(&self, exit: Exit) -> ExecExit {
        let signal = i32::try_from(exit.status & 0x7f).unwrap_or(0);
        let code = i32::try_from((exit.status >> 8) & 0xff).unwrap_or(0);
        let killed = signal != 0;
        ExecExit {
            code: (!killed).then_some(code),
            signal: killed.then_some(signal),
            oom: self.oom.any_new() && !exit.timed_out,
            timed_out: exit.timed_out,
        }
    }
}

fn session_change(
    path: &[u8],
    kind: u8,
    content: Vec<u8>,
) -> Result<(RepoPath, SessionChange), SandboxError> {
    let shown = String::from_utf8_lossy(path);
    let unsafe_name = |why: String| {
        let shown: String = shown.chars().take(256).collect();
        invalid(
            "list the changes",
            format!("the session made {shown:?}, which cannot be named safely: {why}"),
        )
    };
    let text = std::str::from_utf8(path).map_err(|_| unsafe_name("it is not UTF-8".to_owned()))?;
    let path = RepoPath::new(text).map_err(|error| unsafe_name(error.reason.to_owned()))?;
    let change = match kind {
        change::WRITTEN => SessionChange::Written { content, executable: false },
        change::WRITTEN_EXECUTABLE => SessionChange::Written { content, executable: true },
        change::DELETED => SessionChange::Deleted,
        change::SYMLINK => SessionChange::Symlink { target: content },
        change::REFUSED => SessionChange::Refused { why: String::from_utf8_lossy(&content).into_owned() },
        _ => return Err(SandboxError::Closed),
    };
    Ok((path, change))
}

fn exec_error(request: &ExecRequest, refused: Refused) -> SandboxError {
    if refused.code != refusal::INVALID || refused.errno == 0 {
        return refusal_error("run the command", None, refused);
    }
    let program = request.argv.first().map_or("", String::as_str);
    let cause = std::io::Error::from_raw_os_error(refused.errno);
    invalid("run the command", format!("{program:?} cannot be started in the session: {cause}"))
}

fn refusal_error(operation: &'static str, path: Option<&RepoPath>, refused: Refused) -> SandboxError {
    match (refused.code, path.cloned()) {
        (refusal::NOT_FOUND, Some(path)) => SandboxError::NotFound { path },
        (refusal::DENIED, Some(path)) => SandboxError::Denied { path, reason: refused.text },
        (refusal::TOO_LARGE, _) => SandboxError::TooLarge { what: refused.text, limit_bytes: CHANGES_BYTES },
        (refusal::SYSTEM, _) => {
            let cause = std::io::Error::from_raw_os_error(refused.errno);
            backend(operation, std::io::Error::new(cause.kind(), format!("{}: {cause}", refused.text)))
        }
        _ => invalid(operation, refused.text),
    }
}

fn interrupted(ended: Interrupted, operation: &'static str) -> SandboxError {
    match ended {
        Interrupted::Cancelled => SandboxError::Cancelled,
        Interrupted::TimedOut { limit_ms } => SandboxError::Timeout { operation, limit_ms },
    }
}

fn closed(_: Gone) -> SandboxError {
    SandboxError::Closed
}

fn invalid(operation: &'static str, reason: impl Into<String>) -> SandboxError {
    SandboxError::InvalidRequest { operation, reason: reason.into() }
}

fn backend(
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SandboxError {
    SandboxError::Backend { provider: PROVIDER, operation, source: source.into() }
}
