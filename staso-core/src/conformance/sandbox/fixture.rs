//! What the suite needs of the host.

use std::path::PathBuf;

use crate::sandbox::{IsolationTier, SandboxSpec};

/// The regular files that the checkout must hold: path, content, whether it is executable.
pub const FILES: [(&str, &str, bool); 4] = [
    ("hello.txt", "hello\n", false),
    ("src/one.py", "print('one')\n", false),
    ("src/deep/two.py", "print('two')\n", false),
    ("run.sh", "#!/bin/sh\necho ran\n", true),
];
/// The symbolic links that the checkout must hold: path, target. The second leads out of it.
pub const LINKS: [(&str, &str); 2] = [("link", "hello.txt"), ("out", "/etc/hostname")];

/// Where the suite runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fixture {
    /// A directory with exactly [`FILES`] and [`LINKS`], given to [`SandboxSpec::checkout`].
    pub checkout: PathBuf,
    /// A port on the host's `127.0.0.1` on which something listens, as the positive control of the network check.
    pub host_port: u16,
    /// A file of the host outside of the checkout, as the positive control of the file checks.
    pub host_file: PathBuf,
    /// The weakest tier that the sessions of the suite accept. Default [`IsolationTier::Full`].
    pub min_tier: IsolationTier,
}

impl Fixture {
    /// A checkout, a port and a file of the host.
    pub fn new(checkout: impl Into<PathBuf>, host_port: u16, host_file: impl Into<PathBuf>) -> Self {
        let (checkout, host_file) = (checkout.into(), host_file.into());
        Self { checkout, host_port, host_file, min_tier: IsolationTier::Full }
    }

    /// Accepts a weaker tier.
    #[must_use]
    pub const fn with_min_tier(mut self, tier: IsolationTier) -> Self {
        self.min_tier = tier;
        self
    }

    pub(super) fn spec(&self) -> SandboxSpec {
        SandboxSpec::new(&self.checkout).with_min_tier(self.min_tier)
    }
}
