//! Runs untrusted code for Staso.
//!
//! [`LocalSandbox`] gives every session Linux namespaces of its own: no network, no host files but a read-only system,
//! no host processes, no credentials, and limits on memory, processes, time, disk and output. A small helper program,
//! embedded into this crate, is process 1 of the session and carries out the host's requests. When the kernel refuses
//! any of it, opening a session fails and says what to do; nothing ever runs without the isolation.
//!
//! With the feature `container`, `ContainerSandbox` runs the same helper in containers of Docker or Podman.
//!
//! [`DetectedTests`] finds, runs and reads a project's own tests in a session of any backend.
//!
//! What this crate does not protect against: faults of the kernel itself and side channels of the processor.

#[cfg(all(unix, feature = "container"))]
mod container;
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
pub use toolchain::{ReadOnlyMount, Toolchains};
