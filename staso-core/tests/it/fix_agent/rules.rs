//! What `submit_fix` accepts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use staso_core::agent::ModelReply;
use staso_core::code::CodeSnapshot;
use staso_core::diagnosis::FixKind;
use staso_core::redaction::Redactor;
use staso_core::run::RunContext;
use staso_core::sandbox::{SandboxError, SandboxSession};
use staso_core::testing::{ContentTests, ScriptedExec, ScriptedModel, SessionFiles, tool_call};
use staso_core::verify::{TestCommand, TestReport, TestRunner};

use super::world::{World, edits, mends, path, submission, submits};

/// The last answer of a tool that a model saw.
fn last(model: &ScriptedModel) -> String {
    model.requests().last().unwrap().last_result().to_owned()
}

/// What `submit_fix` says when it does not take the change that the model made; nothing is proposed then.
async fn refusal(world: &World, model: ScriptedModel) -> String {
    let model = model.then_call("submit_fix", &submission("Mend it")).then_text("Never mind.");
    let error = world.mend(&model).await.unwrap_err();
    assert!(error.to_string().contains("failed in fixer agent"), "{error}");
    last(&model)
}

#[tokio::test]
async fn the_first_submission_shows_the_change_and_the_second_is_accepted() {
    let model = mends();
    let world = World::new();
    let candidates = world.mend(&model).await.unwrap();
    assert_eq!(candidates.len(), 1);
    assert_eq!(model.steps_left(), 0);
    insta::assert_snapshot!(last(&model));
}

#[tokio::test]
async fn a_submission_that_cannot_have_read_the_answer_does_not_confirm() {
    let submit = || tool_call("submit_fix", &submission("Read the key that orders have"));
    let twice = || ModelReply::calls(vec![submit(), submit()]);
    let model = edits(ScriptedModel::new(), "tools.py", "'old'", "'new'").then(twice());
    let candidates = World::new().mend(&submits_once(model.clone())).await.unwrap();
    assert_eq!(candidates.len(), 1);
    let requests = model.requests();
    assert_eq!(requests.len(), 3, "the change was read before it was confirmed");
    assert!(last(&model).contains("shown in this same reply"), "{}", last(&model));
}

fn submits_once(model: ScriptedModel) -> ScriptedModel {
    model.then_call("submit_fix", &submission("Read the key that orders have"))
}

#[tokio::test]
async fn a_change_after_the_first_submission_is_shown_again() {
    let once = submission("Read the key that orders have");
    let model = edits(ScriptedModel::new(), "tools.py", "'old'", "'new'").then_call("submit_fix", &once);
    let model = submits(edits(model, "tools.py", "['new']", ".get('new')"));
    let candidates = World::new().mend(&model).await.unwrap();
    let diff = candidates.first().unwrap().patch.diff();
    assert!(diff.contains("+    return order.get('new')"), "{diff}");
    assert_eq!(model.steps_left(), 0, "the second submission was not the last");
    let shown = last(&model);
    assert!(shown.contains("The files changed since you last submitted."), "{shown}");
}

#[tokio::test]
async fn nothing_is_no_change() {
    let answer = refusal(&World::new(), ScriptedModel::new()).await;
    assert!(answer.contains("no file has changed"), "{answer}");
}

#[tokio::test]
async fn the_policy_is_named() {
    let ci = json!({ "path": ".github/workflows/x.yml", "content": "on: push\n" });
    let answer = refusal(&World::new(), ScriptedModel::new().then_call("write_file", &ci)).await;
    assert!(answer.contains("policy rule ci-files refuses the change"), "{answer}");
    let answer = refusal(
        &World::new(),
        edits(ScriptedModel::new(), "tests/test_tools.py", "    assert True\n", "    pass\n"),
    )
    .await;
    assert!(answer.contains("policy rule"), "{answer}");
}

#[tokio::test]
async fn a_credential_of_the_host_is_refused_where_the_model_can_still_take_it_out() {
    let secret = "correct-horse-battery-staple";
    let redactor = Redactor::default().with_known_secret("database", secret);
    let model = edits(ScriptedModel::new(), "tools.py", "'old'", &format!("'{secret}'"));
    let model = model.then_call("submit_fix", &submission("Mend it"));
    let world = World::new();
    let fixer = world.fixer(&model).with_redactor(redactor.clone());
    let error = world.propose(&fixer).await.unwrap_err();
    assert!(!error.to_string().contains(secret), "{error}");
    let model = edits(ScriptedModel::new(), "tools.py", "'old'", &format!("'{secret}'"));
    let model = model.then_call("submit_fix", &submission("Mend it"));
    let model = submits(edits(model, "tools.py", &format!("'{secret}'"), "'new'"));
    let fixer = world.fixer(&model).with_redactor(redactor);
    assert_eq!(world.propose(&fixer).await.unwrap().len(), 1);
    let refused = model.requests()[2].last_result().to_owned();
    assert!(refused.contains("secrets-in-diff") && !refused.contains(secret), "{refused}");
}

#[tokio::test]
async fn tests_alone_mend_nothing() {
    let test = json!({ "path": "tests/test_new.py", "content": "from tools import total\n\n\ndef test_x():\n    assert total({'new': 1}) == 1\n" });
    let answer = refusal(&World::new(), ScriptedModel::new().then_call("write_file", &test)).await;
    assert!(answer.contains("only tests have changed"), "{answer}");
}

#[tokio::test]
async fn a_submission_that_says_nothing_is_refused() {
    let model = edits(ScriptedModel::new(), "tools.py", "'old'", "'new'");
    let model = submits(
        model.then_call("submit_fix", &submission("  ")).then_call("submit_fix", &json!({ "title": "x" })),
    );
    assert_eq!(World::new().mend(&model).await.unwrap().len(), 1);
    let requests = model.requests();
    assert!(requests.get(2).unwrap().last_result().contains("say something"));
    assert!(requests.get(3).unwrap().last_result().contains("explanation_md"));
}

#[tokio::test]
async fn a_new_test_is_part_of_the_change() {
    let test = json!({ "path": "tests/test_new.py", "content": "from tools import total\n\n\ndef test_x():\n    assert total({'new': 1}) == 1\n" });
    let model =
        submits(edits(ScriptedModel::new(), "tools.py", "'old'", "'new'").then_call("write_file", &test));
    let candidates = World::new().mend(&model).await.unwrap();
    let candidate = candidates.first().unwrap();
    assert_eq!(candidate.patch.paths(), ["tests/test_new.py", "tools.py"]);
    assert_eq!(candidate.kind, FixKind::Code);
}

/// Tests that leave a file behind and break a file that the snapshot knows.
#[derive(Debug)]
struct Littering(ContentTests, Option<&'static str>);

#[async_trait]
impl TestRunner for Littering {
    fn detect(&self, code: &CodeSnapshot) -> Option<TestCommand> {
        self.0.detect(code)
    }

    async fn run(
        &self,
        session: &dyn SandboxSession,
        command: &TestCommand,
        timeout: Duration,
        ctx: &RunContext,
    ) -> Result<TestReport, SandboxError> {
        session.write_file(&path("build/out.bin"), b"\xff\x00", true, ctx).await?;
        if let Some(broken) = self.1 {
            session.write_file(&path("config.json"), broken.as_bytes(), false, ctx).await?;
        }
        self.0.run(session, command, timeout, ctx).await
    }
}

#[tokio::test]
async fn what_commands_leave_behind_is_left_out() {
    let mut world = World::new();
    world.runner = Arc::new(Littering(ContentTests::new(path("tools.py"), "'broken'"), None));
    let model = edits(ScriptedModel::new(), "tools.py", "'old'", "'new'").then_call("run_tests", &json!({}));
    let model = submits(model);
    let candidates = world.mend(&model).await.unwrap();
    assert_eq!(candidates.first().unwrap().patch.paths(), ["tools.py"]);
    let shown = last(&model);
    assert!(shown.contains("because write_file did not make them (1): build/out.bin"), "{shown}");
}

#[tokio::test]
async fn what_commands_break_is_refused() {
    let mut world = World::new();
    world.runner = Arc::new(Littering(ContentTests::new(path("tools.py"), "'broken'"), Some("{\n,")));
    let model = edits(ScriptedModel::new(), "tools.py", "'old'", "'new'").then_call("run_tests", &json!({}));
    let answer = refusal(&world, model).await;
    assert!(answer.contains("line 2 of config.json has a syntax error"), "{answer}");
}

/// A world whose shell knows one command, which does this to the files.
fn with_shell(act: impl Fn(&mut SessionFiles) + Send + Sync + 'static) -> World {
    let mut world = World::new();
    world.sandbox = world.sandbox.with_responder(move |request, files| {
        (request.argv.last().map(String::as_str) == Some("act")).then(|| {
            act(files);
            ScriptedExec::new(0, "")
        })
    });
    world
}

/// A model that runs the command and edits nothing else.
fn acts() -> ScriptedModel {
    ScriptedModel::new().then_call("bash", &json!({ "command": "act" }))
}

#[tokio::test]
async fn a_file_that_a_command_changes_is_part_of_the_change() {
    let world = with_shell(|files| {
        files.insert(path("tools.py"), b"def total(order):\n    return order['new']\n".to_vec());
        files.insert(path("left.py"), b"x = 1\n".to_vec());
    });
    let candidates = world.mend(&submits(acts())).await.unwrap();
    assert_eq!(candidates.first().unwrap().patch.paths(), ["tools.py"]);
}

#[tokio::test]
async fn surprises_of_commands_are_named() {
    let answer = refusal(&with_shell(|files| drop(files.remove(&path("tools.py")))), acts()).await;
    assert!(answer.contains("tools.py was deleted; a fix deletes nothing"), "{answer}");
    let binary = with_shell(|files| drop(files.insert(path("tools.py"), b"\xff\x00".to_vec())));
    let answer = refusal(&binary, acts()).await;
    assert!(answer.contains("tools.py is not text"), "{answer}");
}

#[tokio::test]
async fn credentials_are_not_submitted() {
    let token = format!("'ghp_{}'", "a1B2c3D4e5F6g7H8i9J0".repeat(2));
    let model = edits(ScriptedModel::new(), "tools.py", "order['old']", &token);
    let answer = refusal(&World::new(), model).await;
    assert!(answer.contains("policy rule secrets") && !answer.contains("a1B2c3"), "{answer}");
}
