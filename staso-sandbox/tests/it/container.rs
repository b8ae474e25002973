//! Sessions in containers of a real engine.
//!
//! `STASO_TEST_DOCKER` names the socket of an engine that has the images that `.ci/container` makes. Without it nothing is
//! tested here, and every test says so.

mod abuse;
mod errors;
mod lifecycle;
mod slow;

use std::fs;

use bollard::Docker;
use staso_core::conformance::sandbox;
use staso_core::sandbox::{
    ExecOutput, ExecRequest, IsolationTier, Sandbox as _, SandboxError, SandboxSession, SandboxSpec,
};
use staso_core::sandbox::{SandboxLimits, SandboxSessionExt as _};
use staso_sandbox::{ContainerOptions, ContainerSandbox};

use crate::host::Host;

const SOCKET: &str = "STASO_TEST_DOCKER";
const IMAGE: &str = "staso-test";

/// An engine, and a checkout for its sessions.
pub(crate) struct Engine {
    pub(crate) host: Host,
    pub(crate) options: ContainerOptions,
}

impl Engine {
    /// The engine for tests; `None`, said loudly, where there is none.
    pub(crate) fn found() -> Option<Self> {
        let Some(socket) = variable(SOCKET) else {
            use std::io::Write as _;
            std::io::stderr().write_all(b"SKIPPED: no container engine; run .ci/container\n").unwrap();
            return None;
        };
        let mut host = Host::new();
        host.fixture = host.fixture.with_min_tier(IsolationTier::Container);
        Some(Self { host, options: ContainerOptions::new(IMAGE).with_socket(socket) })
    }

    pub(crate) fn sandbox(&self) -> ContainerSandbox {
        ContainerSandbox::new(self.options.clone())
    }

    pub(crate) fn spec(&self) -> SandboxSpec {
        self.host.spec().with_min_tier(IsolationTier::Container)
    }

    pub(crate) async fn open(&self) -> Box<dyn SandboxSession> {
        self.open_with(SandboxLimits::default()).await
    }

    pub(crate) async fn open_with(&self, limits: SandboxLimits) -> Box<dyn SandboxSession> {
        self.sandbox().open(&self.spec().with_limits(limits), &self.host.ctx).await.unwrap()
    }

    pub(crate) async fn shell(&self, session: &dyn SandboxSession, script: &str) -> ExecOutput {
        session.run(&ExecRequest::new(["sh", "-c", script]), &self.host.ctx).await.unwrap()
    }

    /// Podman cannot do all that Docker does.
    pub(crate) async fn is_podman(&self) -> bool {
        let parts = self.client().version().await.unwrap().components.unwrap_or_default();
        parts.iter().any(|part| part.name.contains("Podman"))
    }

    /// A client of the engine's own interface.
    pub(crate) fn client(&self) -> Docker {
        let version = bollard::ClientVersion { major_version: 1, minor_version: 41 };
        Docker::connect_with_unix(self.options.socket.to_str().unwrap(), 30, &version).unwrap()
    }
}

/// For processes that a test starts when there is an engine.
#[cfg(feature = "escape-suite")]
pub(crate) fn sandbox_of_a_process() -> Box<dyn staso_core::sandbox::Sandbox> {
    Box::new(Engine::found().unwrap().sandbox())
}

#[cfg(feature = "escape-suite")]
#[test]
fn nothing_escapes_from_a_container() {
    if variable(SOCKET).is_some() {
        crate::escape::assert_clean(&crate::escape::run_as("container", None));
    }
}

/// A variable of this process.
pub(crate) fn variable(name: &str) -> Option<String> {
    let environment = fs::read("/proc/self/environ").unwrap();
    let mut entries =
        environment.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
    entries.find_map(|entry| entry.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_container_sandbox_keeps_the_contract() {
    let Some(engine) = Engine::found() else { return };
    sandbox::run_all(&engine.sandbox(), &engine.host.fixture, &engine.host.ctx).await;
}

/// `.ci/container` gives the engine a runtime by another name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_runtime_keeps_the_contract() {
    let Some(mut engine) = Engine::found() else { return };
    let runtime = variable("STASO_TEST_RUNTIME").unwrap();
    engine.options = engine.options.with_runtime(runtime.clone());
    if engine.is_podman().await {
        let refused = engine.sandbox().open(&engine.spec(), &engine.host.ctx).await.map(|_| ());
        assert!(
            matches!(&refused, Err(SandboxError::Unavailable { remedy, .. }) if remedy.contains("containers.conf")),
            "a runtime that is not used is not passed over in silence: {refused:?}"
        );
        return;
    }
    let session = engine.open().await;
    let id = lifecycle::container_of(&engine, &*session).await;
    let found = engine.client().inspect_container(&id, None).await.unwrap();
    assert_eq!(found.host_config.unwrap().runtime, Some(runtime), "the engine used what was asked for");
    session.close().await.unwrap();
    sandbox::run_all(&engine.sandbox(), &engine.host.fixture, &engine.host.ctx).await;
}

/// On a kernel without Landlock commands can signal what keeps them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_landlock_the_contract_is_kept_as_well() {
    let Some(mut engine) = Engine::found() else { return };
    engine.options = engine.options.with_landlock_at_most(0);
    let session = engine.open().await;
    assert_eq!(session.isolation().landlock_abi, None);
    assert!(session.isolation().missing.iter().any(|line| line.contains("Landlock")), "it is not said");
    sandbox::run_all(&engine.sandbox(), &engine.host.fixture, &engine.host.ctx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missing_on_an_engine_with_all_it_needs() {
    let Some(engine) = Engine::found() else { return };
    let mut capabilities = engine.sandbox().capabilities(&engine.host.ctx).await.unwrap();
    if engine.is_podman().await {
        let without = capabilities.missing.len();
        capabilities.missing.retain(|line| !line.contains("counted now and then"));
        assert_eq!(without, capabilities.missing.len() + 1, "what Podman cannot do is said");
    }
    assert_eq!((capabilities.tier, capabilities.missing), (IsolationTier::Container, Vec::<String>::new()));
    let session = engine.open().await;
    assert!(session.isolation().landlock_abi.is_some(), "Landlock holds beside what the engine does");
}
