//! Runs untrusted code for Staso.
//!
//! [`LocalSandbox`] gives every session Linux namespaces of its own: no network, no host files but a read-only system,
//! no host processes, no credentials, and limits on memory, processes, time, disk and output. A small helper program,
//! embedded into this crate, is process 1 of the session and carries out the host's requests. When the kernel refuses
//! any of it, opening a session fails and says what to do; nothing ever runs without the isolation. A caller that accepts
//! less by name gets what is left on machines without user namespaces: Landlock and a strict filter of system calls.
//!
//! With the feature `container`, `ContainerSandbox` runs the same helper in containers of Docker or Podman.
//!
//! [`DetectedTests`] finds, runs and reads a project's own tests in a session of any backend.
//!
//! The feature `escape-suite` adds the module `escape` on Linux: what hostile code tries, as a suite for the tests of any
//! backend.
//!
//! What this crate does not protect against: faults of the kernel itself and side channels of the processor.

#[cfg(all(unix, feature = "container"))]
mod container;
#[cfg(all(
    feature = "escape-suite",
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub mod escape;
mod isolation;
mod local;
#[cfg(any(target_os = "linux", all(unix, feature = "container")))]
mod program;
#[cfg(any(target_os = "linux", all(unix, feature = "container")))]
mod session;
mod test_runner;
mod toolchain;

#[cfg(all(unix, feature = "container"))]
pub use container::{ContainerOptions, ContainerSandbox};
pub use local::{LocalSandbox, LocalSandboxOptions};
pub use test_runner::{DetectedTests, ParsedTests, parse_test_output};
pub use toolchain::{HostToolchain, ReadOnlyMount, Toolchains, UnknownToolchain};
