//! The backends of this workspace, strongest tier first.

use std::path::{Path, PathBuf};

use staso_core::run::RunContext;
use staso_core::sandbox::IsolationTier;
use staso_sandbox::{LocalSandbox, LocalSandboxOptions};

use super::{Probe, probe};

/// A container engine to try.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Engine {
    /// The image to run in; none tries no engine.
    pub(super) image: Option<String>,
    /// The engine's socket; none is Docker's.
    pub(super) socket: Option<PathBuf>,
}

/// One attempt per tier, each in a session that may be nothing else.
pub(super) async fn probes(engine: &Engine, checkout: &Path, ctx: &RunContext) -> Vec<Probe> {
    let weaker = LocalSandboxOptions::new().with_strongest_tier(IsolationTier::LandlockOnly);
    let (full, weaker) = (LocalSandbox::new(), LocalSandbox::with_options(weaker));
    vec![
        probe("local", &full, IsolationTier::Full, checkout, ctx).await,
        container(engine, checkout, ctx).await,
        probe("local", &weaker, IsolationTier::LandlockOnly, checkout, ctx).await,
    ]
}

#[cfg(unix)]
async fn container(engine: &Engine, checkout: &Path, ctx: &RunContext) -> Probe {
    use staso_sandbox::{ContainerOptions, ContainerSandbox};

    const TIER: IsolationTier = IsolationTier::Container;
    let Some(image) = &engine.image else {
        return Probe::not_tried("engine", TIER, "name an image that the engine has with --image");
    };
    let mut options = ContainerOptions::new(image);
    if let Some(socket) = &engine.socket {
        options = options.with_socket(socket);
    }
    probe("engine", &ContainerSandbox::new(options), TIER, checkout, ctx).await
}

#[cfg(not(unix))]
async fn container(_: &Engine, _: &Path, _: &RunContext) -> Probe {
    let how = "engines are spoken to over a unix socket; run the host in WSL 2";
    Probe::not_tried("engine", IsolationTier::Container, how)
}
