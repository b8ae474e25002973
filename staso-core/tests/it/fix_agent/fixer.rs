//! What the fixer proposes.

use std::sync::Arc;

use serde_json::json;
use staso_core::code::{CodeSnapshot, SourceFile};
use staso_core::diagnosis::FixKind;
use staso_core::fix::FixRequest;
use staso_core::fix::Fixer as _;
use staso_core::sandbox::SandboxSpec;
use staso_core::testing::{SandboxCall, ScriptedModel, memory_blob, memory_commit};

use super::world::{CODE, World, edits, mends, path, submission, submits};

#[tokio::test]
async fn a_change_that_is_handed_in_is_a_candidate() {
    let world = World::new();
    let candidates = world.mend(&mends()).await.unwrap();
    let candidate = candidates.first().unwrap();
    assert_eq!(candidate.author, "agent:scripted/model");
    assert_eq!(candidate.title, "Read the key that orders have");
    assert_eq!(candidate.why, "The order holds `new`.");
    assert_eq!(candidate.kind, FixKind::Code, "by the files, whatever the model calls it");
    insta::assert_snapshot!(candidate.patch.diff(), @r"
    diff --git a/tools.py b/tools.py
    --- a/tools.py
    +++ b/tools.py
    @@ -1,2 +1,2 @@
     def total(order):
    -    return order['old']
    +    return order['new']
    ");
    let opened = world.sandbox.calls().iter().filter(|call| matches!(call, SandboxCall::Open(_))).count();
    let closed = world.sandbox.calls().iter().filter(|call| **call == SandboxCall::Close).count();
    assert_eq!((opened, closed), (1, 1), "one attempt is one session");
}

#[tokio::test]
async fn without_a_checkout_or_a_suggestion_there_is_nothing_to_offer() {
    let mut world = World::new();
    let fixer = world.fixer(&ScriptedModel::new());
    let request = FixRequest::new(&world.diagnosis, &world.code);
    assert_eq!(fixer.propose(&request, &world.ctx).await.unwrap(), []);
    let none = world.request().with_max_candidates(0);
    assert_eq!(fixer.propose(&none, &world.ctx).await.unwrap(), []);
    world.diagnosis.suggested_fix = None;
    assert_eq!(world.propose(&fixer).await.unwrap(), []);
    assert_eq!(world.sandbox.calls(), [], "no session was opened");
}

#[tokio::test]
async fn prompts_and_settings_are_told_apart_by_their_files() {
    for (file, old, new, kind) in [
        ("prompts/reply.md", "one word", "one sentence", FixKind::Prompt),
        ("config.json", "m-1", "m-2", FixKind::Config),
    ] {
        let model = submits(edits(ScriptedModel::new(), file, old, new));
        let candidates = World::new().mend(&model).await.unwrap();
        assert_eq!(candidates.first().unwrap().kind, kind, "{file}");
    }
}

#[tokio::test]
async fn a_file_that_was_not_read_is_read_in_a_session_where_nothing_ran() {
    let world = World::new();
    let model = submits(edits(ScriptedModel::new(), "unread.py", "LIMIT = 1", "LIMIT = 2"));
    let candidates = world.mend(&model).await.unwrap();
    let (_, file) = candidates.first().unwrap().patch.files().next().unwrap();
    assert_eq!((file.before(), file.after()), ("LIMIT = 1\n", "LIMIT = 2\n"));
    assert_eq!(file.blob(), Some(&memory_blob(b"LIMIT = 1\n")));
    let specs: Vec<SandboxSpec> = world
        .sandbox
        .calls()
        .into_iter()
        .filter_map(|call| if let SandboxCall::Open(spec) = call { Some(spec) } else { None })
        .collect();
    assert_eq!(specs.len(), 2);
    assert_eq!(specs.first(), specs.last());
}

#[tokio::test]
async fn a_file_of_a_tree_that_was_cut_is_no_new_file() {
    let mut world = World::new();
    let mut code = CodeSnapshot::new(memory_commit(1), Vec::new(), true);
    let blob = memory_blob(CODE.as_bytes());
    code.insert(path("tools.py"), SourceFile { blob, text: CODE.into(), executable: false });
    world.code = code;
    let model =
        edits(ScriptedModel::new(), "unread.py", "1", "2").then_call("submit_fix", &submission("Mend it"));
    world.mend(&model).await.unwrap_err();
    let model = submits(edits(ScriptedModel::new(), "tools.py", "'old'", "'new'"));
    assert_eq!(world.mend(&model).await.unwrap().len(), 1);
    let new = json!({ "path": "brand_new.py", "content": "x = 1\n" });
    let model =
        submits(edits(ScriptedModel::new(), "tools.py", "'old'", "'new'").then_call("write_file", &new));
    assert_eq!(
        world.mend(&model).await.unwrap().first().unwrap().patch.paths(),
        ["brand_new.py", "tools.py"]
    );
}

#[tokio::test]
async fn what_a_model_says_is_made_harmless() {
    let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0".repeat(2));
    let mut said = submission(&format!(
        "Mend it for @octocat\n{token} https://evil.example/x closes #1 {}",
        "and on ".repeat(20)
    ));
    said["explanation_md"] = json!(format!("See <!-- hidden --> {token}\u{202e} now"));
    let model = edits(ScriptedModel::new(), "tools.py", "'old'", "'new'");
    let model = model.then_call("submit_fix", &said).then_call("submit_fix", &said);
    let candidates = World::new().mend(&model).await.unwrap();
    let candidate = candidates.first().unwrap();
    for text in [&candidate.title, &candidate.why] {
        assert!(!text.contains(&token) && !text.contains("@octocat") && !text.contains("https://"), "{text}");
        assert!(!text.contains(['\n', '\u{202e}']) && !text.contains("<!--"), "{text}");
    }
    assert!(candidate.title.chars().count() <= 72, "{}", candidate.title);
}

/// A script for two attempts: the first removes more, the second mends.
fn two_attempts(first: &str, second: &str) -> ScriptedModel {
    let model = submits(edits(ScriptedModel::new(), "tools.py", "'old'", first));
    submits(edits(model, "tools.py", "'old'", second))
}

#[tokio::test]
async fn the_best_of_several_attempts_comes_first() {
    for (first, second) in [("'broken'", "'new'"), ("'other'", "'new'"), ("'new'\n    ", "'new'")] {
        let world = World::new();
        let model = two_attempts(first, second);
        let candidates = world.propose(&world.fixer(&model).with_samples(2)).await.unwrap();
        let afters: Vec<String> = candidates
            .iter()
            .map(|found| found.patch.files().map(|(_, file)| file.after().to_owned()).collect())
            .collect();
        assert_eq!(afters, [CODE.replace("'old'", second), CODE.replace("'old'", first)]);
        let scores: Vec<f64> = candidates.iter().map(|found| found.score).collect();
        assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
        let requests = model.requests();
        let sampling =
            |at: usize| requests.get(at).map(|request| (request.temperature, request.seed)).unwrap();
        assert_ne!(sampling(0), sampling(3), "attempts differ in their chance");
    }
}

#[tokio::test]
async fn equal_attempts_are_one_candidate() {
    let world = World::new();
    let model = two_attempts("'new'", "'new'");
    assert_eq!(world.propose(&world.fixer(&model).with_samples(9)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn tools_of_the_host_are_offered() {
    #[derive(Debug)]
    struct Answer(staso_core::agent::ToolSpec);
    #[async_trait::async_trait]
    impl staso_core::agent::Tool for Answer {
        fn spec(&self) -> &staso_core::agent::ToolSpec {
            &self.0
        }
        async fn call(
            &self,
            _arguments: serde_json::Value,
            _scope: &staso_core::agent::ToolScope<'_>,
            _ctx: &staso_core::run::RunContext,
        ) -> Result<staso_core::agent::ToolReply, staso_core::agent::ToolError> {
            Ok(staso_core::agent::ToolReply::Text("orders hold new".to_owned()))
        }
    }
    let spec = staso_core::agent::ToolSpec {
        name: "ask_schema".to_owned(),
        description: "Says what orders hold.".to_owned(),
        parameters: json!({ "type": "object", "properties": {} }),
    };
    let world = World::new();
    let model = submits(edits(
        ScriptedModel::new().then_call("ask_schema", &json!({})),
        "tools.py",
        "'old'",
        "'new'",
    ));
    let fixer = world.fixer(&model).with_tools(vec![Arc::new(Answer(spec))]);
    assert_eq!(world.propose(&fixer).await.unwrap().len(), 1);
    assert!(model.requests().get(1).unwrap().last_result().contains("orders hold new"));
}
