//! The engine: what is asked of it, and who asks.

use std::path::PathBuf;
use std::time::Duration;

use bollard::container::AttachContainerResults;
use bollard::models::{ContainerCreateBody, ContainerSummary, ImageConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use staso_core::sandbox::SandboxError;
use tokio::sync::OnceCell;

use super::refusal::{Doing, refused};

/// How long the engine may take to answer, in seconds.
const ANSWER_SECONDS: u64 = 60;
/// How long it is waited for the name of a container, so that one that nobody waits for any more is removed all the same.
const NAME_LIMIT: Duration = Duration::from_secs(600);

/// An engine behind a unix socket.
#[derive(Debug)]
pub(super) struct Engine {
    socket: PathBuf,
    /// Made once: the versions have to be agreed on.
    client: OnceCell<Client>,
}

/// Speaks an engine's version, and knows whose it is.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) docker: Docker,
    pub(super) maker: Maker,
}

/// Both speak one language, and not all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    Docker,
    Podman,
}

impl Engine {
    pub(super) fn at(socket: PathBuf) -> Self {
        Self { socket, client: OnceCell::new() }
    }

    /// A client that speaks the engine's version.
    pub(super) async fn client(&self) -> Result<&Client, SandboxError> {
        let connect = || async {
            let socket = self.socket.to_string_lossy();
            let docker = Docker::connect_with_unix(&socket, ANSWER_SECONDS, API_DEFAULT_VERSION)?;
            let docker = docker.negotiate_version().await?;
            let parts = docker.version().await?.components.unwrap_or_default();
            let podman = parts.iter().any(|part| part.name.starts_with("Podman"));
            Ok(Client { docker, maker: if podman { Maker::Podman } else { Maker::Docker } })
        };
        let client = self.client.get_or_try_init(connect).await;
        client.map_err(|error| refused(&Doing::Connect(&self.socket), error))
    }
}

/// The configuration of an image that the engine has.
pub(super) async fn image(docker: &Docker, name: &str) -> Result<ImageConfig, SandboxError> {
    let found = docker.inspect_image(name).await.map_err(|error| refused(&Doing::FindImage(name), error))?;
    Ok(found.config.unwrap_or_default())
}

/// Makes a container; gives its id and what the engine warns of.
pub(super) async fn create(
    docker: &Docker,
    body: ContainerCreateBody,
) -> Result<(String, Vec<String>), SandboxError> {
    let runtime = body.host_config.as_ref().and_then(|host| host.runtime.clone());
    let made = docker.clone().with_timeout(NAME_LIMIT).create_container(None, body).await;
    let made = made.map_err(|error| refused(&Doing::Create(runtime.as_deref()), error))?;
    Ok((made.id, made.warnings))
}

/// The runtime that the engine will start a container with, as far as it says.
pub(super) async fn runtime_of(docker: &Docker, id: &str) -> Option<String> {
    let found = docker.inspect_container(id, None::<InspectContainerOptions>).await.ok()?;
    found.host_config?.runtime
}

/// Connects to the standard streams of a container that was not started yet.
pub(super) async fn attach(
    docker: &Docker,
    id: &str,
    runtime: Option<&str>,
) -> Result<AttachContainerResults, SandboxError> {
    let options =
        AttachContainerOptionsBuilder::new().stdin(true).stdout(true).stderr(true).stream(true).build();
    docker.attach_container(id, Some(options)).await.map_err(|error| refused(&Doing::Attach(runtime), error))
}

/// Starts a container.
pub(super) async fn start(docker: &Docker, id: &str, runtime: Option<&str>) -> Result<(), SandboxError> {
    docker.start_container(id, None).await.map_err(|error| refused(&Doing::Create(runtime), error))
}

/// All containers with a label, those that do not run included.
pub(super) async fn with_label(docker: &Docker, label: &str) -> Vec<ContainerSummary> {
    let filters = std::collections::HashMap::from([("label", vec![label])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    docker.list_containers(Some(options)).await.unwrap_or_default()
}

/// Kills and removes a container.
pub(super) async fn remove(docker: &Docker, id: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    // It may be gone, or on its way out.
    drop(docker.remove_container(id, Some(options)).await);
}

/// Whether the engine says that there is no such container.
pub(super) async fn is_gone(docker: &Docker, id: &str) -> bool {
    let found = docker.inspect_container(id, None::<InspectContainerOptions>).await;
    matches!(found, Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }))
}
