//! One run of the support agent, as a process of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::environment::Environment;

/// Longest time for one run.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// Output kept of each stream, in bytes.
const MAX_OUTPUT_BYTES: u64 = 1 << 20;

/// How a run of the agent ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRun {
    /// The exit code; `None` when it was killed.
    pub exit_code: Option<i32>,
    /// What it printed: the reply to the ticket.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
    /// How long it took.
    pub duration: Duration,
}

/// The agent could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// Python could not be started.
    #[error("cannot run python3: is it installed and in PATH?")]
    NotStarted(#[source] std::io::Error),
    /// Its output could not be read.
    #[error("lost the agent process")]
    Lost(#[source] std::io::Error),
    /// It did not end in time and was killed.
    #[error("the agent took longer than {} s and was killed", TIMEOUT.as_secs())]
    TimedOut,
}

impl AgentRun {
    /// Whether the ticket was answered.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.exit_code == Some(0)
    }

    /// The last line of its complaint: the exception and its message.
    #[must_use]
    pub fn complaint(&self) -> &str {
        self.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default()
    }
}

/// Lets the agent in `directory` answer a ticket. Spans go to `sink`, the base URL of an ingest; without one the agent
/// records nothing. Dropping the future kills the process.
///
/// # Errors
/// When Python cannot be started, or the agent does not end within [`TIMEOUT`].
pub async fn answer_ticket(
    directory: &Path,
    ticket: &str,
    sink: Option<&str>,
    environment: &Environment,
) -> Result<AgentRun, AgentError> {
    let began = Instant::now();
    let child = command(directory, ticket, sink, environment).spawn().map_err(AgentError::NotStarted)?;
    let (exit_code, stdout, stderr) = tokio::time::timeout(TIMEOUT, outcome(child))
        .await
        .map_err(|_| AgentError::TimedOut)?
        .map_err(AgentError::Lost)?;
    Ok(AgentRun { exit_code, stdout, stderr, duration: began.elapsed() })
}

fn command(directory: &Path, ticket: &str, sink: Option<&str>, environment: &Environment) -> Command {
    let mut command = Command::new("python3");
    command
        .args(["-m", "support", ticket])
        .current_dir(directory)
        .env_clear()
        .env("PATH", &environment.path)
        .env("HOME", &environment.home)
        .env("LANG", "C.UTF-8")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs(sink.map(|url| ("STASO_BASE_URL", url)))
        .env("STASO_API_KEY", "demo")
        .env("STASO_ENVIRONMENT", "demo")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn outcome(mut child: Child) -> std::io::Result<(Option<i32>, String, String)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr, status) = tokio::try_join!(text(stdout), text(stderr), child.wait())?;
    Ok((status.code(), stdout, stderr))
}

/// The beginning of a stream. The rest is read too, or the process would wait for its reader.
async fn text(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        (&mut stream).take(MAX_OUTPUT_BYTES).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}
