//! Git where there is none.

use std::path::Path;

use async_trait::async_trait;
use staso_core::id::{BranchName, CommitId};
use staso_core::run::RunContext;

use crate::git::transport::{Advertised, Fetch, GitTransport, Pushed, Remote, TransportError};

/// Reaches no server: what is kept was brought by other means.
#[derive(Debug)]
pub(crate) struct NoGit;

fn missing<T>() -> Result<T, TransportError> {
    Err(TransportError::Missing { reason: "the git program is not installed; install it".to_owned() })
}

#[async_trait]
impl GitTransport for NoGit {
    async fn list(&self, _: &Remote<'_>, _: &[String], _: &RunContext) -> Result<Advertised, TransportError> {
        missing()
    }

    async fn fetch(
        &self,
        _: &Remote<'_>,
        _: &Path,
        _: &Fetch<'_>,
        _: &RunContext,
    ) -> Result<(), TransportError> {
        missing()
    }

    async fn push(
        &self,
        _: &Remote<'_>,
        _: &Path,
        _: &CommitId,
        _: &BranchName,
        _: &RunContext,
    ) -> Result<Pushed, TransportError> {
        missing()
    }

    async fn may_push(
        &self,
        _: &Remote<'_>,
        _: &Path,
        _: &CommitId,
        _: &BranchName,
        _: &RunContext,
    ) -> Result<(), TransportError> {
        missing()
    }

    async fn compact(&self, _: &Path, _: &RunContext) -> Result<(), TransportError> {
        missing()
    }
}
