//! `run_tests` and `reproduce`.

use serde_json::json;
use staso_core::agent::ToolProblemCode;
use staso_core::agent::tools::{Reproduce, RunTests};
use staso_core::verify::{Reproduction, TestCommand, VerifyLimits};

use super::world::{CODE, World, call, path};

async fn write(world: &World, session: &dyn staso_core::sandbox::SandboxSession, key: &str) {
    let text = CODE.replace("old", key);
    session.write_file(&path("tools.py"), text.as_bytes(), false, &world.ctx).await.unwrap();
}

#[tokio::test]
async fn the_tests_say_what_passed() {
    let world = World::new();
    let session = world.session().await;
    let tool = RunTests::new(&*world.runner, &world.command);
    let answer = call(&tool, &*session, json!({})).await.unwrap();
    insta::assert_snapshot!(answer, @r#"
    {"command":"run-tests","duration_ms":1,"errors":null,"exit_code":0,"failed":0,"failing":[],"ok":true,"passed":3,"skipped":0}
    The end of the output:
    "#);
    write(&world, &*session, "broken").await;
    let answer = call(&tool, &*session, json!({ "timeout_s": 5 })).await.unwrap();
    assert!(answer.contains(r#""ok":false"#) && answer.contains(r#""failed":1"#), "{answer}");
}

#[tokio::test]
async fn a_filter_never_reaches_a_shell() {
    let world = World::new();
    let session = world.session().await;
    let command = TestCommand::shell("make test");
    let tool = RunTests::new(&*world.runner, &command);
    let problem = call(&tool, &*session, json!({ "filter": "total" })).await.unwrap_err();
    assert_eq!(problem.code, ToolProblemCode::Denied);
    assert_eq!(problem.message, "a filter is not supported for `make test`");
    let problem = call(&tool, &*session, json!({ "filter": "x; rm -rf ." })).await.unwrap_err();
    assert_eq!(problem.code, ToolProblemCode::BadArgs);
}

#[tokio::test]
async fn the_recorded_call_tells_whether_the_failure_is_there() {
    let world = World::new();
    let session = world.session().await;
    let limits = VerifyLimits::default();
    let tool = Reproduce::new(world.reproduction.as_ref().unwrap(), &limits);
    let answer = call(&tool, &*session, json!({})).await.unwrap();
    insta::assert_snapshot!(answer, @r#"
    The failure is still there.
    tools.py:total(order={"new":1}): raises KeyError: 'old'
    "#);
    write(&world, &*session, "new").await;
    assert!(call(&tool, &*session, json!({})).await.unwrap().starts_with("The failure is gone."));
    write(&world, &*session, "other").await;
    assert!(call(&tool, &*session, json!({})).await.unwrap().starts_with("It fails in another way"));
}

#[tokio::test]
async fn without_a_recorded_call_there_is_nothing_to_make_again() {
    let world = World::new();
    let session = world.session().await;
    let limits = VerifyLimits::default();
    let tool = Reproduce::new(&Reproduction::Tests, &limits);
    assert_eq!(call(&tool, &*session, json!({})).await.unwrap_err().code, ToolProblemCode::Denied);
}
