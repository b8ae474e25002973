//! The tools of agents, over sessions in memory.

mod bash;
mod list_files;
mod read_file;
mod schema;
mod search_code;

use std::time::Duration;

use serde_json::{Value, json};
use staso_core::agent::{Shown, Tool, ToolError, ToolProblem, ToolReply, ToolScope};
use staso_core::code::RepoPath;
use staso_core::run::RunContext;
use staso_core::sandbox::{Sandbox as _, SandboxSession, SandboxSpec};
use staso_core::testing::{MemorySandbox, ScriptedExec, SessionFiles, test_context};

/// A session in memory and what a call needs beside.
struct Bench {
    session: Box<dyn SandboxSession>,
    ctx: RunContext,
    shown: Shown,
}

impl Bench {
    async fn new(files: &[(&str, &str)]) -> Self {
        Self::over(MemorySandbox::new(session_files(files))).await
    }

    /// A session that says that its checkout is at `/workspace`.
    async fn over(sandbox: MemorySandbox) -> Self {
        let sandbox = sandbox.with_answer(|argv| argv == ["pwd"], ScriptedExec::new(0, "/workspace\n"));
        let ctx = test_context();
        let session = sandbox.open(&SandboxSpec::new("/x"), &ctx).await.unwrap();
        Self { session, ctx, shown: Shown::default() }
    }

    async fn call(&self, tool: &dyn Tool, arguments: Value) -> Result<String, ToolError> {
        let scope =
            ToolScope::new("t7", &self.shown, Duration::from_secs(600)).with_session(Some(&*self.session));
        match tool.call(arguments, &scope, &self.ctx).await? {
            ToolReply::Text(text) => Ok(text),
            other => panic!("this tool ends nothing: {other:?}"),
        }
    }

    async fn text(&self, tool: &dyn Tool, arguments: Value) -> String {
        self.call(tool, arguments).await.unwrap()
    }

    async fn problem(&self, tool: &dyn Tool, arguments: Value) -> ToolProblem {
        match self.call(tool, arguments.clone()).await {
            Err(ToolError::Problem(problem)) => problem,
            other => panic!("{arguments} must be a problem: {other:?}"),
        }
    }

    /// Code, message and hint of a problem, one line each.
    async fn problem_text(&self, tool: &dyn Tool, arguments: Value) -> String {
        let ToolProblem { code, message, hint } = self.problem(tool, arguments).await;
        format!("{}\n{message}\n{hint}", json!(code))
    }
}

fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

fn session_files(files: &[(&str, &str)]) -> SessionFiles {
    files.iter().map(|(name, content)| (path(name), content.as_bytes().to_vec())).collect()
}

const PROJECT: [(&str, &str); 6] = [
    (".gitignore", "*.log\nbuild/\n"),
    ("README.md", "# Orders\n"),
    (
        "src/orders/total.py",
        "def total(order):\n    return order[\"total_amount\"]\n\n\ndef tax(order):\n    return 0\n",
    ),
    ("src/orders/refund.py", "from .total import total\n\n\ndef refund(order):\n    return -total(order)\n"),
    ("src/app.py", "import orders\n"),
    ("tests/test_total.py", "from orders.total import total\n"),
];
