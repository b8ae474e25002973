//! Reading the files of a session while a model thinks.

use std::future::Future;
use std::pin::pin;

use futures_util::future::{Either, select};

use crate::run::RunContext;
use crate::sandbox::{SandboxSession, TreeLimits};

/// Does the work, and reads the tree of the session meanwhile: the first search needs all of it, the first reply of a model
/// takes longer. What is not read when the work is done is left.
pub(crate) async fn read_ahead<T>(
    session: &dyn SandboxSession,
    work: impl Future<Output = T>,
    ctx: &RunContext,
) -> T {
    let limits = TreeLimits::default();
    let (work, tree) = (pin!(work), pin!(session.tree(&limits, ctx)));
    match select(work, tree).await {
        Either::Left((done, _)) => done,
        Either::Right((_, work)) => work.await,
    }
}
