//! A sandbox backend of your own: here one that lets another backend do the work and keeps a log of every command and how
//! it ended, for an auditor.
//!
//! In a run, hand it over with `HealerBuilder::with_sandbox`. This program holds it against the contract of the trait, in
//! real sessions on this machine; where none can be opened it says why. With `--escape` it lets the escape suite loose on it
//! instead, which takes some minutes and the whole machine, and is for Linux; as root, start it with
//! `unshare --mount --propagation private`, so that what others mount meanwhile is not taken for a session's.

use std::error::Error;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::conformance::sandbox::{FILES, Fixture, LINKS, run_all};
use staso_core::run::RunContext;
use staso_core::sandbox::{
    ExecEvent, ExecExit, ExecRequest, ExecStream, Isolation, Sandbox, SandboxCapabilities, SandboxError,
    SandboxSession, SandboxSpec, SessionChange, SessionTree, TreeLimits,
};
use staso_core::testing::test_context;
use staso_sandbox::LocalSandbox;
use tokio::sync::mpsc;

/// A command, and how it ended; `None` when it was killed with its stream or its session.
type Entry = (Vec<String>, Option<ExecExit>);
type Log = Arc<Mutex<Vec<Entry>>>;
type Changes = std::collections::BTreeMap<RepoPath, SessionChange>;

/// Lets `inner` do the work and logs the commands of all sessions.
#[derive(Debug)]
struct Audited {
    inner: Arc<dyn Sandbox>,
    log: Log,
}

#[derive(Debug)]
struct AuditedSession {
    inner: Box<dyn SandboxSession>,
    log: Log,
}

#[async_trait]
impl Sandbox for Audited {
    async fn capabilities(&self, ctx: &RunContext) -> Result<SandboxCapabilities, SandboxError> {
        self.inner.capabilities(ctx).await
    }

    async fn open(
        &self,
        spec: &SandboxSpec,
        ctx: &RunContext,
    ) -> Result<Box<dyn SandboxSession>, SandboxError> {
        let inner = self.inner.open(spec, ctx).await?;
        Ok(Box::new(AuditedSession { inner, log: Arc::clone(&self.log) }))
    }
}

#[async_trait]
impl SandboxSession for AuditedSession {
    fn isolation(&self) -> &Isolation {
        self.inner.isolation()
    }

    async fn exec(&self, request: &ExecRequest, ctx: &RunContext) -> Result<ExecStream, SandboxError> {
        let mut events = self.inner.exec(request, ctx).await?;
        let (sender, forwarded) = mpsc::channel(16);
        let (log, argv) = (Arc::clone(&self.log), request.argv.clone());
        tokio::spawn(async move {
            let mut ended = None;
            loop {
                // The contract: a stream that is thrown away kills its command. Leaving the loop drops `events`.
                let event = tokio::select! {
                    event = events.next() => event,
                    () = sender.closed() => None,
                };
                let Some(event) = event else { break };
                if let Ok(ExecEvent::Exit(exit)) = &event {
                    ended = Some(*exit);
                }
                if sender.send(event).await.is_err() {
                    break;
                }
            }
            log.lock().unwrap_or_else(PoisonError::into_inner).push((argv, ended));
        });
        Ok(ExecStream::new(forwarded))
    }

    async fn read_file(
        &self,
        path: &RepoPath,
        max_bytes: u64,
        ctx: &RunContext,
    ) -> Result<Vec<u8>, SandboxError> {
        self.inner.read_file(path, max_bytes, ctx).await
    }

    async fn write_file(
        &self,
        path: &RepoPath,
        content: &[u8],
        executable: bool,
        ctx: &RunContext,
    ) -> Result<(), SandboxError> {
        self.inner.write_file(path, content, executable, ctx).await
    }

    async fn changes(&self, ctx: &RunContext) -> Result<Changes, SandboxError> {
        self.inner.changes(ctx).await
    }

    async fn tree(&self, limits: &TreeLimits, ctx: &RunContext) -> Result<Arc<SessionTree>, SandboxError> {
        self.inner.tree(limits, ctx).await
    }

    async fn close(&self) -> Result<(), SandboxError> {
        self.inner.close().await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sandbox = Audited { inner: Arc::new(LocalSandbox::new()), log: Log::default() };
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => keeps_the_contract(&sandbox).await,
        arguments => platform::nothing_escapes(&sandbox, arguments).await,
    }
}

async fn keeps_the_contract(sandbox: &Audited) -> Result<(), Box<dyn Error>> {
    // What the suite needs of the host: a checkout, and something outside of it that sessions must not reach.
    let directory = tempfile::tempdir()?;
    let (checkout, host_file) = (directory.path().join("checkout"), directory.path().join("secret"));
    std::fs::write(&host_file, "nobody inside may read this")?;
    platform::write_checkout(&checkout)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let fixture = Fixture::new(checkout, listener.local_addr()?.port(), host_file);

    // Panics with a sentence when the backend breaks a promise. In your own crate this stands in a test.
    run_all(sandbox, &fixture, &test_context()).await;
    let log = sandbox.log.lock().unwrap_or_else(PoisonError::into_inner);
    let killed = log.iter().filter(|(_, ended)| ended.is_none()).count();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "the contract holds: {} commands were logged, {killed} of them killed before their end",
        log.len()
    )?;
    Ok(())
}

/// What needs Linux: the checkout of the first suite, with its modes and links, and the whole second one.
#[cfg(target_os = "linux")]
mod platform {
    use std::ffi::OsString;
    use std::fs::{self, Permissions};
    use std::io::{self, Write as _};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::process::Command;

    use staso_sandbox::escape::{self, Ground};

    use super::{Audited, Error, FILES, LINKS, Path, test_context};

    pub(super) fn write_checkout(checkout: &Path) -> io::Result<()> {
        for (name, content, executable) in FILES {
            let path = checkout.join(name);
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&path, content)?;
            fs::set_permissions(&path, Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
        }
        for (name, target) in LINKS {
            symlink(target, checkout.join(name))?;
        }
        Ok(())
    }

    pub(super) async fn nothing_escapes(
        sandbox: &Audited,
        arguments: &[OsString],
    ) -> Result<(), Box<dyn Error>> {
        match arguments {
            [only] if only == "--escape" => {}
            // Some rows need another host with this backend: one that is killed, or has something to hide.
            [second, plan] if second == "--second-host" => {
                return Ok(escape::second_host(sandbox, Path::new(plan), &test_context()).await?);
            }
            _ => return Err("the only argument is --escape".into()),
        }
        let directory = tempfile::tempdir()?;
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        let program = std::env::current_exe()?;
        let ground = Ground::new(directory.path())?.with_second_host(move |plan| {
            let mut command = Command::new(&program);
            command.arg("--second-host").arg(plan);
            command
        });
        let report = escape::run(sandbox, &ground, &test_context()).await;
        writeln!(io::stdout(), "{report}")?;
        report.assert_clean();
        Ok(())
    }
}

/// Other systems have no sessions of `LocalSandbox` to try.
#[cfg(not(target_os = "linux"))]
mod platform {
    use std::ffi::OsString;
    use std::io;

    use super::{Audited, Error, FILES, LINKS, Path};

    pub(super) async fn nothing_escapes(
        sandbox: &Audited,
        arguments: &[OsString],
    ) -> Result<(), Box<dyn Error>> {
        Err(format!("{arguments:?}: the escape suite of {sandbox:?} needs Linux").into())
    }

    pub(super) fn write_checkout(checkout: &Path) -> io::Result<()> {
        let what = format!("{} files and {} links in {}", FILES.len(), LINKS.len(), checkout.display());
        Err(io::Error::new(io::ErrorKind::Unsupported, format!("{what} need Linux")))
    }
}
