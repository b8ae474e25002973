//! Files of the failing commit from a session in which nothing ever ran.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::agent::tools::CleanSource;
use crate::code::RepoPath;
use crate::run::RunContext;
use crate::sandbox::{Sandbox, SandboxError, SandboxSession, SandboxSpec};

/// Larger files are not read, in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Files read for one diagnosis.
const MAX_FILES: usize = 40;

/// A second session over the same checkout, opened when first needed. The agent has no way into it, so what it holds is what
/// the commit holds: files that the agent wrote, changed or linked in its own session are not there.
#[derive(Debug)]
pub(super) struct CleanSession<'a> {
    sandbox: &'a dyn Sandbox,
    spec: &'a SandboxSpec,
    opened: Mutex<Opened>,
}

#[derive(Debug, Default)]
struct Opened {
    session: Option<Box<dyn SandboxSession>>,
    reads: usize,
}

impl<'a> CleanSession<'a> {
    pub(super) fn new(sandbox: &'a dyn Sandbox, spec: &'a SandboxSpec) -> Self {
        Self { sandbox, spec, opened: Mutex::default() }
    }

    pub(super) async fn close(&self) -> Result<(), SandboxError> {
        match self.opened.lock().await.session.take() {
            Some(session) => session.close().await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl CleanSource for CleanSession<'_> {
    async fn read(&self, path: &RepoPath, ctx: &RunContext) -> Result<Option<Arc<str>>, SandboxError> {
        let mut opened = self.opened.lock().await;
        if opened.reads == MAX_FILES {
            return Ok(None);
        }
        opened.reads += 1;
        if opened.session.is_none() {
            opened.session = match self.sandbox.open(self.spec, ctx).await {
                Ok(session) => Some(session),
                Err(SandboxError::Cancelled) => return Err(SandboxError::Cancelled),
                Err(_) => return Ok(None),
            };
        }
        let Some(session) = &opened.session else { return Ok(None) };
        match session.read_file(path, MAX_FILE_BYTES, ctx).await {
            Ok(bytes) => Ok(String::from_utf8(bytes).ok().map(Arc::from)),
            Err(SandboxError::Cancelled) => Err(SandboxError::Cancelled),
            Err(_) => Ok(None),
        }
    }
}
