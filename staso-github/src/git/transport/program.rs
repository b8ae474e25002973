//! Running the git program, for the network alone.
//!
//! It runs without the user's and the system's configuration, without hooks, helpers, prompts, submodules and LFS, may
//! speak one protocol, and dies with all its children when nobody waits for it any more. Credentials stand in its
//! environment, as a header for one origin, and nowhere else.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use staso_core::run::{Interrupted, RunContext};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::complaint::{Complaint, Scrubber};
use super::{Remote, TransportError};
use crate::{environment, platform};

/// Output that is read of one call, in bytes: the names of about half a million branches.
const OUTPUT_BYTES: usize = 32 << 20;
/// Complaints that are kept of one call, in bytes. The end counts.
const COMPLAINT_BYTES: usize = 64 << 10;
/// How often the caller is asked whether to go on.
const WATCH: Duration = Duration::from_millis(250);
/// How long a killed git may take to be gone.
const GRACE: Duration = Duration::from_secs(1);

/// Settings that hold for every call, over those of the repository.
const SETTINGS: [&str; 25] = [
    "protocol.allow=never",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.sshCommand=false",
    "core.gitProxy=",
    "core.alternateRefsCommand=",
    "core.attributesFile=/dev/null",
    "credential.helper=",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "push.recurseSubmodules=no",
    "push.gpgSign=false",
    "push.followTags=false",
    // One pack a fetch: half-received objects are then one file, and the size of a repository is that of its packs.
    "fetch.unpackLimit=1",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.version=2",
    "transfer.bundleURI=false",
    "http.followRedirects=false",
    "http.sslVerify=true",
    "http.emptyAuth=false",
    "http.cookieFile=",
    "http.lowSpeedLimit=100",
    "http.lowSpeedTime=60",
];

/// A call of the git program.
#[derive(Debug)]
pub(crate) struct GitCall<'a> {
    /// Whom it speaks to, and as whom; `None` for work on this machine.
    pub(crate) remote: Option<Remote<'a>>,
    /// Settings of this call, as `name=value`. Everyone on this machine can read them.
    pub(crate) settings: Vec<String>,
    /// Arguments. Addresses and references are checked types; nothing here can be read as an option by accident.
    pub(crate) arguments: Vec<String>,
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
    /// What it complained about.
    pub(crate) complaint: Complaint,
}

impl GitAnswer {
    /// The answer, unless git was not content.
    pub(crate) fn accepted(self) -> Result<Self, TransportError> {
        if self.success { Ok(self) } else { Err(self.complaint.failure()) }
    }
}

/// Runs git in the bare repository `directory`, or in none. `watch` is asked again and again whether to go on.
pub(crate) async fn run(
    call: &GitCall<'_>,
    directory: Option<&Path>,
    ctx: &RunContext,
    watch: impl Fn() -> Result<(), TransportError>,
) -> Result<GitAnswer, TransportError> {
    if ctx.is_cancelled() {
        return Err(TransportError::Cancelled);
    }
    let child = command(call, directory).spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => TransportError::no_git(),
        _ => TransportError::Failed { reason: format!("git could not be started: {error}") },
    })?;
    let mut group = ProcessGroup(child);
    let ended = ctx.bounded(call.limit, watched(&mut group, watch)).await;
    let finished = match ended {
        Ok(Ok(finished)) => finished,
        Ok(Err(error)) => {
            group.stop(ctx).await;
            return Err(error);
        }
        Err(interrupted) => {
            group.stop(ctx).await;
            return Err(interrupted.into());
        }
    };
    let status = finished.status.map_err(|error| TransportError::Failed { reason: error.to_string() })?;
    let credentials = call.remote.and_then(|remote| remote.credentials);
    let complaint = Complaint::new(
        String::from_utf8_lossy(&finished.complaint).into_owned(),
        credentials.is_some(),
        Scrubber::new(credentials, ctx.redactor()),
    );
    if finished.output.len() > OUTPUT_BYTES {
        let limit = format!("{OUTPUT_BYTES} bytes");
        return Err(TransportError::TooLarge { what: "the list of branches".to_owned(), limit });
    }
    let output = String::from_utf8_lossy(&finished.output).into_owned();
    Ok(GitAnswer { success: status.success(), output, complaint })
}

/// What became of a child.
struct Finished {
    output: Vec<u8>,
    complaint: Vec<u8>,
    status: io::Result<ExitStatus>,
}

async fn watched(
    group: &mut ProcessGroup,
    watch: impl Fn() -> Result<(), TransportError>,
) -> Result<Finished, TransportError> {
    let (stdout, stderr) = (group.0.stdout.take(), group.0.stderr.take());
    let work = async {
        let (output, complaint, status) = tokio::join!(beginning(stdout), end(stderr), group.0.wait());
        Finished { output, complaint, status }
    };
    tokio::pin!(work);
    let mut ticks = tokio::time::interval(WATCH);
    loop {
        tokio::select! {
            finished = &mut work => {
                watch()?;
                return Ok(finished);
            }
            _ = ticks.tick() => watch()?,
        }
    }
}

fn command(call: &GitCall<'_>, directory: Option<&Path>) -> Command {
    let mut command = Command::new("git");
    let on_this_machine = call.remote.is_none_or(|remote| remote.address.is_local());
    command.env_clear().envs(environment::for_git(on_this_machine));
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    if let Some(remote) = &call.remote {
        command.args(["-c", &format!("protocol.{}.allow=always", remote.address.scheme())]);
        command.envs(header(remote));
    }
    for setting in &call.settings {
        command.args(["-c", setting]);
    }
    // Naming a directory that is none keeps git from looking for a repository around it.
    command.arg("--git-dir").arg(directory.unwrap_or(Path::new("/dev/null"))).args(&call.arguments);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    platform::lead_tree(&mut command);
    command
}

/// The credentials, as variables that give git one more setting: a header for requests to this origin alone.
fn header(remote: &Remote<'_>) -> Vec<(&'static str, OsString)> {
    let Some(credentials) = remote.credentials.filter(|_| remote.address.scheme() != "file") else {
        return Vec::new();
    };
    let pair = format!("{}:{}", credentials.username, credentials.password.expose_secret());
    vec![
        ("GIT_CONFIG_COUNT", "1".into()),
        ("GIT_CONFIG_KEY_0", format!("http.{}/.extraHeader", remote.address.origin()).into()),
        ("GIT_CONFIG_VALUE_0", format!("Authorization: Basic {}", STANDARD.encode(pair)).into()),
    ]
}

/// A child that leads a process group of its own; dropping it before it ended kills the group.
struct ProcessGroup(Child);

impl ProcessGroup {
    /// Kills the group and waits until its leader is gone, so that nobody writes into the repository any more.
    async fn stop(mut self, ctx: &RunContext) {
        self.kill();
        tokio::select! {
            _ = self.0.wait() => {}
            () = ctx.clock().sleep(GRACE) => tracing::warn!("git was killed and is not gone yet"),
        }
    }

    fn kill(&mut self) {
        if let Err(error) = platform::kill_tree(&mut self.0) {
            tracing::debug!(%error, "git was gone before it could be stopped");
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads to the end, so that git never blocks on a full pipe, and keeps the beginning: one byte more than is allowed
/// tells that there was more.
async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let Some(mut stream) = stream else { return Vec::new() };
    let mut kept = Vec::new();
    let most = u64::try_from(OUTPUT_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let read = (&mut stream).take(most).read_to_end(&mut kept).await;
    let rest = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    if read.is_err() || rest.is_err() {
        tracing::debug!("a stream of git broke");
    }
    kept
}

/// Reads to the end and keeps the end: what went wrong stands there.
async fn end(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let Some(mut stream) = stream else { return Vec::new() };
    let mut kept = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut kept).await {
        if kept.len() > 2 * COMPLAINT_BYTES {
            kept.drain(..kept.len() - COMPLAINT_BYTES);
        }
    }
    kept
}

impl From<Interrupted> for TransportError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Cancelled => Self::Cancelled,
            Interrupted::TimedOut { limit_ms } => Self::TimedOut { limit_ms },
        }
    }
}
