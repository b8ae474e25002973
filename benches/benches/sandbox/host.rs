//! A host as it embeds the sandbox: a runtime, a context and a checkout.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use staso_benches::{Failure, process_context};
use staso_core::run::RunContext;
use staso_core::sandbox::{
    ExecOutput, ExecRequest, Sandbox as _, SandboxError, SandboxSession, SandboxSessionExt as _, SandboxSpec,
};
use staso_sandbox::LocalSandbox;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A host that has opened a session before.
pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    pub(crate) ctx: RunContext,
    pub(crate) directory: TempDir,
    pub(crate) sandbox: LocalSandbox,
    pub(crate) spec: SandboxSpec,
}

impl Host {
    pub(crate) fn new() -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        // A checkout cache is readable by the session's user.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let checkout = directory.path().join("checkout");
        fs::create_dir(&checkout)?;
        fs::write(checkout.join("shop.py"), "def refund(order):\n    return order.total\n")?;
        let spec = SandboxSpec::new(&checkout);
        let host = Self {
            runtime: Runtime::new()?,
            ctx: process_context(),
            directory,
            sandbox: LocalSandbox::new(),
            spec,
        };
        // Interpreters are looked for once a process.
        host.close(&*host.open()?)?;
        Ok(host)
    }

    pub(crate) fn open(&self) -> Result<Box<dyn SandboxSession>, SandboxError> {
        self.runtime.block_on(self.sandbox.open(&self.spec, &self.ctx))
    }

    pub(crate) fn run(
        &self,
        session: &dyn SandboxSession,
        argv: &[&str],
    ) -> Result<ExecOutput, SandboxError> {
        let request = ExecRequest::new(argv.iter().copied());
        self.runtime.block_on(session.run(&request, &self.ctx))
    }

    pub(crate) fn close(&self, session: &dyn SandboxSession) -> Result<(), SandboxError> {
        self.runtime.block_on(session.close())
    }

    /// The time of opening a session, which is closed afterwards.
    pub(crate) fn time_to_open(&self) -> Result<Duration, Failure> {
        let start = Instant::now();
        let session = self.open()?;
        let took = start.elapsed();
        self.close(&*session)?;
        Ok(took)
    }
}
