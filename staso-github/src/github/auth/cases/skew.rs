//! A clock that is off.

use super::*;

const TOO_EARLY: &str =
    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued";
const TOO_LATE: &str = "'Expiration time' claim ('exp') is too far in the future";

/// A refusal whose server says that it is 21:14:10, as the clock of the tests before it is moved.
fn wrong_time(said: &str) -> Turn {
    refused(401, said).header("date", "Mon, 11 Jul 2016 21:14:10 GMT").into()
}

#[tokio::test]
async fn case_01_a_clock_that_is_ahead_is_made_up_for_and_remembered() {
    for said in [TOO_EARLY, TOO_LATE] {
        let bench =
            Bench::new([wrong_time(said), installed(), made(), branches(), branches(), made(), branches()]);
        bench.clock.pass(seconds(7200));
        bench.ask(Access::Read).await.unwrap();
        // By the clock of this machine the token has ended; by GitHub's it has not.
        bench.ask(Access::Read).await.unwrap();
        bench.clock.pass(seconds(3540));
        bench.ask(Access::Read).await.unwrap();
        assert_eq!(bench.asked(), [LOOKUP, LOOKUP, MINT, ASK, ASK, MINT, ASK]);
        let seen = bench.server.requests();
        assert_eq!(claims(&seen[0])["iat"], 1_468_278_790);
        for at in [1, 2] {
            assert_eq!(claims(&seen[at])["iat"], 1_468_271_590, "the JWT is signed anew");
        }
        assert_eq!(claims(&seen[5])["iat"], 1_468_275_130, "what is known of the clock is remembered");
    }
}

#[tokio::test]
async fn case_01_a_time_that_is_refused_again_is_an_error() {
    let bench = Bench::new([wrong_time(TOO_LATE), wrong_time(TOO_LATE)]);
    bench.clock.pass(seconds(90));
    let error = bench.ask(Access::Read).await.unwrap_err();
    assert!(matches!(error, VcsError::ClockSkew { seconds: 90 }), "{error}");
    assert_eq!(bench.asked(), [LOOKUP, LOOKUP]);
}

#[tokio::test]
async fn case_01_a_refusal_that_does_not_say_the_time_is_no_reason_to_guess() {
    let bench = Bench::new([refused(401, TOO_EARLY).into()]);
    let error = bench.ask(Access::Read).await.unwrap_err();
    assert!(matches!(error, VcsError::BadAnswer { .. }), "{error}");
    assert_eq!(bench.asked(), [LOOKUP]);
}
