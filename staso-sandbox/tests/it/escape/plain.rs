//! A sandbox that isolates nothing: plain processes in the checkout itself. The suite must catch it everywhere.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use staso_core::code::RepoPath;
use staso_core::run::RunContext;
use staso_core::sandbox::{
    ExecEvent, ExecExit, ExecRequest, ExecStream, Isolation, IsolationTier, Sandbox, SandboxCapabilities,
    SandboxError, SandboxSession, SandboxSpec, SessionChange, SessionTree, TreeLimits,
};
use staso_sandbox::escape::{Report, Verdict};
use tokio::sync::{mpsc, oneshot};

use super::{PLAN, joined, variable};

/// Rows in which even this sandbox does no wrong, and why.
const BLAMELESS: &[(u16, &str)] = &[
    (8, "no path of the trait can say it"),
    (9, "no path of the trait can say it"),
    (51, "its own loopback is to work, and does"),
];
/// Attempts in which even a host that is root cannot succeed on every machine, and why.
const POWERLESS: &[(&str, &str)] = &[
    ("remount /usr", "/usr need not be a mount; / is"),
    ("set-mount /usr", "/usr need not be a mount; / is"),
    ("umount /usr", "/usr need not be a mount; /proc is"),
    ("umount .", "the checkout is no mount here"),
    ("pivot-root .", "the checkout is no mount here"),
    ("ptrace 1", "the host's process 1 may have more rights than this process"),
    ("environ 1", "the same"),
    ("vm-read 1 {address}", "the same"),
    ("kcmp 1", "the same"),
    ("take-descriptor 1", "the same"),
    ("write /proc/1/exe", "the same"),
    ("run-set-user ./probe-set-user", "root becomes nobody else by running its own program"),
    ("fill /dev/shm 320", "that of the host may be small itself"),
    ("loopback", "it is to work, and does"),
    ("terminal", "these tests have no terminal that could be opened"),
];

/// Every row, and every attempt of it, is an escape.
pub(crate) fn assert_caught(report: &Report) {
    let mut missed = Vec::new();
    for row in &report.rows {
        let blameless = BLAMELESS.iter().any(|(number, _)| *number == row.number);
        if !row.verdict.is_escape() && !blameless && !lacks(&row.verdict) {
            missed.push(row.to_string());
        }
        for attempt in &row.attempts {
            let powerless = POWERLESS.iter().any(|(tried, _)| *tried == attempt.tried);
            if !attempt.verdict.is_escape() && !powerless && !lacks(&attempt.verdict) {
                missed.push(format!("{} `{}`: {:?}", row.number, attempt.tried, attempt.verdict));
            }
        }
    }
    assert!(missed.is_empty(), "a sandbox that isolates nothing is not caught by:\n{}", missed.join("\n"));
}

/// Where a control fails for a reason, the attempt inside cannot get through either, nor where another tier is asked.
const fn lacks(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::HeldUncontrolled(_) | Verdict::NotApplicable(_) | Verdict::NotClaimed(_))
}

#[derive(Debug)]
pub(crate) struct PlainSandbox;

#[derive(Debug)]
struct PlainSession {
    isolation: Isolation,
    root: PathBuf,
}

/// A directory that every session makes and none removes.
pub(crate) fn left_behind() -> PathBuf {
    std::env::temp_dir().join(format!("plain-{}", std::process::id()))
}

#[async_trait]
impl Sandbox for PlainSandbox {
    async fn capabilities(&self, _ctx: &RunContext) -> Result<SandboxCapabilities, SandboxError> {
        Ok(SandboxCapabilities::new(IsolationTier::None))
    }

    async fn open(
        &self,
        spec: &SandboxSpec,
        _ctx: &RunContext,
    ) -> Result<Box<dyn SandboxSession>, SandboxError> {
        let isolation = Isolation::new(IsolationTier::None, spec.limits.clone());
        // What a session leaves behind; the process of the suite removes its own at the end.
        if variable(PLAN).is_none() {
            drop(fs::create_dir(left_behind()));
        }
        Ok(Box::new(PlainSession { isolation, root: spec.checkout.clone() }))
    }
}

#[async_trait]
impl SandboxSession for PlainSession {
    fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    async fn exec(&self, request: &ExecRequest, _ctx: &RunContext) -> Result<ExecStream, SandboxError> {
        let program = request.argv.first().cloned().unwrap_or_default();
        if !self.root.join(&program).exists() {
            let reason = format!("there is no {program}");
            return Err(SandboxError::InvalidRequest { operation: "run the command", reason });
        }
        // A shell that opens something first, as a host that leaks a descriptor into everything.
        let child = Command::new("/bin/sh")
            .args(["-c", r#"exec 9</dev/null; exec "$0" "$@""#])
            .args(&request.argv)
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(backend)?;
        let (events, stream) = mpsc::channel(16);
        let limit = request.timeout.unwrap_or(Duration::from_millis(self.isolation.limits.exec_timeout_ms));
        thread::spawn(move || follow(child, limit, &events));
        Ok(ExecStream::new(stream))
    }

    async fn read_file(
        &self,
        path: &RepoPath,
        _most: u64,
        _ctx: &RunContext,
    ) -> Result<Vec<u8>, SandboxError> {
        let path = joined(&self.root, path);
        let (send, content) = oneshot::channel();
        // Whatever it is: a pipe is read for ever.
        thread::spawn(move || drop(send.send(fs::read(path))));
        content.await.unwrap().map_err(backend)
    }

    async fn write_file(
        &self,
        path: &RepoPath,
        content: &[u8],
        executable: bool,
        _ctx: &RunContext,
    ) -> Result<(), SandboxError> {
        let path = joined(&self.root, path);
        let mode = if executable { 0o755 } else { 0o644 };
        // Replaced, not overwritten: it may be running.
        drop(fs::remove_file(&path));
        fs::create_dir_all(path.parent().unwrap()).map_err(backend)?;
        fs::write(&path, content).map_err(backend)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(backend)
    }

    async fn changes(&self, _ctx: &RunContext) -> Result<BTreeMap<RepoPath, SessionChange>, SandboxError> {
        let mut found = BTreeMap::new();
        list(&self.root, &self.root, &mut found);
        Ok(found)
    }

    async fn tree(&self, _limits: &TreeLimits, _ctx: &RunContext) -> Result<Arc<SessionTree>, SandboxError> {
        Ok(Arc::default())
    }

    async fn close(&self) -> Result<(), SandboxError> {
        Ok(())
    }
}

fn backend(source: std::io::Error) -> SandboxError {
    SandboxError::Backend { provider: "plain", operation: "use a file", source: source.into() }
}

fn list(root: &Path, directory: &Path, found: &mut BTreeMap<RepoPath, SessionChange>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(root, &path, found);
        } else if let Ok(name) = RepoPath::new(path.strip_prefix(root).unwrap().to_string_lossy()) {
            found.insert(name, SessionChange::Refused { why: "not read".to_owned() });
        }
    }
}

/// Hands on what a child prints, all of it and to the end of its pipes, however long others hold them.
fn follow(mut child: Child, limit: Duration, events: &mpsc::Sender<Result<ExecEvent, SandboxError>>) {
    let deadline = Instant::now() + limit;
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let one = pump(out, events.clone(), ExecEvent::Stdout);
    let two = pump(err, events.clone(), ExecEvent::Stderr);
    let mut exit = ExecExit::default();
    while !(one.is_finished() && two.is_finished() && matches!(child.try_wait(), Ok(Some(_)))) {
        if Instant::now() >= deadline {
            exit.timed_out = true;
            break;
        }
        if events.is_closed() {
            break;
        }
        thread::sleep(Duration::from_millis(2));
    }
    // Whoever does not end in time is left alone; whoever is not wanted any more is not.
    if !exit.timed_out {
        drop(child.kill());
        let status = child.wait().unwrap();
        exit.code = status.code();
        exit.signal = status.signal();
    }
    drop(events.blocking_send(Ok(ExecEvent::Exit(exit))));
}

fn pump(
    mut from: impl Read + Send + 'static,
    events: mpsc::Sender<Result<ExecEvent, SandboxError>>,
    event: fn(Vec<u8>) -> ExecEvent,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut chunk = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            if events.blocking_send(Ok(event(chunk[..count].to_vec()))).is_err() {
                return;
            }
        }
    })
}
