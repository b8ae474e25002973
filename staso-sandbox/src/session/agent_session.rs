//! [`AgentSession`]: the trait of sessions over a conversation with an agent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::run::RunContext;
use staso_core::sandbox::{
    ExecRequest, ExecStream, Isolation, SandboxError, SandboxSession, SessionChange, SessionTree, TreeLimits,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::connection::{Answer, Connection, LateFailure, Report};
use super::forward::{Forward, KillOnDrop, OomWatch};
use super::refused::{exec_error, interrupted, invalid, refusal_error, session_change};
use super::spec::check_env;
use super::tree::TreeCache;
use super::wire::{Command, Encoder, request};

/// How long a file operation may take.
const FILE_LIMIT: Duration = Duration::from_secs(30);
/// How long the agent may take beyond a command's own time.
const EXEC_SLACK: Duration = Duration::from_secs(5);
/// Largest file that can be written, in bytes.
const MAX_WRITE_BYTES: usize = 64 << 20;
/// Arguments, environment and input of a command together, in bytes.
const MAX_COMMAND_BYTES: usize = 64 << 20;
/// Events that wait for a slow reader.
const QUEUED_EVENTS: usize = 16;

/// A session whose agent was built and answers.
#[derive(Debug)]
pub(crate) struct AgentSession {
    /// The backend's name, for errors.
    pub(crate) provider: &'static str,
    /// What confines it.
    pub(crate) isolation: Isolation,
    /// The variables of every command.
    pub(crate) env: BTreeMap<String, String>,
    /// The conversation.
    pub(crate) connection: Arc<Connection>,
    /// Notices processes that were killed for want of memory.
    pub(crate) oom: Arc<dyn OomWatch>,
    /// Turns true when nothing of the session is left.
    pub(crate) gone: watch::Receiver<bool>,
    /// What was read of the checkout.
    pub(crate) tree: TreeCache,
    /// How long closing may take.
    pub(crate) close_limit: Duration,
    /// Cancelled when the session is closed or dropped; commands hold the connection a little longer.
    pub(crate) stop: CancellationToken,
}

impl AgentSession {
    fn check(&self, ctx: &RunContext) -> Result<(), SandboxError> {
        if ctx.is_cancelled() {
            return Err(SandboxError::Cancelled);
        }
        if self.stop.is_cancelled() {
            return Err(SandboxError::Closed);
        }
        if self.connection.is_closed() { Err(self.lost()) } else { Ok(()) }
    }

    /// Why nothing answers any more.
    fn lost(&self) -> SandboxError {
        let Some(LateFailure { step, errno }) = self.connection.failure() else {
            return SandboxError::Closed;
        };
        let cause = std::io::Error::from_raw_os_error(*errno);
        SandboxError::Unavailable {
            wanted: self.isolation.tier,
            reason: format!("the session was given up before any command ran: it could not {step}: {cause}"),
            remedy:
                "open another session: should that be refused as well, the error says what this machine lacks"
                    .to_owned(),
        }
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
        match answer.map_err(|ended| interrupted(ended, operation))?.map_err(|_| self.lost())? {
            Answer::Refused(refused) => Err(refusal_error(self.provider, operation, path, refused)),
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
impl SandboxSession for AgentSession {
    fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    async fn exec(&self, request: &ExecRequest, ctx: &RunContext) -> Result<ExecStream, SandboxError> {
        const OPERATION: &str = "run the command";
        self.check(ctx)?;
        let command = self.command(request)?;
        let limit = Duration::from_millis(command.timeout_ms).saturating_add(EXEC_SLACK);
        let oom_before = self.oom.kills();
        let sent = ctx.bounded(EXEC_SLACK, self.connection.command(|id| command.encode(id))).await;
        let sent = sent.map_err(|ended| interrupted(ended, OPERATION))?;
        let (id, reports) = sent.map_err(|_| self.lost())?;
        let guard = KillOnDrop { connection: Arc::clone(&self.connection), id, armed: true };
        let first = ctx.bounded(limit, reports.next()).await;
        let first = match first.map_err(|ended| interrupted(ended, OPERATION))? {
            Report::Refused(refused) => {
                guard.disarm();
                return Err(exec_error(self.provider, request, refused));
            }
            Report::Lost => return Err(self.lost()),
            report => report,
        };
        let (events, stream) = mpsc::channel(QUEUED_EVENTS);
        let forward = Forward { reports, events, oom: Arc::clone(&self.oom), oom_before, guard, limit };
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
        match read.map_err(|ended| interrupted(ended, OPERATION))?.map_err(|_| self.lost())? {
            Ok(tree) => Ok(tree),
            Err(refused) => Err(refusal_error(self.provider, OPERATION, None, refused)),
        }
    }

    async fn close(&self) -> Result<(), SandboxError> {
        self.stop.cancel();
        self.connection.stop();
        let mut gone = self.gone.clone();
        match tokio::time::timeout(self.close_limit, gone.wait_for(|gone| *gone)).await {
            // The sender lives until the end was seen; without one there is nothing left to wait for.
            Ok(_) => Ok(()),
            Err(_) => Err(SandboxError::Timeout {
                operation: "closing the session",
                limit_ms: u64::try_from(self.close_limit.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }
}

impl Drop for AgentSession {
    fn drop(&mut self) {
        self.stop.cancel();
        self.connection.stop();
    }
}
