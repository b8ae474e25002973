//! A container that is removed when nobody holds it any more.

use std::time::Duration;

use bollard::Docker;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::engine;

/// How long the engine may take to remove a container.
const REMOVAL_LIMIT: Duration = Duration::from_secs(30);
const REMOVAL_PAUSE: Duration = Duration::from_millis(10);

/// Owns a container. Dropping kills and removes it, in the background; without a runtime to do that in, the agent ends
/// because its input does, and the engine removes the container.
#[derive(Debug)]
pub(super) struct Container {
    docker: Docker,
    id: String,
    gone: Option<watch::Sender<bool>>,
}

impl Container {
    pub(super) fn new(docker: Docker, id: String) -> Self {
        Self { docker, id, gone: Some(watch::channel(false).0) }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Turns true when the container is removed.
    pub(super) fn gone(&self) -> watch::Receiver<bool> {
        match &self.gone {
            Some(gone) => gone.subscribe(),
            None => watch::channel(true).1,
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let (docker, id, gone) = (self.docker.clone(), std::mem::take(&mut self.id), self.gone.take());
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let removal = async {
                engine::remove(&docker, &id).await;
                while !engine::is_gone(&docker, &id).await {
                    tokio::time::sleep(REMOVAL_PAUSE).await;
                }
            };
            drop(tokio::time::timeout(REMOVAL_LIMIT, removal).await);
            if let Some(gone) = gone {
                gone.send_replace(true);
            }
        });
    }
}
