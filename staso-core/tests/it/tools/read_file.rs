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
    insta::assert_snapshot!(bench.text(&ReadFile, arguments).await, @r#"
    src/orders/total.py
         2	    return order["total_amount"]
         3	
         4	
    [lines 2-4 of 6; go on with start_line=5]
    "#);
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
    insta::assert_snapshot!(text, @"
    long.txt
         1	x500 …[+200 characters]
         2	short
         3	no end
    [lines 1-3 of 3; 1 cut after 500 characters: read them with bash, e.g. cut -c501-; lines end with CRLF; no line end at the end of the file]
    ");
    let text = bench.text(&ReadFile, json!({"path": "many.txt"})).await;
    assert!(text.len() <= 16_000, "{}", text.len());
    assert!(text.ends_with("[lines 1-33 of 100; go on with start_line=34]"), "{text}");
    insta::assert_snapshot!(bench.text(&ReadFile, json!({"path": "latin.txt"})).await, @"
    latin.txt
         1	caf�
    [lines 1-1 of 1; bytes that are no UTF-8 are shown as �]
    ");
    insta::assert_snapshot!(bench.text(&ReadFile, json!({"path": "empty"})).await, @"
    empty
    [the file is empty]
    ");
}

#[tokio::test]
async fn a_path_that_is_not_there_is_answered_with_the_nearest() {
    let bench = Bench::new(&PROJECT).await;
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "orders/totals.py"})).await, @r#"
    "no_match"
    no file orders/totals.py in the session
    the nearest paths are: src/orders/total.py
    "#);
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "zzz.rs"})).await, @r#"
    "no_match"
    no file zzz.rs in the session
    look for it with list_files or search_code
    "#);
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "src/orders"})).await, @r#"
    "bad_args"
    src/orders is a directory
    list it with list_files
    "#);
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "."})).await, @r#"
    "bad_args"
    "." is a directory
    list it with list_files
    "#);
    assert!(bench.ctx.notes().files.is_empty(), "nothing was read");
}

#[tokio::test]
async fn lines_beyond_the_end_binary_and_large_files_are_explained() {
    let mut files = super::session_files(&PROJECT);
    files.insert(path("image.png"), b"\x89PNG\0\0".to_vec());
    files.insert(path("dump.sql"), vec![b'x'; (10 << 20) + 1]);
    let bench = Bench::over(MemorySandbox::new(files)).await;
    let beyond = json!({"path": "src/orders/total.py", "start_line": 70});
    insta::assert_snapshot!(bench.problem_text(&ReadFile, beyond).await, @r#"
    "bad_args"
    src/orders/total.py has 6 lines; start_line 70 is beyond the end
    the last lines begin at start_line=1
    "#);
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "image.png"})).await, @r#"
    "denied"
    image.png is a binary file of 6 bytes
    look at it with a program through bash
    "#);
    insta::assert_snapshot!(bench.problem_text(&ReadFile, json!({"path": "dump.sql"})).await, @r#"
    "too_large"
    the file dump.sql is larger than the limit of 10485760 bytes
    look at parts of it with bash, e.g. sed -n '1,100p' dump.sql
    "#);
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
