//! A sandbox that runs nothing: files in memory, scripted commands, a record of every call.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::code::RepoPath;
use crate::run::RunContext;
use crate::sandbox::{
    ExecEvent, ExecExit, ExecRequest, ExecStream, Isolation, IsolationTier, Sandbox, SandboxCapabilities,
    SandboxError, SandboxSession, SandboxSpec, SessionChange, SessionEntry, SessionNode, SessionTree,
    TreeLimits,
};

/// The files of a session, by path.
pub type SessionFiles = BTreeMap<RepoPath, Vec<u8>>;

type Responder = dyn Fn(&ExecRequest, &mut SessionFiles) -> Option<ScriptedExec> + Send + Sync;

/// What a scripted command does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScriptedExec {
    /// What it prints on standard output.
    pub stdout: Vec<u8>,
    /// What it prints on standard error.
    pub stderr: Vec<u8>,
    /// How it ends; `None` never ends by itself and is killed by time, cancellation or close.
    pub exit: Option<ExecExit>,
}

impl ScriptedExec {
    /// Prints a text and returns a code.
    pub fn new(code: i32, stdout: impl Into<Vec<u8>>) -> Self {
        let exit = ExecExit { code: Some(code), ..ExecExit::default() };
        Self { stdout: stdout.into(), stderr: Vec::new(), exit: Some(exit) }
    }

    /// Never ends by itself.
    #[must_use]
    pub fn hanging() -> Self {
        Self::default()
    }
}

/// A call that a [`MemorySandbox`] received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxCall {
    /// A session was opened.
    Open(SandboxSpec),
    /// A command was run.
    Exec(ExecRequest),
    /// A file was read.
    Read(RepoPath),
    /// A file was written.
    Write(RepoPath),
    /// The changes were listed.
    Changes,
    /// The whole tree was read.
    Tree,
    /// A session was closed.
    Close,
}

/// A sandbox whose sessions hold files in memory and whose commands are scripted.
///
/// Every session starts with the same files. A command is answered by the first responder that knows it; one that
/// nobody knows returns 127. Nothing is executed, so it reports [`IsolationTier::Full`].
#[derive(Debug, Clone, Default)]
pub struct MemorySandbox {
    script: Arc<Script>,
    calls: Arc<Mutex<Vec<SandboxCall>>>,
}

#[derive(Clone, Default)]
struct Script {
    files: SessionFiles,
    responders: Vec<Arc<Responder>>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("files", &self.files.keys())
            .field("responders", &self.responders.len())
            .finish()
    }
}

impl MemorySandbox {
    /// Sessions that start with these files.
    #[must_use]
    pub fn new(files: SessionFiles) -> Self {
        let script = Arc::new(Script { files, responders: Vec::new() });
        Self { script, calls: Arc::default() }
    }

    /// Answers commands that satisfy the predicate.
    #[must_use]
    pub fn with_answer(
        self,
        matches: impl Fn(&[String]) -> bool + Send + Sync + 'static,
        answer: ScriptedExec,
    ) -> Self {
        self.with_responder(move |request, _| matches(&request.argv).then(|| answer.clone()))
    }

    /// Answers commands by a function that sees, and may change, the files of the session. `None` leaves the command to
    /// the next responder.
    #[must_use]
    pub fn with_responder(
        mut self,
        respond: impl Fn(&ExecRequest, &mut SessionFiles) -> Option<ScriptedExec> + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.script).responders.push(Arc::new(respond));
        self
    }

    /// Every call of every session so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<SandboxCall> {
        lock(&self.calls).clone()
    }
}

#[async_trait]
impl Sandbox for MemorySandbox {
    async fn capabilities(&self, ctx: &RunContext) -> Result<SandboxCapabilities, SandboxError> {
        if ctx.is_cancelled() {
            return Err(SandboxError::Cancelled);
        }
        Ok(SandboxCapabilities::new(IsolationTier::Full))
    }

    async fn open(
        &self,
        spec: &SandboxSpec,
        ctx: &RunContext,
    ) -> Result<Box<dyn SandboxSession>, SandboxError> {
        if ctx.is_cancelled() {
            return Err(SandboxError::Cancelled);
        }
        lock(&self.calls).push(SandboxCall::Open(spec.clone()));
        Ok(Box::new(MemorySession {
            isolation: Isolation::new(IsolationTier::Full, spec.limits.clone()),
            files: Mutex::new(self.script.files.clone()),
            executable: Mutex::default(),
            script: Arc::clone(&self.script),
            calls: Arc::clone(&self.calls),
            closed: AtomicBool::new(false),
            stop: CancellationToken::new(),
        }))
    }
}

#[derive(Debug)]
struct MemorySession {
    isolation: Isolation,
    files: Mutex<SessionFiles>,
    executable: Mutex<BTreeMap<RepoPath, bool>>,
    script: Arc<Script>,
    calls: Arc<Mutex<Vec<SandboxCall>>>,
    closed: AtomicBool,
    stop: CancellationToken,
}

impl MemorySession {
    fn enter(&self, call: SandboxCall, ctx: &RunContext) -> Result<(), SandboxError> {
        if ctx.is_cancelled() {
            return Err(SandboxError::Cancelled);
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(SandboxError::Closed);
        }
        lock(&self.calls).push(call);
        Ok(())
    }

    fn answer(&self, request: &ExecRequest) -> ScriptedExec {
        let mut files = lock(&self.files);
        let known = self.script.responders.iter().find_map(|respond| respond(request, &mut files));
        known.unwrap_or_else(|| ScriptedExec {
            stderr: format!("no scripted answer for {:?}\n", request.argv).into_bytes(),
            ..ScriptedExec::new(127, "")
        })
    }
}

#[async_trait]
impl SandboxSession for MemorySession {
    fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    async fn exec(&self, request: &ExecRequest, ctx: &RunContext) -> Result<ExecStream, SandboxError> {
        self.enter(SandboxCall::Exec(request.clone()), ctx)?;
        let answer = self.answer(request);
        let (events, stream) = mpsc::channel(4);
        let limit = request
            .timeout
            .unwrap_or(std::time::Duration::from_millis(self.isolation.limits.exec_timeout_ms));
        let (ctx, stop) = (ctx.clone(), self.stop.clone());
        tokio::spawn(async move {
            for event in [ExecEvent::Stdout(answer.stdout), ExecEvent::Stderr(answer.stderr)] {
                drop(events.send(Ok(event)).await);
            }
            let killed = ExecExit { signal: Some(9), timed_out: true, ..ExecExit::default() };
            let last = match answer.exit {
                Some(exit) => Ok(ExecEvent::Exit(exit)),
                None => tokio::select! {
                    () = stop.cancelled() => Err(SandboxError::Closed),
                    () = ctx.cancellation().cancelled() => Err(SandboxError::Cancelled),
                    () = events.closed() => return,
                    () = ctx.clock().sleep(limit) => Ok(ExecEvent::Exit(killed)),
                },
            };
            drop(events.send(last).await);
        });
        Ok(ExecStream::new(stream))
    }

    async fn read_file(
        &self,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<Vec<u8>, SandboxError> {
        self.enter(SandboxCall::Read(path.clone()), ctx)?;
        let content = lock(&self.files).get(path).cloned();
        let content = content.ok_or_else(|| SandboxError::NotFound { path: path.clone() })?;
        if u64::try_from(content.len()).unwrap_or(u64::MAX) > max_bytes {
            return Err(SandboxError::TooLarge { what: format!("the file {path}"), limit_bytes: max_bytes });
        }
        Ok(content)
    }

    async fn write_file(
        &self,
        path: &RepoPath,
        content: &[u8],
        executable: bool,
        ctx: &RunContext,
    ) -> Result<(), SandboxError> {
        self.enter(SandboxCall::Write(path.clone()), ctx)?;
        lock(&self.files).insert(path.clone(), content.to_vec());
        lock(&self.executable).insert(path.clone(), executable);
        Ok(())
    }

    async fn changes(&self, ctx: &RunContext) -> Result<BTreeMap<RepoPath, SessionChange>, SandboxError> {
        self.enter(SandboxCall::Changes, ctx)?;
        let (files, executable, before) = (lock(&self.files), lock(&self.executable), &self.script.files);
        let deleted = before.keys().filter(|path| !files.contains_key(*path));
        let mut changes: BTreeMap<_, _> =
            deleted.map(|path| (path.clone(), SessionChange::Deleted)).collect();
        let hides_scratch = !before.keys().any(is_scratch);
        for (path, content) in files.iter().filter(|(path, _)| !(hides_scratch && is_scratch(path))) {
            let executable = executable.get(path).copied().unwrap_or(false);
            if executable || before.get(path) != Some(content) {
                let change = SessionChange::Written { content: content.clone(), executable };
                changes.insert(path.clone(), change);
            }
        }
        Ok(changes)
    }

    async fn tree(&self, limits: &TreeLimits, ctx: &RunContext) -> Result<Arc<SessionTree>, SandboxError> {
        self.enter(SandboxCall::Tree, ctx)?;
        let (files, before) = (lock(&self.files), &self.script.files);
        let hides_scratch = !before.keys().any(is_scratch);
        let (mut tree, mut bytes) = (SessionTree::default(), 0_u64);
        for (path, content) in files.iter().filter(|(path, _)| !(hides_scratch && is_scratch(path))) {
            if tree.entries.len() >= limits.entries {
                tree.cut = true;
                break;
            }
            let node = SessionNode::of_file(content.as_slice(), bytes, limits);
            if let SessionNode::File(content) = &node {
                bytes = bytes.saturating_add(u64::try_from(content.len()).unwrap_or(u64::MAX));
            }
            let in_checkout = before.contains_key(path);
            tree.entries.insert(path.clone(), SessionEntry { node, in_checkout });
        }
        Ok(Arc::new(tree))
    }

    async fn close(&self) -> Result<(), SandboxError> {
        if !self.closed.swap(true, Ordering::AcqRel) {
            lock(&self.calls).push(SandboxCall::Close);
            self.stop.cancel();
        }
        Ok(())
    }
}

impl Drop for MemorySession {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Whether the path is the host's scratch directory or in it.
fn is_scratch(path: &RepoPath) -> bool {
    path.components().next() == Some(".staso")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::SandboxSessionExt as _;
    use crate::testing::test_context;

    fn path(text: &str) -> RepoPath {
        RepoPath::new(text).unwrap()
    }

    #[tokio::test]
    async fn commands_see_and_change_the_files_of_their_session() {
        let files = BTreeMap::from([(path("a"), b"1".to_vec()), (path("b"), b"2".to_vec())]);
        let sandbox = MemorySandbox::new(files).with_responder(|request, files| {
            let [program, name] = request.argv.as_slice() else { return None };
            (program == "rm").then(|| {
                files.remove(&path(name));
                ScriptedExec::new(0, "gone")
            })
        });
        let ctx = test_context();
        let session = sandbox.open(&SandboxSpec::new("/x"), &ctx).await.unwrap();
        let output = session.run(&ExecRequest::new(["rm", "a"]), &ctx).await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.exit.code), (b"gone".as_slice(), Some(0)));
        assert_eq!(session.run(&ExecRequest::new(["ls"]), &ctx).await.unwrap().exit.code, Some(127));
        session.write_file(&path("b"), b"2", false, &ctx).await.unwrap();
        let changes = session.changes(&ctx).await.unwrap();
        assert_eq!(changes, BTreeMap::from([(path("a"), SessionChange::Deleted)]));
        session.close().await.unwrap();
        assert!(matches!(session.changes(&ctx).await, Err(SandboxError::Closed)));
        assert_eq!(sandbox.calls().last(), Some(&SandboxCall::Close));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_command_ends_by_time_or_cancellation() {
        let sandbox = MemorySandbox::default().with_answer(|_| true, ScriptedExec::hanging());
        let ctx = test_context();
        let session = sandbox.open(&SandboxSpec::new("/x"), &ctx).await.unwrap();
        let output = session.run(&ExecRequest::new(["x"]), &ctx).await.unwrap();
        assert!(output.exit.timed_out);
        let mut stream = session.exec(&ExecRequest::new(["x"]), &ctx).await.unwrap();
        ctx.cancellation().cancel();
        let mut last = None;
        while let Some(event) = stream.next().await {
            last = Some(event);
        }
        assert!(matches!(last, Some(Err(SandboxError::Cancelled))));
    }
}
