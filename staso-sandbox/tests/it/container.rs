//! Sessions in containers of a real engine.
//!
//! `STASO_TEST_DOCKER` names the socket of an engine that has the image `staso-test`; `.ci/container` makes both. Without
//! it nothing is tested here, and every test says so.

use std::fs;

use staso_core::conformance::sandbox;
use staso_core::sandbox::IsolationTier;
use staso_sandbox::{ContainerOptions, ContainerSandbox};

use crate::host::Host;

const SOCKET: &str = "STASO_TEST_DOCKER";
const IMAGE: &str = "staso-test";

/// A sandbox on the engine for tests; `None`, said loudly, where there is none.
fn engine() -> Option<ContainerOptions> {
    let environment = fs::read("/proc/self/environ").unwrap();
    let mut variables =
        environment.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
    let socket = variables.find_map(|entry| entry.strip_prefix(SOCKET)?.strip_prefix('='));
    if socket.is_none() {
        use std::io::Write as _;
        writeln!(std::io::stderr(), "SKIPPED: no container engine; run .ci/container").unwrap();
    }
    Some(ContainerOptions::new(IMAGE).with_socket(socket?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_container_sandbox_keeps_the_contract() {
    let Some(options) = engine() else { return };
    let mut host = Host::new();
    host.fixture = host.fixture.with_min_tier(IsolationTier::Container);
    sandbox::run_all(&ContainerSandbox::new(options), &host.fixture, &host.ctx).await;
}
