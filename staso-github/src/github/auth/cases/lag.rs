//! Tokens that not all of GitHub knows yet.

use super::*;

fn inaccessible() -> Turn {
    refused(403, "Resource not accessible by integration").into()
}

fn unknown() -> Turn {
    refused(401, "Bad credentials").into()
}

#[tokio::test]
async fn case_07_a_fresh_token_is_waited_for() {
    for refusal in [inaccessible, unknown] {
        let bench = Bench::new([installed(), made(), refusal(), refusal(), refusal(), branches()]);
        bench.ask(Access::Read).await.unwrap();
        assert_eq!(bench.asked(), [LOOKUP, MINT, ASK, ASK, ASK, ASK]);
        assert_eq!(bench.clock.waits(), [1, 2, 3]);
    }
}

#[tokio::test]
async fn case_07_after_that_the_refusal_is_real() {
    let turns = |refusal: fn() -> Turn| [installed(), made(), refusal(), refusal(), refusal(), refusal()];
    let bench = Bench::new(turns(inaccessible));
    let error = bench.ask(Access::Read).await.unwrap_err();
    assert!(!matches!(error, VcsError::CredentialRevoked { .. }), "{error}");
    assert_eq!(bench.asked().len(), 6);

    let bench = Bench::new(turns(unknown));
    let error = bench.ask(Access::Read).await.unwrap_err();
    assert!(matches!(error, VcsError::CredentialRevoked { .. }), "{error}");
    assert_eq!(bench.asked().len(), 6);
}

#[tokio::test]
async fn case_07_a_token_that_is_known_is_not_waited_for() {
    let bench = Bench::new([installed(), made(), branches(), inaccessible()]);
    bench.ask(Access::Read).await.unwrap();
    bench.clock.pass(seconds(5));
    bench.ask(Access::Read).await.unwrap_err();
    assert_eq!(bench.asked(), [LOOKUP, MINT, ASK, ASK]);
    assert!(bench.clock.waits().is_empty());
}

#[tokio::test]
async fn case_07_other_refusals_are_not_waited_for() {
    for refusal in [refused(403, "Repository access blocked"), refused(404, "Not Found")] {
        let bench = Bench::new([installed(), made(), refusal.into()]);
        bench.ask(Access::Read).await.unwrap_err();
        assert_eq!(bench.asked(), [LOOKUP, MINT, ASK]);
        assert!(bench.clock.waits().is_empty());
    }
}
