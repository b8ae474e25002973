//! `edit_file`.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use staso_core::agent::tools::{EditFile, WrittenFiles};
use staso_core::agent::{Tool as _, ToolProblemCode};
use staso_core::sandbox::SessionChange;

use super::world::{CODE, World, call, path};

fn tool() -> EditFile {
    EditFile::new(WrittenFiles::default(), BTreeSet::from([path("run.sh")]))
}

fn edit(file: &str, old: &str, new: &str) -> Value {
    json!({ "path": file, "old_str": old, "new_str": new })
}

async fn refused(arguments: Value) -> (ToolProblemCode, String) {
    let world = World::new();
    let session = world.session().await;
    let problem = call(&tool(), &*session, arguments).await.unwrap_err();
    assert!(session.changes(&world.ctx).await.unwrap().is_empty(), "a refused edit changes nothing");
    (problem.code, format!("{}\n{}", problem.message, problem.hint))
}

#[tokio::test]
async fn the_quoted_text_is_replaced_and_shown() {
    let world = World::new();
    let session = world.session().await;
    let answer = call(&tool(), &*session, edit("./tools.py", "order['old']", "order['new']")).await.unwrap();
    insta::assert_snapshot!(answer, @r"
    edited tools.py: 1 place replaced
        1  def total(order):
        2      return order['new']
    ");
    assert_eq!(world.text(&*session, "tools.py").await, CODE.replace("old", "new"));
}

#[tokio::test]
async fn line_ends_and_modes_stay() {
    let world = World::new();
    let session = world.session().await;
    let answer =
        call(&tool(), &*session, edit("windows.py", "a = 1\nb = 2", "a = 2\nc = 1\nb = 2")).await.unwrap();
    assert!(answer.contains("windows.py: 1 place replaced"), "{answer}");
    assert_eq!(world.text(&*session, "windows.py").await, "a = 2\r\nc = 1\r\nb = 2\r\n");
    call(&tool(), &*session, edit("run.sh", "echo 1", "echo 2")).await.unwrap();
    let changes = session.changes(&world.ctx).await.unwrap();
    let change = changes.get(&path("run.sh")).unwrap();
    assert!(matches!(change, SessionChange::Written { executable: true, .. }), "{change:?}");
}

#[tokio::test]
async fn a_quote_that_stands_there_otherwise_is_said_to() {
    let world = World::new();
    let session = world.session().await;
    let answer =
        call(&tool(), &*session, edit("tools.py", "return order['old']  \n", "return 1\n")).await.unwrap();
    assert!(answer.contains("(but for the indentation)"), "{answer}");
    assert_eq!(world.text(&*session, "tools.py").await, "def total(order):\n    return 1\n");
}

#[tokio::test]
async fn an_ambiguous_quote_is_answered_with_its_lines() {
    let (code, text) = refused(edit("config.json", "\": ", "\":")).await;
    assert_eq!(code, ToolProblemCode::Ambiguous);
    insta::assert_snapshot!(text, @r"
    old_str stands in config.json 2 times, expected_count is 1; at lines 2, 3
    quote more lines around the place, or set expected_count to replace all of them
    ");
}

#[tokio::test]
async fn all_places_are_replaced_when_the_count_says_so() {
    let world = World::new();
    let session = world.session().await;
    let mut arguments = edit("config.json", "\": ", "\" : ");
    arguments["expected_count"] = json!(2);
    call(&tool(), &*session, arguments).await.unwrap();
    let text = world.text(&*session, "config.json").await;
    assert_eq!(text, "{\n  \"model\" : \"m-1\",\n  \"turns\" : 3\n}\n");
}

#[tokio::test]
async fn a_quote_that_stands_nowhere_is_answered_with_what_is_like_it() {
    let (code, text) = refused(edit("tools.py", "    return orders['old'] or None\n", "")).await;
    assert_eq!(code, ToolProblemCode::NoMatch);
    insta::assert_snapshot!(text, @r"
    old_str does not stand in tools.py
    quote it as it stands there; most like it are:
        2      return order['old']
        --
    ");
}

#[tokio::test]
async fn a_broken_edit_is_not_made() {
    let (code, text) = refused(edit("config.json", "\"m-1\",", "\"m-2\"")).await;
    assert_eq!(code, ToolProblemCode::Denied);
    assert!(text.contains("syntax error at line 3 of config.json, which would read: \"turns\": 3"), "{text}");
}

#[cfg(feature = "template-repair")]
#[tokio::test]
async fn a_broken_program_is_not_written() {
    let (_, text) = refused(edit("tools.py", "order['old']", "order['old'")).await;
    assert!(text.contains("syntax error at line 2 of tools.py"), "{text}");
}

#[tokio::test]
async fn files_that_cannot_be_edited_are_refused() {
    for (file, code, words) in [
        ("gone.py", ToolProblemCode::NoMatch, "no file gone.py"),
        ("image.bin", ToolProblemCode::Denied, "not UTF-8 text"),
        ("../outside.py", ToolProblemCode::Denied, "outside of the checkout"),
        ("/etc/passwd", ToolProblemCode::Denied, "outside of the checkout"),
        (".git/config", ToolProblemCode::Denied, ".git"),
        (".", ToolProblemCode::BadArgs, "is a directory"),
        (".staso/replay.py", ToolProblemCode::Denied, "scratch directory"),
    ] {
        let (found, text) = refused(edit(file, "a", "b")).await;
        assert_eq!(found, code, "{file}: {text}");
        assert!(text.contains(words), "{file}: {text}");
    }
}

#[tokio::test]
async fn long_files_and_texts_are_refused() {
    let world = World::new();
    let session = world.session().await;
    let long = "x\n".repeat(EditFile::MAX_FILE_BYTES);
    session.write_file(&path("long.py"), long.as_bytes(), false, &world.ctx).await.unwrap();
    let problem = call(&tool(), &*session, edit("long.py", "x", "y")).await.unwrap_err();
    assert_eq!(problem.code, ToolProblemCode::TooLarge);
    let (code, _) = refused(edit("tools.py", "'old'", &"x".repeat(EditFile::MAX_TEXT_BYTES + 1))).await;
    assert_eq!(code, ToolProblemCode::TooLarge);
}

#[tokio::test]
async fn edits_that_say_nothing_are_refused() {
    for (arguments, words) in [
        (edit("tools.py", "", "b"), "old_str is empty"),
        (edit("tools.py", "'old'", "'old'"), "would stay as it is"),
        (json!({ "path": "tools.py", "old_str": "a", "new_str": "b", "expected_count": 0 }), "from 1 to 100"),
        (json!({ "path": "tools.py", "old_str": "a" }), "new_str"),
        (json!({ "path": "tools.py", "old_str": "a", "new_str": "b", "force": true }), "force"),
    ] {
        let (code, text) = refused(arguments).await;
        assert_eq!(code, ToolProblemCode::BadArgs, "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn the_schema_refuses_unknown_arguments() {
    let tool = tool();
    assert_eq!(tool.spec().parameters["additionalProperties"], json!(false));
}
