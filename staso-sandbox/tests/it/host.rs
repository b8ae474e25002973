//! What the tests need of the host: a checkout, sessions over it, and a look at processes.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use staso_core::conformance::sandbox::{FILES, Fixture, LINKS};
use staso_core::run::RunContext;
use staso_core::sandbox::{
    ExecOutput, ExecRequest, Sandbox as _, SandboxSession, SandboxSessionExt as _, SandboxSpec,
};
use staso_core::testing::test_context;
use staso_sandbox::LocalSandbox;
use tempfile::TempDir;

/// A checkout, a listening port and a file outside of the checkout.
pub(crate) struct Host {
    pub(crate) fixture: Fixture,
    pub(crate) ctx: RunContext,
    pub(crate) directory: TempDir,
    _listener: TcpListener,
}

pub(crate) const CANARY: &str = "canary-of-the-host";

impl Host {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Someone else's temporary directory is closed to the session's user.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let checkout = directory.path().join("checkout");
        for (name, content, executable) in FILES {
            let path = checkout.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            let mode = if executable { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        for (name, target) in LINKS {
            symlink(target, checkout.join(name)).unwrap();
        }
        let canary = directory.path().join("canary");
        fs::write(&canary, CANARY).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let fixture = Fixture::new(checkout, port, canary);
        Self { fixture, ctx: test_context(), directory, _listener: listener }
    }

    pub(crate) fn spec(&self) -> SandboxSpec {
        SandboxSpec::new(&self.fixture.checkout)
    }

    pub(crate) async fn open(&self) -> Box<dyn SandboxSession> {
        self.open_with(&self.spec()).await
    }

    pub(crate) async fn open_with(&self, spec: &SandboxSpec) -> Box<dyn SandboxSession> {
        LocalSandbox::new().open(spec, &self.ctx).await.unwrap()
    }

    pub(crate) async fn run(&self, session: &dyn SandboxSession, argv: &[&str]) -> ExecOutput {
        session.run(&ExecRequest::new(argv.iter().copied()), &self.ctx).await.unwrap()
    }

    /// Runs a Python program inside; what it prints.
    pub(crate) async fn python(&self, session: &dyn SandboxSession, program: &str) -> String {
        let output = self.run(session, &["python3", "-I", "-S", "-c", program]).await;
        assert!(output.exit.success(), "{:?}\n{}", output.exit, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Runs the same Python program outside: the positive control of a probe.
pub(crate) fn python_outside(program: &str) -> String {
    let output =
        std::process::Command::new("/usr/bin/python3").args(["-I", "-S", "-c", program]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Processes of this machine whose command line holds the text.
pub(crate) fn processes_with(text: &str) -> Vec<u32> {
    let numbers =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let holds = |pid: &u32| {
        fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
    };
    numbers.filter(holds).collect()
}

/// The chain of parents of a process, nearest first.
pub(crate) fn ancestors(pid: u32) -> Vec<u32> {
    std::iter::successors(Some(pid), |pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok().filter(|parent| *parent > 0)
    })
    .skip(1)
    .collect()
}

/// Children of this process that are helpers, zombies included.
pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    let numbers =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|pid| ancestors(*pid).first() == Some(&parent)).collect()
}

/// Waits until the condition holds, at most `limit`; whether it does.
pub(crate) async fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
