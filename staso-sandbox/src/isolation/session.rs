//! Opening a session on this machine.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use staso_core::run::RunContext;
use staso_core::sandbox::{Isolation, IsolationTier, SandboxError, SandboxSession, SandboxSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::cgroup::Cgroups;
use super::helper::effective_ids;
use super::process::HelperProcess;
use super::remedy::unavailable;
use crate::local::LocalSandboxOptions;
use crate::session::wire::{self, Configuration, Decoder, Limits, reply};
use crate::session::{
    AgentSession, Connection, SYSTEM_PATH, TreeCache, backend as backend_failed, check_spec, environment,
    interrupted, invalid,
};

const PROVIDER: &str = "local";
/// How long building a session may take.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// Opens a session, or says why this machine cannot.
pub(crate) async fn open(
    options: &LocalSandboxOptions,
    spec: &SandboxSpec,
    ctx: &RunContext,
) -> Result<Box<dyn SandboxSession>, SandboxError> {
    check_spec(spec)?;
    let built = ctx.bounded(OPEN_LIMIT, build(options, spec)).await;
    let session = built.map_err(|ended| interrupted(ended, "opening a session"))??;
    Ok(Box::new(session))
}

async fn build(options: &LocalSandboxOptions, spec: &SandboxSpec) -> Result<AgentSession, SandboxError> {
    let mut missing = Vec::new();
    let in_memory = spec.limits.disk_bytes.saturating_add(options.tmp_bytes.saturating_mul(5) / 4);
    let (limits, checkout, wanted) = (spec.limits.clone(), spec.checkout.clone(), spec.min_tier);
    let started = tokio::task::spawn_blocking(move || {
        if !checkout.as_os_str().is_empty() && !checkout.is_dir() {
            let reason = format!("the checkout {} is no directory", checkout.display());
            return Err(invalid("open a session", reason));
        }
        let (mut helper, socket) = HelperProcess::start().map_err(|error| match error.kind() {
            std::io::ErrorKind::Unsupported => unavailable(wanted, &error.to_string(), None),
            _ => backend("starting the helper", error),
        })?;
        // The kernel loads the helper meanwhile.
        let cgroups = Cgroups::create(&limits, in_memory, &mut missing);
        let (oom, joins) = (cgroups.oom_watch(), cgroups.join_files());
        helper.outlive(cgroups);
        Ok((helper, socket, oom, joins, missing))
    });
    let (helper, socket, oom, joins, mut missing) =
        started.await.map_err(|error| backend("starting the helper", error))??;
    let mut socket = UnixStream::from_std(socket).map_err(|error| backend("starting the helper", error))?;
    let configuration = configuration(options, spec, &joins);
    missing.extend(handshake(&mut socket, &configuration, spec.min_tier).await?);
    let (gone, stop) = (helper.gone(), CancellationToken::new());
    let (reading, writing) = socket.into_split();
    let connection = Arc::new(Connection::start(reading, writing, helper, stop.clone()));
    let isolation = Isolation::new(IsolationTier::Full, spec.limits.clone()).with_missing(missing);
    let tools =
        options.mounts.iter().filter_map(|mount| mount.inside.join("bin").to_str().map(str::to_owned));
    let path: Vec<String> = tools.chain([SYSTEM_PATH.to_owned()]).collect();
    let env = environment(path.join(":"), spec);
    Ok(AgentSession {
        provider: PROVIDER,
        isolation,
        env,
        connection,
        oom: Arc::new(oom),
        gone,
        tree: TreeCache::default(),
        stop,
    })
}

fn configuration(
    options: &LocalSandboxOptions,
    spec: &SandboxSpec,
    joins: &[std::path::PathBuf],
) -> Configuration {
    let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
    let (uid, gid) = effective_ids();
    let privileged = uid == 0;
    let (host_uid, host_gid) = if privileged { options.session_user } else { (uid, gid) };
    let limits = &spec.limits;
    Configuration {
        host_pid: std::process::id(),
        privileged,
        host_uid,
        host_gid,
        checkout: bytes(&spec.checkout),
        cgroups: joins.iter().map(|path| bytes(path)).collect(),
        mounts: options.mounts.iter().map(|mount| (bytes(&mount.host), bytes(&mount.inside))).collect(),
        limits: Limits {
            data_bytes: limits.memory_bytes,
            pids: u64::from(limits.pids),
            cpu_seconds: limits.cpu_seconds,
            disk_bytes: limits.disk_bytes,
            tmp_bytes: options.tmp_bytes,
            open_files: options.open_files,
        },
    }
}

/// Sends the configuration and waits for the helper to be ready; gives the protections that are missing.
async fn handshake(
    socket: &mut UnixStream,
    configuration: &Configuration,
    wanted: IsolationTier,
) -> Result<Vec<String>, SandboxError> {
    let failed = |error| backend("starting the helper", error);
    socket.write_all(&configuration.encode()).await.map_err(failed)?;
    let mut buffer = Vec::new();
    loop {
        let frame = wire::split_frame(&buffer).map_err(|_| SandboxError::Closed)?;
        if let Some(frame) = frame {
            let mut body = Decoder::new(frame.body);
            return match frame.kind {
                reply::READY => {
                    let missing = body.list().unwrap_or_default();
                    Ok(missing.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect())
                }
                reply::FAILED => Err(refused_session(&mut body, wanted)),
                _ => Err(SandboxError::Closed),
            };
        }
        if socket.read_buf(&mut buffer).await.map_err(failed)? == 0 {
            return Err(unavailable(wanted, "the helper ended while it built the session", None));
        }
    }
}

fn refused_session(body: &mut Decoder<'_>, wanted: IsolationTier) -> SandboxError {
    let step = body.bytes().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    let errno = body.u32().and_then(|number| i32::try_from(number).ok());
    unavailable(wanted, &step, errno)
}

fn backend(
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SandboxError {
    backend_failed(PROVIDER, operation, source)
}
