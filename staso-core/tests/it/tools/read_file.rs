//! `read_file`.

use serde_json::json;
use staso_core::agent::ToolProblemCode;
use staso_core::agent::tools::ReadFile;
use staso_core::sandbox::Sandbox as _;
use staso_core::testing::MemorySandbox;

use super::{Bench, PROJECT, path};

#[tokio::test]
async fn lines_have_numbers_and_the_end_says_where_to_go_on() {
    let bench = Bench::new(&PROJECT).await;
    let arguments = json!({"path": "src/orders/total.py", "start_line": 2, "lines": 3});
    insta::assert_snapshot!(bench.text(&ReadFile, arguments).await, @"");
    let arguments = json!({"path": "src/orders/total.py", "start_line": 0, "lines": 4_000});
    let text = bench.text(&ReadFile, arguments).await;
    assert!(text.ends_with("[lines 1-6 of 6]"), "beyond the bounds is as much as there may be: {text}");
    assert!(bench.ctx.notes().files.contains("src/orders/total.py"));
}

#[tokio::test]
async fn everything_that_was_cut_is_said() {
    let long = format!("{}\r\nshort\r\nno end", "x".repeat(700));
    let many = "y".repeat(450).to_string() + "\n";
    let many = many.repeat(100);
    let mut files = super::session_files(&[("long.txt", &long), ("many.txt", &many), ("empty", "")]);
    files.insert(path("latin.txt"), b"caf\xe9\n".to_vec());
    let bench = Bench::over(MemorySandbox::new(files)).await;
    let text = bench.text(&ReadFile, json!({"path": "long.txt"})).await.replace(&"x".repeat(500), "x500");
    insta::assert_snapshot!(text, @"");
    let text = bench.text(&ReadFile, json!({"path": "many.txt"})).await;
    assert!(text.len() <= 16_000, "{}", text.len());
    assert!(text.ends_with("[lines 1-33 of 100; go on with start_line=34]"), "{text}");
    insta::assert_snapshot!(bench.text(&ReadFile, json!({"path": "latin.txt"})).await, @"");
    insta::assert_snapshot!(bench.text(&ReadFile, json!({"path": "empty"})).await, @"");
}

#[tokio::test]
async fn a_path_that_is_not_there_is_answered_with_the_nearest() {
    let bench = Bench::new(&PROJECT).await;
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "orders/totals.py"})).await, @"");
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "zzz.rs"})).await, @"");
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "src/orders"})).await, @"");
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "."})).await, @"");
    assert!(bench.ctx.notes().files.is_empty(), "nothing was read");
}

#[tokio::test]
async fn lines_beyond_the_end_binary_and_large_files_are_explained() {
    let mut files = super::session_files(&PROJECT);
    files.insert(path("image.png"), b"\x89PNG\0\0".to_vec());
    files.insert(path("dump.sql"), vec![b'x'; (10 << 20) + 1]);
    let bench = Bench::over(MemorySandbox::new(files)).await;
    let beyond = json!({"path": "src/orders/total.py", "start_line": 70});
    insta::assert_snapshot!(bench.problem_text(&ReadFile, beyond).await, @"");
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "image.png"})).await, @"");
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "dump.sql"})).await, @"");
}

#[tokio::test]
async fn a_cancelled_run_and_a_closed_session_are_no_problems_of_the_model() {
    let bench = Bench::new(&PROJECT).await;
    bench.session.close().await.unwrap();
    let ended = bench.call(&ReadFile, json!({"path": "README.md"})).await.unwrap_err();
    assert_eq!(ended.to_string(), "the session is closed");
    let bench = Bench::new(&PROJECT).await;
    bench.ctx.cancellation().cancel();
    let ended = bench.call(&ReadFile, json!({"path": "README.md"})).await.unwrap_err();
    assert_eq!(ended.to_string(), "cancelled");
}

#[tokio::test]
async fn an_absolute_path_is_refused_when_the_session_does_not_say_where_it_is() {
    let sandbox = MemorySandbox::new(super::session_files(&PROJECT));
    let ctx = staso_core::testing::test_context();
    let session = sandbox.open(&staso_core::sandbox::SandboxSpec::new("/x"), &ctx).await.unwrap();
    let bench = Bench { session, ctx, shown: staso_core::agent::Shown::default() };
    let problem = bench.problem(&ReadFile, json!({"path": "/workspace/README.md"})).await;
    assert_eq!(problem.code, ToolProblemCode::Denied);
}
