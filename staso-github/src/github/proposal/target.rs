//! The repository that a proposal is for, as requests reach it.

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use staso_core::run::RunContext;
use staso_core::vcs::{Access, VcsError};

use crate::github::api::{Api, ApiFailure, RepositoryName, Scope, refusal};
use crate::github::client::{ApiAnswer, ApiRequest, Repeat};

/// Bytes of an answer that lists a whole tree: GitHub cuts its own at 7 MB.
const MAX_TREE_BYTES: usize = 16 << 20;

/// One repository and who speaks to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) api: &'a Api,
    pub(crate) name: &'a RepositoryName,
}

impl Target<'_> {
    /// A path below the repository's. `rest` is encoded.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.name.path())
    }

    /// Sends a request that reads. Statuses other than 404 and 409 that are no success are errors.
    pub(super) async fn read(&self, request: ApiRequest, ctx: &RunContext) -> Result<ApiAnswer, VcsError> {
        let operation = request.operation;
        let request = request.with_max_bytes(MAX_TREE_BYTES);
        let scope = Scope { repository: self.name, access: Access::Read };
        let answer = self.api.send(&request, scope, ctx).await?;
        if answer.is_success() || matches!(answer.status, 404 | 409) {
            Ok(answer)
        } else {
            Err(self.refusal(&answer, operation))
        }
    }

    /// Reads one object. `None`: it is not there.
    pub(super) async fn find<T: DeserializeOwned>(
        &self,
        request: ApiRequest,
        ctx: &RunContext,
    ) -> Result<Option<T>, VcsError> {
        let operation = request.operation;
        let answer = self.read(request, ctx).await?;
        match answer.status {
            404 => Ok(None),
            409 => Err(VcsError::Empty { url: self.name.url.clone() }),
            _ => answer.json(operation).map(Some),
        }
    }

    /// Sends a request that changes something, with a credential that can. Any status comes back.
    pub(super) async fn write(
        &self,
        operation: &'static str,
        method: Method,
        rest: &str,
        body: Value,
        repeat: Repeat,
        ctx: &RunContext,
    ) -> Result<ApiAnswer, ApiFailure> {
        let request = ApiRequest::send(operation, method, self.path(rest), body, repeat);
        let scope = Scope { repository: self.name, access: Access::Propose };
        self.api.send(&request, scope, ctx).await
    }

    /// An answer that is no success, in the words of users.
    pub(super) fn refusal(&self, answer: &ApiAnswer, operation: &'static str) -> VcsError {
        refusal(answer, operation, self.name)
    }
}
