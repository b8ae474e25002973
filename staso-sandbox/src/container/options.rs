//! [`ContainerOptions`].

use std::path::PathBuf;

/// How [`ContainerSandbox`](super::ContainerSandbox) builds its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContainerOptions {
    /// The image that sessions run in, as the engine knows it, such as `python:3.13-slim` or an id. It must be there
    /// already: nothing is ever pulled. It needs `/bin/sh`, `head` and `chmod`, and whatever commands need.
    pub image: String,
    /// The engine's unix socket. Default `/var/run/docker.sock`; Podman's is `/run/podman/podman.sock` for root and
    /// `podman/podman.sock` below `XDG_RUNTIME_DIR` for others.
    pub socket: PathBuf,
    /// The runtime that the engine starts containers with: `runc`, `crun`, `runsc` (gVisor), `kata` or whatever else it was
    /// told of. Default the engine's own. Podman takes no notice of a wish, which is an error: name the runtime in its
    /// `containers.conf`.
    pub runtime: Option<String>,
    /// User and group that sessions run as, inside of the container and, unless the engine maps users, outside. Neither may
    /// be 0. Default 65534 for both.
    pub session_user: (u32, u32),
    /// Size of `/tmp` in bytes; `/dev/shm` gets a quarter of it. Default 256 MiB.
    pub tmp_bytes: u64,
    /// Files that one process may have open. Default 4,096.
    pub open_files: u64,
    /// Processor time that all processes of a session together may use, in thousandths of one processor. Default no bound
    /// but that of [`SandboxLimits::cpu_seconds`](staso_core::sandbox::SandboxLimits::cpu_seconds).
    pub cpu_millis: Option<u32>,
    /// The latest version of Landlock's interface that is used; 0 is none. Setting it is for tests of what an older
    /// kernel would give. Default is all that the kernel has.
    pub landlock_most: Option<u32>,
    /// Largest checkout, in bytes. It is copied into the memory of every session. Default 1 GiB.
    pub checkout_bytes: u64,
    /// How long a session goes on without a word of its host, in milliseconds; at least 1,000. The host says something six
    /// times as often, so that a container ends even if the engine does not tell that its host is gone. Default 60,000.
    pub silence_ms: u64,
}

impl ContainerOptions {
    /// Sessions in this image, with the defaults for everything else.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            socket: PathBuf::from("/var/run/docker.sock"),
            runtime: None,
            session_user: (65_534, 65_534),
            tmp_bytes: 256 << 20,
            open_files: 4_096,
            cpu_millis: None,
            landlock_most: None,
            checkout_bytes: 1 << 30,
            silence_ms: 60_000,
        }
    }

    /// Sets the engine's unix socket.
    #[must_use]
    pub fn with_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = path.into();
        self
    }

    /// Sets the runtime.
    #[must_use]
    pub fn with_runtime(mut self, name: impl Into<String>) -> Self {
        self.runtime = Some(name.into());
        self
    }

    /// Sets the user and group that sessions run as. Neither may be 0.
    #[must_use]
    pub const fn with_session_user(mut self, uid: u32, gid: u32) -> Self {
        self.session_user = (uid, gid);
        self
    }

    /// Sets the size of `/tmp`, in bytes.
    #[must_use]
    pub const fn with_tmp_bytes(mut self, bytes: u64) -> Self {
        self.tmp_bytes = bytes;
        self
    }

    /// Bounds the processor time of a session, in thousandths of one processor.
    #[must_use]
    pub const fn with_cpu_millis(mut self, millis: u32) -> Self {
        self.cpu_millis = Some(millis);
        self
    }

    /// Sets the latest version of Landlock's interface that is used; 0 is none.
    #[must_use]
    pub const fn with_landlock_at_most(mut self, abi: u32) -> Self {
        self.landlock_most = Some(abi);
        self
    }

    /// Sets the size of the largest checkout, in bytes.
    #[must_use]
    pub const fn with_checkout_bytes(mut self, bytes: u64) -> Self {
        self.checkout_bytes = bytes;
        self
    }

    /// Sets how long a session goes on without a word of its host, in milliseconds.
    #[must_use]
    pub const fn with_silence_ms(mut self, milliseconds: u64) -> Self {
        self.silence_ms = milliseconds;
        self
    }
}
