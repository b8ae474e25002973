//! `bash`.

use std::time::Duration;

use serde_json::json;
use staso_core::agent::tools::Bash;
use staso_core::agent::{Tool as _, ToolProblemCode, ToolScope};
use staso_core::sandbox::ExecExit;
use staso_core::testing::{MemorySandbox, ScriptedExec};

use super::{Bench, PROJECT, path};

fn sandbox(answer: ScriptedExec) -> MemorySandbox {
    MemorySandbox::new(super::session_files(&PROJECT))
        .with_answer(|argv| argv.first().is_some_and(|program| program == "sh"), answer)
}

#[tokio::test]
async fn the_exit_code_comes_first_and_escapes_are_gone() {
    let bench = Bench::over(sandbox(ScriptedExec::new(1, "\u{1b}[31mFAILED\u{1b}[0m\r\n"))).await;
    insta::assert_snapshot!(bench.text(&Bash, json!({"command": "make"})).await, @"
    exit code 1
    FAILED
    ");
    let bench = Bench::over(sandbox(ScriptedExec::new(0, ""))).await;
    insta::assert_snapshot!(bench.text(&Bash, json!({"command": "true"})).await, @"
    exit code 0
    [no output]
    ");
    let killed = ExecExit { signal: Some(11), ..ExecExit::default() };
    let bench = Bench::over(sandbox(ScriptedExec { exit: Some(killed), ..ScriptedExec::default() })).await;
    insta::assert_snapshot!(bench.text(&Bash, json!({"command": "crash"})).await, @"
    killed by signal 11
    [no output]
    ");
}

#[tokio::test]
async fn long_output_is_cut_in_the_middle_and_saved() {
    let printed = format!("start\n{}end\n", "é\n".repeat(10_000));
    let bench = Bench::over(sandbox(ScriptedExec::new(0, printed.clone()))).await;
    let text = bench.text(&Bash, json!({"command": "make"})).await;
    assert!(text.starts_with("exit code 0\nstart\n") && text.ends_with("\nend"), "{text}");
    assert!(text.contains("[… 10009 characters left out; read .staso/out/7.txt …]"), "{text}");
    assert!(text.chars().count() < 10_200 && text.len() <= 16_000);
    let saved = bench.session.read_file(&path(".staso/out/7.txt"), 1 << 20, &bench.ctx).await.unwrap();
    assert_eq!(saved, printed.into_bytes());
    assert!(bench.session.changes(&bench.ctx).await.unwrap().is_empty(), "the file is no change");
}

#[tokio::test]
async fn nothing_is_saved_into_a_directory_of_the_repository() {
    let mut files = super::session_files(&PROJECT);
    files.insert(path(".staso/config.toml"), b"x = 1\n".to_vec());
    let sandbox = MemorySandbox::new(files)
        .with_answer(|argv| argv != ["pwd"], ScriptedExec::new(0, "x\n".repeat(20_000)));
    let bench = Bench::over(sandbox).await;
    let text = bench.text(&Bash, json!({"command": "make"})).await;
    assert!(text.contains("characters left out …]"), "{text}");
    assert!(bench.session.changes(&bench.ctx).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_a_problem_with_what_was_printed() {
    let answer = ScriptedExec { stdout: b"collecting 3 tests\n".to_vec(), ..ScriptedExec::hanging() };
    let bench = Bench::over(sandbox(answer)).await;
    insta::assert_snapshot!(bench.problem_text(&Bash, json!({"command": "make", "timeout_s": 5})).await, @r#"
    "timeout"
    the command was killed after 5 s; it printed:
    collecting 3 tests
    run less at a time, or set timeout_s (at most 300)
    "#);
    let answer = ScriptedExec { stdout: "\"\\\n".repeat(90_000).into_bytes(), ..ScriptedExec::hanging() };
    let bench = Bench::over(sandbox(answer)).await;
    let problem = bench.problem(&Bash, json!({"command": "make"})).await;
    assert!(problem.to_json().len() <= 16_000, "{}", problem.to_json().len());
    assert!(problem.message.contains("after 60 s") && problem.message.contains(".staso/out/7.txt"));
}

#[tokio::test(start_paused = true)]
async fn no_command_gets_more_time_than_is_left() {
    let bench = Bench::over(sandbox(ScriptedExec::hanging())).await;
    for (left, message) in [
        (Duration::from_secs(2), "the command was killed after 2 s; it printed nothing"),
        (Duration::ZERO, "no time is left for tools"),
    ] {
        let scope = ToolScope::new("t1", &bench.shown, left).with_session(Some(&*bench.session));
        let ended = Bash.call(json!({"command": "x"}), &scope, &bench.ctx).await.unwrap_err();
        assert_eq!(ended.to_string(), message);
    }
}

#[tokio::test]
async fn commands_that_cannot_be_run_are_explained() {
    let bench = Bench::over(sandbox(ScriptedExec::new(0, ""))).await;
    for command in ["", "  \n", "a\0b", &"x".repeat(4_097)] {
        let problem = bench.problem(&Bash, json!({"command": command})).await;
        assert_eq!(problem.code, ToolProblemCode::BadArgs, "{problem:?}");
    }
}
