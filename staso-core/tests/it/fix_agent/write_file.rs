//! `write_file`.

use serde_json::json;
use staso_core::agent::ToolProblemCode;
use staso_core::agent::tools::{WriteFile, WrittenFiles};

use super::world::{CODE, World, call, path};

#[tokio::test]
async fn new_files_are_made_and_rewritten_but_existing_ones_are_not() {
    let world = World::new();
    let session = world.session().await;
    let written = WrittenFiles::default();
    let tool = WriteFile::new(written.clone());
    for content in ["a = 1\n", "a = 1\nb = 2\n"] {
        let answer =
            call(&tool, &*session, json!({ "path": "tests/test_new.py", "content": content })).await.unwrap();
        assert_eq!(answer, format!("wrote tests/test_new.py: {} lines", content.lines().count()));
        assert_eq!(world.text(&*session, "tests/test_new.py").await, content);
    }
    assert!(written.contains(&path("tests/test_new.py")));
    let problem = call(&tool, &*session, json!({ "path": "tools.py", "content": "" })).await.unwrap_err();
    assert_eq!(
        (problem.code, problem.message.as_str()),
        (ToolProblemCode::Denied, "tools.py exists already")
    );
    assert_eq!(world.text(&*session, "tools.py").await, CODE);
}

#[tokio::test]
async fn long_broken_and_outside_files_are_refused() {
    let world = World::new();
    let session = world.session().await;
    let tool = WriteFile::new(WrittenFiles::default());
    for (file, content, code) in [
        ("long.txt", "x".repeat(WriteFile::MAX_BYTES + 1), ToolProblemCode::TooLarge),
        ("broken.json", "{".to_owned(), ToolProblemCode::Denied),
        ("../x", String::new(), ToolProblemCode::Denied),
        (".staso/x", String::new(), ToolProblemCode::Denied),
    ] {
        let problem = call(&tool, &*session, json!({ "path": file, "content": content })).await.unwrap_err();
        assert_eq!(problem.code, code, "{file}");
    }
    assert!(session.changes(&world.ctx).await.unwrap().is_empty());
}
