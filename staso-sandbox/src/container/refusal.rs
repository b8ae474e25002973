//! What the user can do when the engine refuses.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use bollard::errors::Error;
use staso_core::sandbox::{IsolationTier, SandboxError};

use crate::session::backend;

/// The backend's name, for errors.
pub(super) const PROVIDER: &str = "container";

/// What the engine was asked for.
#[derive(Debug)]
pub(super) enum Doing<'a> {
    Connect(&'a Path),
    FindImage(&'a str),
    /// With the runtime that was asked for.
    Create(Option<&'a str>),
    /// Podman makes what it can of the container only now. With the runtime that was asked for.
    Attach(Option<&'a str>),
}

/// Turns a refusal of the engine into the error the caller sees.
pub(super) fn refused(doing: &Doing<'_>, error: Error) -> SandboxError {
    match (doing, &error) {
        (Doing::Connect(socket), _) => no_engine(socket, &error),
        (Doing::FindImage(image), Error::DockerResponseServerError { status_code: 404, .. }) => unavailable(
            format!("the engine has no image {image}, and images are never pulled unasked"),
            format!("run `docker pull {image}` (or `podman pull {image}`), or build it"),
        ),
        (Doing::FindImage(_), _) => backend(PROVIDER, "looking for the image", error),
        (
            Doing::Create(runtime) | Doing::Attach(runtime),
            Error::DockerResponseServerError { message, .. },
        ) => not_created(*runtime, message),
        (Doing::Create(_), _) => backend(PROVIDER, "starting a container", error),
        (Doing::Attach(_), _) => backend(PROVIDER, "attaching to a container", error),
    }
}

fn no_engine(socket: &Path, error: &Error) -> SandboxError {
    let place = socket.display();
    let kind = io_kind(error);
    if matches!(error, Error::SocketNotFoundError(_)) || kind == Some(io::ErrorKind::NotFound) {
        return unavailable(
            format!("there is no engine's socket at {place}"),
            "start Docker (`systemctl start docker`) or Podman (`systemctl --user start podman.socket`), or name \
             the socket with ContainerOptions::with_socket"
                .to_owned(),
        );
    }
    match kind {
        Some(io::ErrorKind::PermissionDenied) => unavailable(
            format!("the host's user may not use the engine's socket at {place}"),
            "use an engine of the user's own (rootless Docker or Podman), or add the user to the socket's group \
             (`usermod -aG docker <user>`), which makes it as powerful as root"
                .to_owned(),
        ),
        Some(io::ErrorKind::ConnectionRefused) => unavailable(
            format!("nothing listens on the engine's socket at {place}"),
            "start the engine (`systemctl start docker`)".to_owned(),
        ),
        _ => unavailable(
            format!("what listens at {place} does not answer as a container engine: {error}"),
            "name the socket of Docker or Podman with ContainerOptions::with_socket".to_owned(),
        ),
    }
}

/// The build script had nothing to make the agent with.
pub(super) fn no_agent(os: &str, arch: &str) -> SandboxError {
    let remedy = match (os, arch) {
        (_, arch) if !["x86_64", "aarch64"].contains(&arch) => {
            "use a machine whose processor is x86-64 or AArch64".to_owned()
        }
        ("linux", _) => "install a linker for this machine's programs (`gcc`) and build again".to_owned(),
        _ => format!("run `rustup target add {arch}-unknown-linux-musl` and build again"),
    };
    let reason = "the agent, a program for Linux, was not built, so nothing can be put into containers";
    unavailable(reason.to_owned(), remedy)
}

/// The engine took no notice of the runtime: code that another kernel was wanted for would run without.
pub(super) fn other_runtime(name: &str) -> SandboxError {
    unavailable(
        format!("the engine does not say that it starts the container with the runtime {name}"),
        format!(
            "leave the runtime to the engine and make {name} its own (Podman, which cannot be asked for one: `runtime` \
             in containers.conf)"
        ),
    )
}

fn not_created(runtime: Option<&str>, message: &str) -> SandboxError {
    let remedy = match runtime {
        Some(name) if message.contains("runtime") && message.contains(name) => {
            return unavailable(
                format!("the engine knows no runtime {name}"),
                format!(
                    "install {name} and tell the engine of it (Docker: `\"runtimes\"` in /etc/docker/daemon.json)"
                ),
            );
        }
        _ if message.contains("/bin/sh") => "use an image with /bin/sh",
        _ => {
            "see the engine's log; the container needs control groups, a read-only root and file systems in memory"
        }
    };
    unavailable(format!("the engine does not start a container: {}", message.trim()), remedy.to_owned())
}

pub(super) fn unavailable(reason: String, remedy: String) -> SandboxError {
    SandboxError::Unavailable { wanted: IsolationTier::Container, reason, remedy }
}

/// The kind of the input or output error that is behind another one.
fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_agent_the_remedy_is_the_command_for_this_machine() {
        let said = |os, arch| no_agent(os, arch).to_string();
        for (os, arch, command) in [
            ("macos", "aarch64", "`rustup target add aarch64-unknown-linux-musl`"),
            ("macos", "x86_64", "`rustup target add x86_64-unknown-linux-musl`"),
            ("freebsd", "x86_64", "`rustup target add x86_64-unknown-linux-musl`"),
            ("linux", "x86_64", "`gcc`"),
        ] {
            assert!(said(os, arch).contains(command), "{}", said(os, arch));
        }
        assert!(!said("linux", "riscv64").contains("rustup"), "no command helps there");
    }
}
