//! Machines without the namespaces of Linux.

use staso_core::run::RunContext;
use staso_core::sandbox::{SandboxError, SandboxSession, SandboxSpec};

use crate::local::LocalSandboxOptions;

/// Says that there are no sessions here.
pub(crate) async fn open(
    _options: &LocalSandboxOptions,
    spec: &SandboxSpec,
    _ctx: &RunContext,
) -> Result<Box<dyn SandboxSession>, SandboxError> {
    Err(SandboxError::Unavailable {
        wanted: spec.min_tier,
        reason: format!(
            "local sessions need Linux on x86-64 or AArch64, and this is {}",
            std::env::consts::OS
        ),
        remedy: "run the host on Linux, or give it another sandbox backend".to_owned(),
    })
}
