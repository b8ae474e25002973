//! [`Bash`]: a command in the session.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::bash_output::{BashOutput, Excerpt};
use super::problem::{of_sandbox, problem};
use crate::agent::{Tool, ToolError, ToolProblemCode, ToolReply, ToolScope, ToolSpec};
use crate::code::RepoPath;
use crate::run::{Interrupted, RunContext};
use crate::sandbox::{ExecEvent, ExecExit, ExecRequest, SandboxError, SandboxSession, TreeLimits};

const MAX_COMMAND_BYTES: usize = 4 << 10;
const MAX_TIMEOUT: Duration = Duration::from_secs(300);
/// Time beyond a command's own for the sandbox to report its end.
const SLACK: Duration = Duration::from_secs(10);
/// Shown of the start and of the end of an output, in characters each.
const SHOWN_CHARS: usize = 5_000;
/// Shown of the start and of the end when the time was over; a problem is escaped and so grows.
const PARTIAL_CHARS: (usize, usize) = (1_500, 2_500);
/// One stream, so that what was printed stays in order; bash when the session has it.
const SCRIPT: &str =
    "if command -v bash >/dev/null 2>&1; then exec bash -c \"$1\" 2>&1; fi; exec sh -c \"$1\" 2>&1";

static SPEC: LazyLock<ToolSpec> = LazyLock::new(|| {
    ToolSpec::of::<Arguments>(
        "bash",
        "Runs a shell command at the root of the checkout, in a sandbox without network. Every call is a fresh shell; \
         files that it writes stay. Long output is cut in the middle and saved to a file.",
    )
});

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The command, at most 4 KB.
    command: String,
    /// After how many seconds it is killed.
    #[schemars(range(min = 1, max = 300), extend("default" = 60))]
    timeout_s: Option<u32>,
}

const USUAL_TIMEOUT_S: u32 = 60;

/// Runs a shell command in the session: `command` (at most 4 KiB), `timeout_s` (default 60, at most 300).
///
/// Every call is a fresh shell at the root of the checkout. Both streams are merged in the order of printing; 10,000
/// characters are shown, half from the start and half from the end, without terminal escapes. When something is cut,
/// all that the sandbox kept (1 MiB by default) is written to `.staso/out/N.txt` in the session, where `N` is the number
/// of the call, unless the checkout has a `.staso` of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bash;

#[async_trait]
impl Tool for Bash {
    fn spec(&self) -> &ToolSpec {
        &SPEC
    }

    async fn call(
        &self,
        arguments: Value,
        scope: &ToolScope<'_>,
        ctx: &RunContext,
    ) -> Result<ToolReply, ToolError> {
        let arguments: Arguments = SPEC.arguments(arguments)?;
        let session = scope.session()?;
        check_command(&arguments.command)?;
        let wanted = Duration::from_secs(u64::from(arguments.timeout_s.unwrap_or(USUAL_TIMEOUT_S).max(1)))
            .min(MAX_TIMEOUT);
        let timeout = wanted.min(scope.time_left);
        if timeout.is_zero() {
            return Err(problem(
                ToolProblemCode::Timeout,
                "no time is left for tools",
                "submit what you have",
            ));
        }
        let request = ExecRequest::new(["sh", "-c", SCRIPT, "sh", &arguments.command])
            .with_env("PAGER", "cat")
            .with_timeout(timeout);
        let (output, exit) = match ctx.bounded(timeout + SLACK, run(session, &request, ctx)).await {
            Ok(ended) => ended.map_err(of_sandbox)?,
            Err(Interrupted::Cancelled) => return Err(ToolError::Cancelled),
            Err(Interrupted::TimedOut { limit_ms }) => {
                return Err(of_sandbox(SandboxError::Timeout { operation: "the command", limit_ms }));
            }
        };
        let (head, tail) = if exit.timed_out { PARTIAL_CHARS } else { (SHOWN_CHARS, SHOWN_CHARS) };
        let excerpt = output.excerpt(head, tail);
        let saved = if excerpt.is_cut() { save(&output, scope.label, session, ctx).await? } else { None };
        reply(&excerpt, exit, timeout, saved.as_deref())
    }
}

fn check_command(command: &str) -> Result<(), ToolError> {
    let bad = |message: &str| {
        problem(ToolProblemCode::BadArgs, message, "write a long script to a file in parts, then run it")
    };
    match () {
        () if command.trim().is_empty() => Err(bad("the command is empty")),
        () if command.len() > MAX_COMMAND_BYTES => Err(bad("the command is longer than 4096 bytes")),
        () if command.contains('\0') => Err(bad("the command holds a null character")),
        () => Ok(()),
    }
}

async fn run(
    session: &dyn SandboxSession,
    request: &ExecRequest,
    ctx: &RunContext,
) -> Result<(BashOutput, ExecExit), SandboxError> {
    let mut stream = session.exec(request, ctx).await?;
    let mut output = BashOutput::default();
    while let Some(event) = stream.next().await {
        match event? {
            ExecEvent::Stdout(bytes) | ExecEvent::Stderr(bytes) => output.add(&bytes),
            ExecEvent::Truncated { bytes } => output.omit(bytes),
            ExecEvent::Exit(exit) => return Ok((output, exit)),
        }
    }
    Err(SandboxError::Closed)
}

/// Writes what was kept where the model can read it; `None` where that would change the repository.
async fn save(
    output: &BashOutput,
    label: &str,
    session: &dyn SandboxSession,
    ctx: &RunContext,
) -> Result<Option<String>, ToolError> {
    let number: String = label.chars().filter(char::is_ascii_digit).take(9).collect();
    let path = format!(".staso/out/{}.txt", if number.is_empty() { "0" } else { &number });
    let Ok(path) = RepoPath::new(path) else { return Ok(None) };
    let tree = session.tree(&TreeLimits::default(), ctx).await.map_err(of_sandbox)?;
    if tree.entries.keys().any(|path| path.components().next() == Some(".staso")) {
        return Ok(None);
    }
    match session.write_file(&path, &output.full(), false, ctx).await {
        Ok(()) => Ok(Some(path.into())),
        Err(SandboxError::Cancelled) => Err(ToolError::Cancelled),
        Err(SandboxError::Closed) => Err(ToolError::Sandbox(SandboxError::Closed)),
        // A full disk or a link in the way: the answer is still worth reading.
        Err(_) => Ok(None),
    }
}

fn reply(
    excerpt: &Excerpt,
    exit: ExecExit,
    timeout: Duration,
    saved: Option<&str>,
) -> Result<ToolReply, ToolError> {
    let text = excerpt.text(saved);
    if exit.timed_out {
        let printed =
            if text.is_empty() { "it printed nothing".to_owned() } else { format!("it printed:\n{text}") };
        let message = format!("the command was killed after {} s; {printed}", timeout.as_secs_f32());
        return Err(problem(
            ToolProblemCode::Timeout,
            message,
            "run less at a time, or set timeout_s (at most 300)",
        ));
    }
    let end = match exit {
        ExecExit { oom: true, .. } => "killed for using too much memory".to_owned(),
        ExecExit { code: Some(code), .. } => format!("exit code {code}"),
        ExecExit { signal: Some(signal), .. } => format!("killed by signal {signal}"),
        ExecExit { .. } => "ended without an exit code".to_owned(),
    };
    let text = if text.is_empty() { "[no output]".to_owned() } else { text };
    Ok(ToolReply::Text(format!("{end}\n{text}")))
}
