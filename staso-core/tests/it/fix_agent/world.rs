//! A repository in memory whose recorded call fails while `tools.py` reads `'old'`, and whose tests fail while it reads
//! `'broken'`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use staso_core::agent::{LanguageModel, Shown, Tool, ToolError, ToolProblem, ToolReply, ToolScope};
use staso_core::code::{CodeSnapshot, ListedFile, RepoPath, SourceFile};
use staso_core::conformance::fixer::diagnosis_with;
use staso_core::diagnosis::{Diagnosis, FailureOracle, FrameRef, RecordedCall, RepairHint};
use staso_core::fix::{AgentFixer, FixCandidate, FixError, FixRequest, Fixer as _};
use staso_core::run::RunContext;
use staso_core::sandbox::{ExecRequest, Sandbox as _, SandboxSession, SandboxSpec};
use staso_core::testing::{
    ContentTests, MemorySandbox, ScriptedExec, ScriptedModel, SessionFiles, memory_blob, memory_commit,
    test_context,
};
use staso_core::vcs::Checkout;
use staso_core::verify::{Reproduction, TestCommand, TestFramework, TestRunner};

pub(crate) const CODE: &str = "def total(order):\n    return order['old']\n";
pub(crate) const TEST: &str = "def test_total():\n    assert True\n";

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

/// Everything a request holds, each part open to change.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) code: CodeSnapshot,
    pub(crate) diagnosis: Diagnosis,
    pub(crate) sandbox: MemorySandbox,
    pub(crate) checkout: Checkout,
    pub(crate) runner: Arc<dyn TestRunner>,
    pub(crate) command: TestCommand,
    pub(crate) reproduction: Option<Reproduction>,
    pub(crate) ctx: RunContext,
}

impl World {
    pub(crate) fn new() -> Self {
        let files: [(&str, &[u8]); 8] = [
            ("tools.py", CODE.as_bytes()),
            ("windows.py", b"a = 1\r\nb = 2\r\n"),
            ("config.json", b"{\n  \"model\": \"m-1\",\n  \"turns\": 3\n}\n"),
            ("prompts/reply.md", b"Answer in one word.\n"),
            ("tests/test_tools.py", TEST.as_bytes()),
            ("unread.py", b"LIMIT = 1\n"),
            ("run.sh", b"#!/bin/sh\necho 1\n"),
            ("image.bin", b"\xff\xfe\x00"),
        ];
        let paths = files.iter().map(|(name, _)| path(name)).collect();
        let mut code = CodeSnapshot::new(memory_commit(1), paths, false);
        for (name, content) in files {
            let (blob, executable) = (memory_blob(content), name == "run.sh");
            code.list(path(name), ListedFile { blob: blob.clone(), executable });
            if let Ok(text) = std::str::from_utf8(content)
                && name != "unread.py"
            {
                code.insert(path(name), SourceFile { blob, text: text.into(), executable });
            }
        }
        let files: SessionFiles =
            files.iter().map(|(name, content)| (path(name), content.to_vec())).collect();
        let argv = vec!["run-tests".to_owned()];
        let (call, oracle) = oracle();
        let mut diagnosis = diagnosis_with(vec![hint()]);
        if let Some(fix) = &mut diagnosis.suggested_fix {
            fix.oracle = Some(oracle.clone());
        }
        Self {
            code,
            diagnosis,
            sandbox: MemorySandbox::new(files).with_responder(replay),
            checkout: Checkout::new("/checkout".into(), memory_commit(1), None),
            runner: Arc::new(ContentTests::new(path("tools.py"), "'broken'")),
            command: TestCommand { argv, framework: TestFramework::Unknown, origin: "tools.py".to_owned() },
            reproduction: Some(Reproduction::Call { oracle, call, took: Duration::from_millis(5) }),
            ctx: test_context(),
        }
    }

    pub(crate) fn request(&self) -> FixRequest<'_> {
        FixRequest::new(&self.diagnosis, &self.code)
            .with_checkout(Some(&self.checkout), Some((&*self.runner, &self.command)))
            .with_reproduction(self.reproduction.as_ref())
    }

    pub(crate) fn fixer(&self, model: &ScriptedModel) -> AgentFixer {
        let model: Arc<dyn LanguageModel> = Arc::new(model.clone());
        AgentFixer::new(model, Arc::new(self.sandbox.clone()))
    }

    pub(crate) async fn propose(&self, fixer: &AgentFixer) -> Result<Vec<FixCandidate>, FixError> {
        fixer.propose(&self.request(), &self.ctx).await
    }

    /// What a fixer with this script proposes.
    pub(crate) async fn mend(&self, model: &ScriptedModel) -> Result<Vec<FixCandidate>, FixError> {
        self.propose(&self.fixer(model)).await
    }

    pub(crate) async fn session(&self) -> Box<dyn SandboxSession> {
        self.sandbox.open(&SandboxSpec::new("/checkout"), &self.ctx).await.unwrap()
    }

    pub(crate) async fn text(&self, session: &dyn SandboxSession, name: &str) -> String {
        let bytes = session.read_file(&path(name), 1 << 21, &self.ctx).await.unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

fn oracle() -> (RecordedCall, FailureOracle) {
    let call = RecordedCall {
        path: path("tools.py"),
        function: "total".to_owned(),
        arguments: BTreeMap::from([("order".to_owned(), json!({ "new": 1 }))]),
        raised: Some("KeyError".to_owned()),
    };
    let calls = vec![call.clone()];
    (call, FailureOracle::Raises { exception: "KeyError".to_owned(), message_contains: None, calls })
}

fn hint() -> RepairHint {
    let frames = vec![FrameRef { path: path("tools.py"), line: 2, function: Some("total".to_owned()) }];
    RepairHint::WrongKey { used: "old".to_owned(), available: vec!["new".to_owned()], frames }
}

fn replay(request: &ExecRequest, files: &mut SessionFiles) -> Option<ScriptedExec> {
    let asked: Value = serde_json::from_slice(&request.stdin).ok()?;
    let nonce = asked.get("nonce")?.as_str()?;
    let text = String::from_utf8_lossy(files.get(&path("tools.py"))?).into_owned();
    let verdict = if text.contains("'old'") {
        r#"{"outcome":"raised","type":"KeyError","message":"'old'"}"#
    } else if text.contains("'other'") {
        r#"{"outcome":"raised","type":"TypeError","message":"another"}"#
    } else {
        r#"{"outcome":"returned","text":"1"}"#
    };
    Some(ScriptedExec::new(0, format!("{nonce} {verdict}\n")))
}

/// Calls a tool in a session.
pub(crate) async fn call(
    tool: &dyn Tool,
    session: &dyn SandboxSession,
    arguments: Value,
) -> Result<String, ToolProblem> {
    let shown = Shown::default();
    let scope = ToolScope::new("t1", &shown, Duration::from_secs(60)).with_session(Some(session));
    match tool.call(arguments, &scope, &test_context()).await {
        Ok(ToolReply::Text(text) | ToolReply::Accepted(text)) => Ok(text),
        Ok(other) => panic!("{other:?}"),
        Err(ToolError::Problem(problem)) => Err(problem),
        Err(error) => panic!("{error}"),
    }
}

/// A model that edits a file.
pub(crate) fn edits(model: ScriptedModel, file: &str, old: &str, new: &str) -> ScriptedModel {
    model.then_call("edit_file", &json!({ "path": file, "old_str": old, "new_str": new }))
}

pub(crate) fn submission(title: &str) -> Value {
    json!({
        "title": title,
        "explanation_md": "The order holds `new`. It never held `old`.",
        "fix_type": "config",
        "risk": "low",
        "tests_run": "all of them pass",
    })
}

/// A model that hands in and confirms.
pub(crate) fn submits(model: ScriptedModel) -> ScriptedModel {
    let submission = submission("Read the key that orders have");
    model.then_call("submit_fix", &submission).then_call("submit_fix", &submission)
}

/// A model that mends the failure.
pub(crate) fn mends() -> ScriptedModel {
    submits(edits(ScriptedModel::new(), "tools.py", "'old'", "'new'"))
}
