//! Machines without the namespaces of Linux.

use staso_core::run::RunContext;
use staso_core::sandbox::{IsolationTier, SandboxError, SandboxSession, SandboxSpec};

use crate::local::LocalSandboxOptions;
use crate::toolchain::Found;

/// Says that there are no sessions here.
pub(crate) async fn open(
    _options: &LocalSandboxOptions,
    _found: &Found,
    spec: &SandboxSpec,
    _ctx: &RunContext,
) -> Result<Box<dyn SandboxSession>, SandboxError> {
    Err(unavailable(spec.min_tier, std::env::consts::OS))
}

/// There is no other user here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn check_readable(
    _options: &LocalSandboxOptions,
    _mount: &crate::toolchain::ReadOnlyMount,
) -> Result<(), crate::toolchain::Lacking> {
    Ok(())
}

/// The refusal on an operating system, as Rust names it.
pub(crate) fn unavailable(wanted: IsolationTier, os: &str) -> SandboxError {
    let remedy = match os {
        "windows" => {
            "run the host in WSL 2 or on another Linux, where this sandbox works, or with an engine the container \
             backend: `ContainerSandbox`, feature `container`"
        }
        _ => {
            "use the container backend with Docker or Podman: `ContainerSandbox`, feature `container`; or run the host \
             on Linux"
        }
    };
    SandboxError::Unavailable {
        wanted,
        reason: format!("local sessions need Linux on x86-64 or AArch64, and this is {os}"),
        remedy: remedy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use staso_core::testing::test_context;

    use super::*;

    #[test]
    fn other_systems_are_offered_the_container_backend() {
        for os in ["macos", "windows", "freebsd"] {
            let text = unavailable(IsolationTier::Full, os).to_string();
            assert!(text.contains(os) && text.contains("`ContainerSandbox`, feature `container`"), "{text}");
        }
        let text = unavailable(IsolationTier::Full, "windows").to_string();
        assert!(text.contains("WSL 2"), "{text}");
    }

    #[tokio::test]
    async fn nothing_is_opened_whatever_is_accepted() {
        let spec = SandboxSpec::new(Path::new("/")).with_min_tier(IsolationTier::None);
        let refused = open(&LocalSandboxOptions::default(), &Found::default(), &spec, &test_context()).await;
        assert!(matches!(refused, Err(SandboxError::Unavailable { wanted: IsolationTier::None, .. })));
    }
}
