//! What the host allows a run to do by itself.

use super::{SandboxSwitch, StoppingPoint};
use crate::fix::PathPolicy;
use crate::sandbox::{IsolationTier, SandboxLimits};
use crate::verify::VerifyLimits;

/// The rules that settle what a run may do. Set by the host, never by a trace or a model.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HealPolicy {
    /// Below this confidence no fix is written. Default 0.3.
    pub min_fix_confidence: f64,
    /// Below this confidence a deeper diagnoser is asked, when there is one. Default 0.6.
    pub escalate_below: f64,
    /// The lowest stopping point at which a diagnosis may open a sandbox. Default [`StoppingPoint::Verify`].
    pub deep_from: StoppingPoint,
    /// What a change may touch.
    pub paths: PathPolicy,
    /// How long proof may take.
    pub verify: VerifyLimits,
    /// How much code is read before rules run.
    pub preload: PreloadLimits,
    /// Which workspaces may run code. Default all.
    pub sandboxes: SandboxSwitch,
    /// The weakest isolation that code may run under. Default [`IsolationTier::Full`].
    pub min_tier: IsolationTier,
    /// Bounds of each session.
    pub sandbox: SandboxLimits,
    /// Where a person can look at a trace: the id is appended. Default none.
    pub trace_url_base: Option<String>,
    /// Hosts beside `github.com` whose addresses of files have the form of GitHub's, so that proposals link to lines.
    /// Default none.
    pub forge_hosts: Vec<String>,
}

impl Default for HealPolicy {
    fn default() -> Self {
        Self {
            min_fix_confidence: 0.3,
            escalate_below: 0.6,
            deep_from: StoppingPoint::Verify,
            paths: PathPolicy::default(),
            verify: VerifyLimits::default(),
            preload: PreloadLimits::default(),
            sandboxes: SandboxSwitch::default(),
            min_tier: IsolationTier::Full,
            sandbox: SandboxLimits::default(),
            trace_url_base: None,
            forge_hosts: Vec::new(),
        }
    }
}

impl HealPolicy {
    /// Sets how long proof may take.
    #[must_use]
    pub fn with_verify(mut self, limits: VerifyLimits) -> Self {
        self.verify = limits;
        self
    }

    /// Sets the lowest stopping point at which a diagnosis may open a sandbox.
    #[must_use]
    pub const fn with_deep_from(mut self, point: StoppingPoint) -> Self {
        self.deep_from = point;
        self
    }

    /// Sets what a change may touch.
    #[must_use]
    pub fn with_paths(mut self, paths: PathPolicy) -> Self {
        self.paths = paths;
        self
    }

    /// Sets where a person can look at a trace.
    #[must_use]
    pub fn with_trace_url_base(mut self, base: impl Into<String>) -> Self {
        self.trace_url_base = Some(base.into());
        self
    }

    /// Adds a host whose addresses of files have the form of GitHub's, e.g. that of an Enterprise Server.
    #[must_use]
    pub fn with_forge_host(mut self, host: impl Into<String>) -> Self {
        self.forge_hosts.push(host.into());
        self
    }

    /// Sets which workspaces may run code.
    #[must_use]
    pub fn with_sandboxes(mut self, switch: SandboxSwitch) -> Self {
        self.sandboxes = switch;
        self
    }

    /// Accepts weaker isolation. The artifact says which was reached.
    #[must_use]
    pub const fn with_min_tier(mut self, tier: IsolationTier) -> Self {
        self.min_tier = tier;
        self
    }
}

/// How much code is read before rules run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PreloadLimits {
    /// Paths listed of a tree. Default 50,000.
    pub max_paths: usize,
    /// Files read. Default 400.
    pub max_files: usize,
    /// Largest file read, in bytes. Default 256 KiB.
    pub max_file_bytes: u64,
    /// All files together, in bytes. Default 4 MiB.
    pub max_total_bytes: u64,
}

impl Default for PreloadLimits {
    fn default() -> Self {
        Self { max_paths: 50_000, max_files: 400, max_file_bytes: 256 << 10, max_total_bytes: 4 << 20 }
    }
}
