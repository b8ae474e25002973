//! A container that is removed when nobody holds it any more.

use std::time::Duration;

use bollard::Docker;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::engine;

/// How long it is tried to remove a container: an engine may be busy, or be started again meanwhile.
const REMOVAL_LIMIT: Duration = Duration::from_secs(600);
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Owns a container. Dropping kills and removes it, in the background; when the runtime to do that in has ended, the
/// agent ends because its input does, and the engine removes the container.
#[derive(Debug)]
pub(super) struct Container {
    docker: Docker,
    id: String,
    gone: Option<watch::Sender<bool>>,
    /// It may be dropped outside of any.
    runtime: Handle,
}

impl Container {
    pub(super) fn new(docker: Docker, id: String, runtime: Handle) -> Self {
        Self { docker, id, gone: Some(watch::channel(false).0), runtime }
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
        self.runtime.spawn(async move {
            let removal = async {
                let mut pause = FIRST_PAUSE;
                loop {
                    engine::remove(&docker, &id).await;
                    if engine::is_gone(&docker, &id).await {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            };
            drop(tokio::time::timeout(REMOVAL_LIMIT, removal).await);
            if let Some(gone) = gone {
                gone.send_replace(true);
            }
        });
    }
}
