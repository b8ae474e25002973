//! Git as a command, for building the demo's repositories.
//!
//! It reads no configuration of the user or the machine, runs no hooks and asks no questions.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::environment::Environment;

/// Longest time for one git command.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest part of git's complaint that is repeated, in characters.
const MAX_COMPLAINT_CHARS: usize = 500;
/// All commits of the demo are made at this time, so that they get the same ids every time.
const COMMIT_TIME: &str = "2026-04-08T09:00:00Z";

/// A git command did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// Git could not be started.
    #[error("cannot run git: is it installed and in PATH?")]
    NotStarted(#[source] std::io::Error),
    /// Git did not end in time.
    #[error("git {command} took longer than {} s", TIMEOUT.as_secs())]
    TimedOut {
        /// What it was asked to do.
        command: String,
    },
    /// Git refused.
    #[error("git {command} failed: {complaint}")]
    Failed {
        /// What it was asked to do.
        command: String,
        /// The beginning of what it said.
        complaint: String,
    },
}

/// Runs git commands.
#[derive(Debug, Clone)]
pub struct Git {
    environment: Environment,
}

impl Git {
    /// Finds git through the `PATH` of `environment`.
    #[must_use]
    pub const fn new(environment: Environment) -> Self {
        Self { environment }
    }

    /// Runs git in `directory` and returns what it printed, without the last line break.
    ///
    /// # Errors
    /// When git cannot be started, takes longer than 60 s, or fails.
    pub async fn run(&self, directory: &Path, arguments: &[&str]) -> Result<String, GitError> {
        let command = arguments.first().copied().unwrap_or_default().to_owned();
        let output = self.command(directory, arguments).output();
        let output = tokio::time::timeout(TIMEOUT, output)
            .await
            .map_err(|_| GitError::TimedOut { command: command.clone() })?
            .map_err(GitError::NotStarted)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        let complaint =
            String::from_utf8_lossy(&output.stderr).trim().chars().take(MAX_COMPLAINT_CHARS).collect();
        Err(GitError::Failed { command, complaint })
    }

    fn command(&self, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .args(["-c", "core.hooksPath=/dev/null", "-c", "init.templateDir=", "-c", "commit.gpgSign=false"])
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("PATH", &self.environment.path)
            .env("HOME", "/nonexistent")
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "Fjord Outfitters")
                .env(format!("GIT_{role}_EMAIL"), "dev@fjord-outfitters.example")
                .env(format!("GIT_{role}_DATE"), COMMIT_TIME);
        }
        command
    }
}
