//! The git program, for the network alone.
//!
//! It runs without the user's and the system's configuration, without hooks, helpers, prompts, submodules and LFS, may
//! speak one protocol, and dies with all its children when nobody waits for it any more.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use staso_core::run::RunContext;
use staso_core::vcs::VcsError;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::{blocking, environment, error};

/// Output that is kept of one call, in bytes.
const OUTPUT_BYTES: u64 = 1 << 20;
/// Characters of git's own words in an error.
const MESSAGE_CHARS: usize = 500;

/// Settings that hold for every call, over those of the mirror.
const SETTINGS: [&str; 12] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.sshCommand=false",
    "credential.helper=",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    // One pack a fetch: half-received objects are then one file, and the size of a mirror is that of its packs.
    "fetch.unpackLimit=1",
    "gc.auto=0",
    "maintenance.auto=false",
    "http.lowSpeedLimit=100",
    "http.lowSpeedTime=60",
];

/// A call of the git program.
#[derive(Debug)]
pub(crate) struct GitCall<'a> {
    /// What it is for, as errors say it.
    pub(crate) operation: &'static str,
    /// The one protocol it may speak: `https` or `file`.
    pub(crate) protocol: &'a str,
    /// Arguments. Addresses and references are checked types; nothing here can be read as an option by accident.
    pub(crate) arguments: Vec<&'a str>,
    /// Longest time.
    pub(crate) limit: Duration,
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct GitAnswer {
    /// Whether git was content.
    pub(crate) success: bool,
    /// What it printed.
    pub(crate) output: String,
    /// What it complained about: control characters removed, cut.
    pub(crate) complaint: String,
}

/// Runs git in the bare repository `directory`. `watch` is asked again and again whether to go on.
pub(crate) async fn run(
    call: &GitCall<'_>,
    directory: &Path,
    ctx: &RunContext,
    watch: impl Fn() -> Result<(), VcsError>,
) -> Result<GitAnswer, VcsError> {
    let child = command(call, directory).spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => error::backend(call.operation, "the git program is not installed"),
        _ => error::backend(call.operation, error),
    })?;
    let mut group = ProcessGroup(child);
    let finished = async {
        let (stdout, stderr) = (group.0.stdout.take(), group.0.stderr.take());
        let work = async { tokio::join!(read(stdout), read(stderr), group.0.wait()) };
        tokio::pin!(work);
        let mut ticks = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                ended = &mut work => break Ok::<_, VcsError>(ended),
                _ = ticks.tick() => watch()?,
            }
        }
    };
    let (output, complaint, status) = ctx
        .bounded(call.limit, finished)
        .await
        .map_err(|interrupted| blocking::interruption(call.operation, interrupted))??;
    let status = status.map_err(|error| error::backend(call.operation, error))?;
    Ok(GitAnswer { success: status.success(), output, complaint: readable(&complaint) })
}

fn command(call: &GitCall<'_>, directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.env_clear().envs(environment::for_git());
    for (name, value) in [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_LFS_SKIP_SMUDGE", "1"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("LC_ALL", "C"),
    ] {
        command.env(name, value);
    }
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command.args(["-c", "protocol.allow=never", "-c", &format!("protocol.{}.allow=always", call.protocol)]);
    command.arg("--git-dir").arg(directory).args(&call.arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    command
}

/// A child that leads a process group of its own; dropping it before it ended kills the group.
struct ProcessGroup(Child);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // A child that was waited for has no id any more, so the number cannot belong to a stranger.
        let leader = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader
            && let Err(error) = kill_process_group(leader, Signal::KILL)
        {
            tracing::debug!(%error, "git was gone before it could be stopped");
        }
    }
}

/// Reads to the end, but keeps only the beginning, so that git never blocks on a full pipe.
async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let read = (&mut stream).take(OUTPUT_BYTES).read_to_end(&mut kept).await;
    let rest = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    if read.is_err() || rest.is_err() {
        tracing::debug!("a stream of git broke");
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// What a remote says goes to people's terminals and logs.
fn readable(text: &str) -> String {
    let text = text.trim();
    let start = text.char_indices().rev().nth(MESSAGE_CHARS).map_or(0, |(at, _)| at);
    let end = text.get(start..).unwrap_or_default();
    end.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
