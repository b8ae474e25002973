//! Backends that break the contract of a sandbox in one way each. The public suite has to find every one of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::conformance::sandbox as suite;
use staso_core::run::RunContext;
use staso_core::sandbox::{
    ExecEvent, ExecExit, ExecRequest, ExecStream, Isolation, IsolationTier, Sandbox, SandboxCapabilities,
    SandboxError, SandboxLimits, SandboxSession, SandboxSessionExt as _, SandboxSpec, SessionChange,
    SessionTree, TreeLimits,
};
use staso_core::testing::test_context;
use staso_sandbox::{LocalSandbox, LocalSandboxOptions};
use tokio::sync::{OnceCell, OwnedMutexGuard, mpsc};

use crate::host::Host;

/// What is wrong with a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    LosesTheLastOutput,
    PrintsAtTheEnd,
    PrintsAfterTheEnd,
    MixesStreams,
    ForgetsTheTime,
    IgnoresMemory,
    IgnoresProcesses,
    IgnoresProcessorTime,
    IgnoresDisk,
    IgnoresOutput,
    LeavesProcesses,
    OneCommandAtATime,
    ListsChangesLate,
    KeepsItsTree,
    FollowsLinks,
    ForgetsModes,
    ReadsAfterClose,
    OneSessionForAll,
    LeaksTheHost,
    KeepsVariables,
    WritesThrough,
    WeakensInSilence,
    TakesAnything,
    CannotBeCancelled,
}

#[derive(Debug)]
struct Faulty {
    fault: Fault,
    inner: LocalSandbox,
    shared: OnceCell<Arc<dyn SandboxSession>>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        let options = match fault {
            Fault::WeakensInSilence => {
                LocalSandboxOptions::new().with_strongest_tier(IsolationTier::LandlockOnly)
            }
            _ => LocalSandboxOptions::new(),
        };
        Self { fault, inner: LocalSandbox::with_options(options), shared: OnceCell::new() }
    }

    /// The limits that really hold.
    fn limits(&self, asked: &SandboxLimits) -> SandboxLimits {
        let (mut limits, none) = (asked.clone(), SandboxLimits::default());
        match self.fault {
            Fault::IgnoresMemory => limits.memory_bytes = none.memory_bytes,
            Fault::IgnoresProcesses => limits.pids = none.pids,
            // Long enough for the suite to notice, short enough for the test.
            Fault::IgnoresProcessorTime => {
                (limits.cpu_seconds, limits.exec_timeout_ms) =
                    (none.cpu_seconds, limits.exec_timeout_ms.min(5_000));
            }
            Fault::IgnoresDisk => limits.disk_bytes = none.disk_bytes,
            Fault::IgnoresOutput => limits.output_bytes = none.output_bytes,
            Fault::ForgetsTheTime => limits.exec_timeout_ms = none.exec_timeout_ms,
            _ => {}
        }
        limits
    }
}

#[async_trait]
impl Sandbox for Faulty {
    async fn capabilities(&self, ctx: &RunContext) -> Result<SandboxCapabilities, SandboxError> {
        self.inner.capabilities(ctx).await
    }

    async fn open(
        &self,
        spec: &SandboxSpec,
        ctx: &RunContext,
    ) -> Result<Box<dyn SandboxSession>, SandboxError> {
        let mut real = spec.clone().with_limits(self.limits(&spec.limits));
        if self.fault == Fault::WeakensInSilence {
            real = real.with_min_tier(IsolationTier::LandlockOnly);
        }
        let open = || async { self.inner.open(&real, ctx).await.map(Arc::from) };
        let inner: Arc<dyn SandboxSession> = match self.fault {
            Fault::OneSessionForAll => Arc::clone(self.shared.get_or_try_init(open).await?),
            _ => open().await?,
        };
        let isolation = Isolation::new(inner.isolation().tier, spec.limits.clone())
            .with_missing(inner.isolation().missing.clone());
        Ok(Box::new(FaultySession {
            fault: self.fault,
            checkout: spec.checkout.clone(),
            inner,
            isolation,
            turn: Arc::default(),
            left: Arc::default(),
            variables: Mutex::default(),
            changed: Mutex::default(),
            tree: Mutex::default(),
            closed: Mutex::default(),
        }))
    }
}

type Changes = BTreeMap<RepoPath, SessionChange>;

#[derive(Debug)]
struct FaultySession {
    fault: Fault,
    checkout: PathBuf,
    inner: Arc<dyn SandboxSession>,
    isolation: Isolation,
    turn: Arc<tokio::sync::Mutex<()>>,
    left: Arc<Mutex<Vec<ExecStream>>>,
    variables: Mutex<BTreeMap<String, String>>,
    changed: Mutex<Changes>,
    tree: Mutex<Option<Arc<SessionTree>>>,
    closed: Mutex<bool>,
}

impl FaultySession {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn request(&self, asked: &ExecRequest) -> ExecRequest {
        let mut request = asked.clone();
        match self.fault {
            Fault::LeaksTheHost => request = request.with_env("CANARY", "of the host"),
            Fault::ForgetsTheTime if request.timeout.is_none() => {
                request.timeout =
                    Some(Duration::from_secs(3)).filter(|_| self.isolation.limits.exec_timeout_ms < 3_000);
            }
            Fault::KeepsVariables => {
                let mut kept = self.variables.lock().unwrap();
                kept.extend(request.env.clone());
                request.env.clone_from(&kept);
            }
            _ => {}
        }
        request
    }

    /// The same events, spoiled.
    fn spoil(&self, mut events: ExecStream, turn: Option<OwnedMutexGuard<()>>) -> ExecStream {
        let (sender, spoiled) = mpsc::channel(1_024);
        let fault = self.fault;
        tokio::spawn(async move {
            let (_turn, mut held, mut prints) = (turn, Vec::new(), 0);
            loop {
                let event = tokio::select! {
                    event = events.next() => event,
                    () = sender.closed() => None,
                };
                let Some(mut event) = event else { break };
                if let (Fault::MixesStreams, Ok(ExecEvent::Stderr(bytes))) = (fault, &event) {
                    event = Ok(ExecEvent::Stdout(bytes.clone()));
                }
                let is_last = matches!(event, Ok(ExecEvent::Exit(_)) | Err(_));
                prints += 1;
                // Only what prints a lot is cut, so that small output arrives.
                let waits = !is_last
                    && (fault == Fault::PrintsAtTheEnd || (fault == Fault::LosesTheLastOutput && prints > 3));
                if is_last && fault == Fault::LosesTheLastOutput {
                    held.pop();
                }
                if !waits || fault == Fault::LosesTheLastOutput {
                    for event in held.drain(..) {
                        drop(sender.send(event).await);
                    }
                }
                if waits {
                    held.push(event);
                    continue;
                }
                drop(sender.send(event).await);
                if is_last && fault == Fault::PrintsAfterTheEnd {
                    drop(sender.send(Ok(ExecEvent::Stdout(b"late".to_vec()))).await);
                }
            }
        });
        ExecStream::new(spoiled)
    }

    /// Says that a command has ended whose processes go on.
    async fn abandon(&self, request: &ExecRequest, ctx: &RunContext) -> Result<ExecStream, SandboxError> {
        if ctx.is_cancelled() {
            return Err(SandboxError::Cancelled);
        }
        let limit = request.timeout.unwrap_or(Duration::from_secs(60));
        let request = request.clone().with_timeout(Duration::from_secs(60));
        let mut events = self.inner.exec(&request, &test_context()).await?;
        let (sender, abandoned) = mpsc::channel(1_024);
        let (left, cancelled) = (Arc::clone(&self.left), ctx.cancellation().clone());
        tokio::spawn(async move {
            let over = tokio::time::sleep(limit);
            tokio::pin!(over);
            let killed = ExecExit { signal: Some(9), timed_out: true, ..ExecExit::default() };
            let end = loop {
                let event = tokio::select! {
                    event = events.next() => event,
                    () = sender.closed() => break None,
                    () = cancelled.cancelled() => break Some(Err(SandboxError::Cancelled)),
                    () = &mut over => break Some(Ok(ExecEvent::Exit(killed))),
                };
                let Some(event) = event else { break None };
                drop(sender.send(event).await);
            };
            left.lock().unwrap().push(events);
            if let Some(end) = end {
                drop(sender.send(end).await);
            }
        });
        Ok(ExecStream::new(abandoned))
    }
}

#[async_trait]
impl SandboxSession for FaultySession {
    fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    async fn exec(&self, request: &ExecRequest, ctx: &RunContext) -> Result<ExecStream, SandboxError> {
        if self.is(Fault::LeavesProcesses) {
            return self.abandon(request, ctx).await;
        }
        let turn = match self.fault {
            Fault::OneCommandAtATime => Some(Arc::clone(&self.turn).lock_owned().await),
            _ => None,
        };
        match self.inner.exec(&self.request(request), ctx).await {
            Ok(events) => Ok(self.spoil(events, turn)),
            Err(SandboxError::InvalidRequest { .. }) if self.is(Fault::TakesAnything) => {
                let (sender, events) = mpsc::channel(1);
                let exit = ExecExit { code: Some(127), ..ExecExit::default() };
                drop(sender.send(Ok(ExecEvent::Exit(exit))).await);
                Ok(ExecStream::new(events))
            }
            Err(error) => Err(error),
        }
    }

    async fn read_file(
        &self,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<Vec<u8>, SandboxError> {
        if self.is(Fault::ReadsAfterClose) && *self.closed.lock().unwrap() {
            return Ok(b"remembered".to_vec());
        }
        let deaf = test_context();
        let ctx = if self.is(Fault::CannotBeCancelled) { &deaf } else { ctx };
        match self.inner.read_file(path, max_bytes, ctx).await {
            Err(SandboxError::Denied { .. }) if self.is(Fault::FollowsLinks) => {
                Ok(self.inner.run(&ExecRequest::new(["cat", path.as_str()]), ctx).await?.stdout)
            }
            read => read,
        }
    }

    async fn write_file(
        &self,
        path: &RepoPath,
        content: &[u8],
        executable: bool,
        ctx: &RunContext,
    ) -> Result<(), SandboxError> {
        if self.is(Fault::WritesThrough) {
            fs::write(self.checkout.join(path.as_str()), content).unwrap();
        }
        let executable = executable || self.is(Fault::ForgetsModes);
        self.inner.write_file(path, content, executable, ctx).await
    }

    async fn changes(&self, ctx: &RunContext) -> Result<Changes, SandboxError> {
        let now = self.inner.changes(ctx).await?;
        if self.is(Fault::ListsChangesLate) {
            return Ok(std::mem::replace(&mut *self.changed.lock().unwrap(), now));
        }
        Ok(now)
    }

    async fn tree(&self, limits: &TreeLimits, ctx: &RunContext) -> Result<Arc<SessionTree>, SandboxError> {
        let now = self.inner.tree(limits, ctx).await?;
        if self.is(Fault::KeepsItsTree) {
            return Ok(Arc::clone(self.tree.lock().unwrap().get_or_insert(now)));
        }
        Ok(now)
    }

    async fn close(&self) -> Result<(), SandboxError> {
        *self.closed.lock().unwrap() = true;
        self.inner.close().await
    }
}

/// Runs a check against a fault, and sees that it panics with a sentence that says what is wrong.
macro_rules! found {
    ($fault:ident, $check:ident, $sentence:literal) => {{
        let host = Host::new();
        let (fixture, ctx) = (host.fixture.clone(), host.ctx.clone());
        let fixture = match Fault::$fault {
            Fault::WeakensInSilence => fixture.with_min_tier(IsolationTier::LandlockOnly),
            _ => fixture,
        };
        let check =
            tokio::spawn(async move { suite::$check(&Faulty::new(Fault::$fault), &fixture, &ctx).await });
        let panic =
            check.await.expect_err(concat!(stringify!($fault), " keeps the contract, it seems")).into_panic();
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned())).unwrap();
        assert!(said.contains($sentence), "{}: {said}", stringify!($fault));
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_commands_print_is_looked_at() {
    found!(LosesTheLastOutput, output_arrives_whole_and_early, "arrive");
    found!(PrintsAfterTheEnd, output_is_cut_in_the_middle, "nothing comes after the end");
    found!(MixesStreams, output_arrives_whole_and_early, "comes first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_looked_at() {
    found!(ForgetsTheTime, limits_hold, "the session's time holds");
    found!(IgnoresMemory, limits_hold, "memory is bounded");
    found!(IgnoresProcesses, limits_hold, "processes are bounded");
    found!(IgnoresProcessorTime, limits_hold, "processor time is bounded");
    found!(IgnoresDisk, limits_hold, "one file is bounded");
    found!(IgnoresOutput, output_is_cut_in_the_middle, "than the limit is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_commands_is_looked_at() {
    found!(LeavesProcesses, time_is_limited, "dies with it");
    found!(LeavesProcesses, cancellation_is_quick, "dies with its children");
    found!(LeavesProcesses, dropping_a_stream_kills_the_command, "dead within two seconds");
    found!(CannotBeCancelled, cancellation_is_quick, "every method");
    found!(ReadsAfterClose, a_closed_session_refuses_everything, "a closed session says so");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_changes_are_looked_at() {
    found!(ListsChangesLate, changes_are_complete, "dangling");
    found!(KeepsItsTree, trees_are_complete, "the paths, sorted");
    found!(FollowsLinks, paths_stay_in_the_checkout, "is not read");
    found!(ForgetsModes, files_are_read_and_written, "run.sh");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sessions_and_commands_share_is_looked_at() {
    found!(OneSessionForAll, sessions_are_separate, "not those of another");
    found!(WritesThrough, sessions_are_separate, "not those of another");
    found!(KeepsVariables, commands_behave, "for one command alone");
    found!(LeaksTheHost, the_host_is_out_of_reach, "four variables and no more");
    found!(WeakensInSilence, says_what_it_gives, "never replaced by a weaker one");
    found!(TakesAnything, bad_requests_are_refused, "is refused");
}

/// The suite has patience with slow machines, so these take as long as that lasts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_wait_for_each_other_are_found() {
    found!(OneCommandAtATime, commands_run_at_the_same_time, "talk to each other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_that_waits_for_the_end_is_found() {
    found!(PrintsAtTheEnd, output_arrives_whole_and_early, "while it runs");
}
