//! Many callers, and callers that give up.

use std::time::Instant;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::credentials::CredentialSource as _;

impl Bench {
    /// Another run at the same time.
    pub(super) fn run(&self) -> (RunContext, CancellationToken) {
        let token = CancellationToken::new();
        let ctx = RunContext::new(RunId::from_bytes([8; 16]), Arc::clone(&self.clock) as _);
        (ctx.with_cancellation(token.clone()), token)
    }
}

fn start(bench: &Arc<Bench>, callers: usize) -> JoinSet<Result<(), VcsError>> {
    let mut running = JoinSet::new();
    for _ in 0..callers {
        let bench = Arc::clone(bench);
        running.spawn(async move { bench.ask(Access::Read).await });
    }
    running
}

#[tokio::test]
async fn fifty_callers_at_once_make_one_token() {
    let held = Turn::Held(Reply::json(201, example("installation-token")));
    let bench = Bench::new([installed(), held].into_iter().chain((0..50).map(|_| branches())));
    let bench = Arc::new(bench);
    let running = start(&bench, 50);
    bench.server.seen(2).await;
    bench.server.release();
    assert!(running.join_all().await.into_iter().all(|answer| answer.is_ok()));
    let asked = bench.asked();
    assert_eq!(asked.len(), 52);
    assert_eq!(asked.iter().filter(|asked| *asked == LOOKUP).count(), 1);
    assert_eq!(asked.iter().filter(|asked| *asked == MINT).count(), 1);
}

#[tokio::test]
async fn fifty_callers_at_once_are_refused_by_one_answer() {
    let held = Turn::Held(refused(403, "This installation has been suspended"));
    let bench = Arc::new(Bench::new([installed(), held]));
    let running = start(&bench, 50);
    bench.server.seen(2).await;
    bench.server.release();
    for answer in running.join_all().await {
        let error = answer.unwrap_err();
        assert!(matches!(error, VcsError::Suspended { .. }), "{error}");
    }
    assert_eq!(bench.asked(), [LOOKUP, MINT]);
}

#[tokio::test]
async fn a_caller_that_is_cancelled_leaves_the_others_alone() {
    let bench = Bench::new([installed(), Turn::NeverAnswer, made(), branches()]);
    let bench = Arc::new(bench);
    let (ctx, cancel) = bench.run();
    let leader = {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.ask_in(Access::Read, &ctx).await })
    };
    bench.server.seen(2).await;
    let mut others = start(&bench, 1);
    let since = Instant::now();
    cancel.cancel();
    let error = leader.await.unwrap().unwrap_err();
    assert!(matches!(error, VcsError::Cancelled), "{error}");
    assert!(since.elapsed() < seconds(2));
    others.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, MINT, ASK]);
}

#[tokio::test]
async fn those_who_wait_for_another_one_can_be_cancelled() {
    let bench = Arc::new(Bench::new([installed(), Turn::NeverAnswer]));
    let mut leader = start(&bench, 1);
    bench.server.seen(2).await;
    let (ctx, cancel) = bench.run();
    let (answer, ()) = tokio::join!(bench.ask_in(Access::Read, &ctx), async { cancel.cancel() });
    let error = answer.unwrap_err();
    assert!(matches!(error, VcsError::Cancelled), "{error}");
    assert_eq!(bench.asked(), [LOOKUP, MINT]);
    leader.shutdown().await;
}

#[tokio::test]
async fn waiting_for_a_fresh_token_can_be_cancelled() {
    let bench = Bench::new([installed(), made(), refused(401, "Bad credentials").into()]);
    let (ctx, cancel) = bench.run();
    let cancels = async {
        bench.server.seen(3).await;
        cancel.cancel();
    };
    let (answer, ()) = tokio::join!(bench.ask_in(Access::Read, &ctx), cancels);
    let error = answer.unwrap_err();
    assert!(matches!(error, VcsError::Cancelled), "{error}");
}

#[tokio::test]
async fn other_repositories_and_needs_have_tokens_of_their_own() {
    let bench = Bench::new([installed(), made(), made(), installed(), made()]);
    bench.git_token(Access::Read).await.unwrap();
    bench.git_token(Access::Propose).await.unwrap();
    let other = RepositoryName { name: "Spoon-Knife".to_owned(), ..bench.repository.clone() };
    let source = bench.api.source(other);
    source.credentials(Access::Read, &bench.ctx).await.unwrap();
    // The same repository in another spelling is not another one.
    let same = RepositoryName {
        owner: "OCTOCAT".to_owned(),
        name: "hello-world".to_owned(),
        ..bench.repository.clone()
    };
    let scope = Scope { repository: &same, access: Access::Read };
    bench.api.git_credentials(scope, &bench.ctx).await.unwrap();
    assert_eq!(bench.asked(), [LOOKUP, MINT, MINT, "GET /repos/octocat/Spoon-Knife/installation", MINT]);
    assert_eq!(body(&bench.server.requests()[4])["repositories"], json!(["spoon-knife"]));
}
