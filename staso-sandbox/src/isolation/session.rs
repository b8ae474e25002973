//! Opening a session on this machine.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use staso_core::run::RunContext;
use staso_core::sandbox::{Isolation, IsolationTier, SandboxError, SandboxSession, SandboxSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use super::cgroup::{Cgroups, OomWatch};
use super::directory::SessionDirectory;
use super::helper::effective_ids;
use super::process::HelperProcess;
use super::remedy::unavailable;
use crate::local::LocalSandboxOptions;
use crate::session::wire::{self, Configuration, Decoder, Limits, reply, tier};
use crate::session::{
    AgentSession, Connection, SYSTEM_PATH, TreeCache, backend as backend_failed, check_spec, environment,
    interrupted, invalid,
};
use crate::toolchain::{Found, Lacking, ReadOnlyMount, Reader};

const PROVIDER: &str = "local";
/// How long building a session may take.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
const CLOSE_LIMIT: Duration = Duration::from_millis(1900);

/// The tiers that a machine can give by itself, strongest first.
const TIERS: [IsolationTier; 3] = [IsolationTier::Full, IsolationTier::LandlockOnly, IsolationTier::None];

/// Opens a session in the strongest tier that this machine gives, or says why it gives none that the caller accepts.
pub(crate) async fn open(
    options: &LocalSandboxOptions,
    found: &Found,
    spec: &SandboxSpec,
    ctx: &RunContext,
) -> Result<Box<dyn SandboxSession>, SandboxError> {
    check_spec(spec)?;
    let wanted = spec.min_tier;
    let accepted = TIERS.into_iter().filter(|tier| (options.strongest_tier..=wanted).contains(tier));
    let mut refused: Vec<(IsolationTier, String, String)> = Vec::new();
    for tier in accepted {
        let built = ctx.bounded(OPEN_LIMIT, build(options, found, spec, tier, &refused)).await;
        match built.map_err(|ended| interrupted(ended, "opening a session"))? {
            Ok(session) => return Ok(Box::new(session)),
            Err(SandboxError::Unavailable { reason, remedy, .. }) => refused.push((tier, reason, remedy)),
            Err(error) => return Err(error),
        }
    }
    Err(refused_by_all(wanted, refused))
}

/// Why there is no session, and what would give the strongest.
fn refused_by_all(wanted: IsolationTier, refused: Vec<(IsolationTier, String, String)>) -> SandboxError {
    let reason = match refused.as_slice() {
        [] => "the host's own options allow no tier as strong as that".to_owned(),
        [(_, reason, _)] => reason.clone(),
        several => {
            let each = several.iter().map(|(tier, reason, _)| format!("{}: {reason}", tier_name(*tier)));
            each.collect::<Vec<_>>().join("; ")
        }
    };
    let remedy = refused.into_iter().next().map_or_else(
        || "raise the strongest tier of the sandbox's options, or accept a weaker one".to_owned(),
        |(_, _, remedy)| remedy,
    );
    SandboxError::Unavailable { wanted, reason, remedy }
}

const fn tier_name(tier: IsolationTier) -> &'static str {
    match tier {
        IsolationTier::Full => "full isolation",
        IsolationTier::Container => "a container",
        IsolationTier::LandlockOnly => "Landlock alone",
        IsolationTier::None => "a plain process",
    }
}

/// A helper that was started and told what to build.
struct Started {
    helper: HelperProcess,
    socket: std::os::unix::net::UnixStream,
    oom: OomWatch,
    configuration: Configuration,
    /// What the helper was not told yet.
    untold: Vec<u8>,
    missing: Vec<String>,
}

async fn build(
    options: &LocalSandboxOptions,
    found: &Found,
    spec: &SandboxSpec,
    tier: IsolationTier,
    refused: &[(IsolationTier, String, String)],
) -> Result<AgentSession, SandboxError> {
    let (own_options, own_found, own_spec) = (options.clone(), found.clone(), spec.clone());
    let started = tokio::task::spawn_blocking(move || start(&own_options, &own_found, &own_spec, tier)).await;
    let started = started.map_err(|error| backend("starting the helper", error))??;
    let Started { helper, socket, oom, configuration, untold, missing } = started;
    let mut socket = UnixStream::from_std(socket).map_err(|error| backend("starting the helper", error))?;
    let ready = handshake(&mut socket, &untold, spec.min_tier).await?;
    let (gone, stop) = (helper.gone(), CancellationToken::new());
    let (reading, writing) = socket.into_split();
    let connection = Arc::new(Connection::start(reading, writing, helper, None, stop.clone()));
    let stronger = refused.iter().map(|(tier, reason, remedy)| {
        format!("{} was refused: {reason}; to have it, {remedy}", tier_name(*tier))
    });
    let missing = stronger.chain(missing).chain(ready.missing).collect();
    let isolation = Isolation::new(tier, spec.limits.clone())
        .with_missing(missing)
        .with_landlock_abi((ready.landlock_abi > 0).then_some(ready.landlock_abi));
    Ok(AgentSession {
        provider: PROVIDER,
        isolation,
        env: session_environment(found, spec, &configuration),
        connection,
        oom: Arc::new(oom),
        gone,
        tree: TreeCache::default(),
        close_limit: CLOSE_LIMIT,
        stop,
    })
}

fn start(
    options: &LocalSandboxOptions,
    found: &Found,
    spec: &SandboxSpec,
    tier: IsolationTier,
) -> Result<Started, SandboxError> {
    if !spec.checkout.as_os_str().is_empty() && !spec.checkout.is_dir() {
        let reason = format!("the checkout {} is no directory", spec.checkout.display());
        return Err(invalid("open a session", reason));
    }
    let directory = if tier == IsolationTier::Full { None } else { Some(session_directory(options, spec)?) };
    // Only with mounts of its own is what a session writes in memory.
    let in_memory = match &directory {
        Some(_) => 0,
        None => spec.limits.disk_bytes.saturating_add(options.tmp_bytes.saturating_mul(5) / 4),
    };
    let place = directory.as_ref().map(|directory| directory.path().to_owned());
    let (mut helper, socket) = HelperProcess::start(directory).map_err(|error| match error.kind() {
        std::io::ErrorKind::Unsupported => unavailable(spec.min_tier, &error.to_string(), None),
        _ => backend("starting the helper", error),
    })?;
    // The kernel loads the helper meanwhile.
    let mut missing = out_of_reach(options, found, tier);
    let cgroups = Cgroups::create(&spec.limits, in_memory, &mut missing);
    let oom = cgroups.oom_watch();
    let configuration = configuration(options, found, spec, tier, &cgroups, place.as_deref());
    helper.outlive(cgroups);
    // What fits into the socket, which is nearly always all of it, need not wait for another thread.
    let mut untold = configuration.encode();
    if let Ok(told) = (&socket).write(&untold) {
        untold.drain(..told);
    }
    Ok(Started { helper, socket, oom, configuration, untold, missing })
}

/// Refuses a mount with anything that sessions could not read.
pub(crate) fn check_readable(options: &LocalSandboxOptions, mount: &ReadOnlyMount) -> Result<(), Lacking> {
    reader(options).map_or(Ok(()), |reader| reader.check(mount))
}

/// Who reads in sessions, where that is not the host's own user.
fn reader(options: &LocalSandboxOptions) -> Option<Reader> {
    let (uid, gid) = options.session_user;
    (effective_ids().0 == 0).then_some(Reader { uid, gid })
}

/// Tools that sessions cannot get at where the host has them. What is mounted can be reached.
fn out_of_reach(options: &LocalSandboxOptions, found: &Found, tier: IsolationTier) -> Vec<String> {
    let reader = reader(options).filter(|_| tier != IsolationTier::Full);
    let closed = reader.into_iter().flat_map(|reader| {
        let stops = move |mount| Some((mount, reader.stopped_at(mount)?));
        found.mounts.iter().filter_map(stops)
    });
    let sentence = |(mount, above): (&ReadOnlyMount, std::path::PathBuf)| {
        format!(
            "commands cannot reach {}: {} is closed to user {} (`chmod o+x` opens it)",
            mount.host.display(),
            above.display(),
            options.session_user.0
        )
    };
    closed.map(sentence).collect()
}

fn session_directory(
    options: &LocalSandboxOptions,
    spec: &SandboxSpec,
) -> Result<SessionDirectory, SandboxError> {
    let parent = options.directory.clone().unwrap_or_else(std::env::temp_dir);
    SessionDirectory::create(&parent)
        .map_err(|error| unavailable(spec.min_tier, "make the session's directory", error.raw_os_error()))
}

fn configuration(
    options: &LocalSandboxOptions,
    found: &Found,
    spec: &SandboxSpec,
    tier: IsolationTier,
    cgroups: &Cgroups,
    directory: Option<&Path>,
) -> Configuration {
    let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
    let (uid, gid) = effective_ids();
    let privileged = uid == 0;
    let (host_uid, host_gid) = if privileged { options.session_user } else { (uid, gid) };
    let limits = &spec.limits;
    // Without a user namespace the kernel counts all processes of the user: a control group counts better.
    let counted = directory.is_some() && cgroups.bounds_pids();
    Configuration {
        tier: match tier {
            IsolationTier::Full | IsolationTier::Container => tier::FULL,
            IsolationTier::LandlockOnly => tier::LANDLOCK_ONLY,
            IsolationTier::None => tier::NONE,
        },
        landlock_most: options.landlock_most.unwrap_or(u32::MAX),
        directory: directory.map(bytes).unwrap_or_default(),
        host_pid: std::process::id(),
        privileged,
        host_uid,
        host_gid,
        checkout: bytes(&spec.checkout),
        cgroups: cgroups.join_files().iter().map(|path| bytes(path)).collect(),
        mounts: found.mounts.iter().map(|mount| (bytes(&mount.host), bytes(&mount.inside))).collect(),
        limits: Limits {
            data_bytes: limits.memory_bytes,
            pids: if counted { 0 } else { u64::from(limits.pids) },
            cpu_seconds: limits.cpu_seconds,
            disk_bytes: limits.disk_bytes,
            tmp_bytes: options.tmp_bytes,
            open_files: options.open_files,
            silence_ms: 0,
        },
    }
}

/// The variables of every command. Where nothing is mounted, things are where the host has them.
fn session_environment(
    found: &Found,
    spec: &SandboxSpec,
    configuration: &Configuration,
) -> BTreeMap<String, String> {
    let mounted = configuration.tier == tier::FULL;
    let places = found.path.iter().map(|place| if mounted { &place.inside } else { &place.host });
    let tools = places.filter_map(|place| place.to_str().map(str::to_owned));
    let path: Vec<String> = tools.chain([SYSTEM_PATH.to_owned()]).collect();
    let mut env = environment(path.join(":"), spec);
    for (key, value) in &found.env {
        env.entry(key.clone()).or_insert_with(|| value.clone());
    }
    if !mounted {
        let tmp = format!("{}/tmp", String::from_utf8_lossy(&configuration.directory));
        for (key, value) in [("HOME", format!("{tmp}/home")), ("TMPDIR", tmp)] {
            if !spec.env.contains_key(key) {
                env.insert(key.to_owned(), value);
            }
        }
    }
    env
}

/// What the helper said when the session was built.
struct Ready {
    missing: Vec<String>,
    landlock_abi: u32,
}

/// Sends the rest of the configuration and waits for the helper to be ready.
async fn handshake(
    socket: &mut UnixStream,
    untold: &[u8],
    wanted: IsolationTier,
) -> Result<Ready, SandboxError> {
    let failed = |error| backend("starting the helper", error);
    socket.write_all(untold).await.map_err(failed)?;
    let mut buffer = Vec::new();
    loop {
        let frame = wire::split_frame(&buffer).map_err(|_| SandboxError::Closed)?;
        if let Some(frame) = frame {
            let mut body = Decoder::new(frame.body);
            return match frame.kind {
                reply::READY => {
                    // Nothing follows but that the helper could not keep its word.
                    let rest = buffer.get(frame.length..).unwrap_or_default();
                    if let Ok(Some(late)) = wire::split_frame(rest) {
                        return Err(refused_session(&mut Decoder::new(late.body), wanted));
                    }
                    let missing = body.list().unwrap_or_default();
                    let missing = missing.iter().map(|line| String::from_utf8_lossy(line).into_owned());
                    Ok(Ready { missing: missing.collect(), landlock_abi: body.u32().unwrap_or(0) })
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
