//! From an image to a session.

use std::env::consts;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use staso_core::sandbox::{Isolation, IsolationTier, SandboxError, SandboxSpec};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::checkout::{Checkout, Size};
use super::engine::{self, Client, Engine, Maker};
use super::guard::Container;
use super::options::ContainerOptions;
use super::output::Output;
use super::refusal::{PROVIDER, no_agent, other_runtime, unavailable};
use super::{owner, recipe};
use crate::program::PROGRAM;
use crate::session::wire::{self, Configuration, Decoder, Encoder, Limits, reply, request, tier};
use crate::session::{AgentSession, Connection, NoOomWatch, TreeCache, backend, environment};

/// Pieces of the checkout that were read and wait to be sent.
const PIECES_AHEAD: usize = 16;

/// How often the host says that it is there, in the time that it may be silent for.
const PINGS_IN_SILENCE: u64 = 6;

/// How long an engine may take to remove a container; one with much to do takes seconds.
const CLOSE_LIMIT: Duration = Duration::from_secs(15);

/// What Podman cannot be asked for.
const FILES_COUNTED: &str = "files in the checkout are counted now and then, elsewhere memory bounds them: Podman sets file systems no limit";

type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// Opens a session. May be dropped at any point: what was made by then is removed.
pub(super) async fn open(
    engine: &Engine,
    options: &ContainerOptions,
    spec: &SandboxSpec,
) -> Result<AgentSession, SandboxError> {
    if PROGRAM.is_empty() {
        return Err(no_agent(consts::OS, consts::ARCH));
    }
    let Client { docker, maker } = engine.client().await?;
    let image = engine::image(docker, &options.image).await?;
    owner::remove_abandoned(docker);
    let checkout = Checkout::at(spec.checkout.clone());
    let size = measure(&checkout, options.checkout_bytes).await?;
    let body = recipe::container(options, &spec.limits, &image, size, *maker);
    let (container, warnings) = create(docker.clone(), body).await?;
    if let Some(runtime) = &options.runtime
        && engine::runtime_of(docker, container.id()).await.as_ref() != Some(runtime)
    {
        return Err(other_runtime(runtime));
    }
    let attached = engine::attach(docker, container.id(), options.runtime.as_deref()).await?;
    let (mut output, mut input) = (Output::new(attached.output), attached.input);
    engine::start(docker, container.id(), options.runtime.as_deref()).await?;
    let configuration = configuration(options, spec, *maker);
    let ready = introduce(&mut input, &mut output, &checkout, &configuration).await?;
    let warnings = warnings.into_iter().map(|warning| format!("the engine warns: {warning}"));
    let weaker = (*maker == Maker::Podman).then(|| FILES_COUNTED.to_owned());
    let isolation = Isolation::new(IsolationTier::Container, spec.limits.clone())
        .with_missing(warnings.chain(weaker).chain(ready.missing).collect())
        .with_landlock_abi((ready.landlock_abi > 0).then_some(ready.landlock_abi));
    let (gone, stop) = (container.gone(), CancellationToken::new());
    let ping = Duration::from_millis(options.silence_ms / PINGS_IN_SILENCE);
    let connection = Connection::start(output, input, container, Some(ping), stop.clone());
    Ok(AgentSession {
        provider: PROVIDER,
        isolation,
        env: environment(recipe::path(&image), spec),
        connection: Arc::new(connection),
        oom: Arc::new(NoOomWatch),
        gone,
        tree: TreeCache::over(checkout),
        close_limit: CLOSE_LIMIT,
        stop,
    })
}

async fn measure(checkout: &Checkout, most_bytes: u64) -> Result<Size, SandboxError> {
    let checkout = checkout.clone();
    let measured = tokio::task::spawn_blocking(move || checkout.measure(most_bytes)).await;
    measured.map_err(|error| backend(PROVIDER, "reading the checkout", error))?
}

/// Makes a container. In a task of its own, which waits longer than anyone: were it dropped between the request and the
/// answer, nobody would know the container's name.
async fn create(
    docker: Docker,
    body: bollard::models::ContainerCreateBody,
) -> Result<(Container, Vec<String>), SandboxError> {
    let made = tokio::spawn(async move {
        let (id, warnings) = engine::create(&docker, body).await?;
        Ok((Container::new(docker, id, Handle::current()), warnings))
    });
    made.await.map_err(|error| backend(PROVIDER, "starting a container", error))?
}

/// Brings in the agent and the checkout.
async fn introduce(
    input: &mut Input,
    output: &mut Output,
    checkout: &Checkout,
    configuration: &Configuration,
) -> Result<Ready, SandboxError> {
    let mut replies = Replies { buffer: Vec::new() };
    let agent = async {
        input.write_all(PROGRAM).await?;
        input.flush().await
    };
    // Whoever gives up does not read what is sent: the answer comes before the end of the sending then.
    tokio::select! {
        biased;
        answer = replies.next(output) => greeted(answer?)?,
        // When it could not be sent, the container has more to say about it.
        _ = agent => greeted(replies.next(output).await?)?,
    }
    let copying = async {
        input.write_all(&configuration.encode()).await?;
        let (sender, mut pieces) = mpsc::channel(PIECES_AHEAD);
        let checkout = checkout.clone();
        let reading = tokio::task::spawn_blocking(move || {
            checkout.frames(&mut |frame| sender.blocking_send(frame).is_ok())
        });
        while let Some(piece) = pieces.recv().await {
            input.write_all(&piece).await?;
        }
        let read = reading.await.map_err(std::io::Error::other)?;
        input.write_all(&Encoder::new(request::START, 0).finish()).await?;
        input.flush().await?;
        std::io::Result::Ok(read)
    };
    tokio::select! {
        biased;
        answer = replies.next(output) => ready(answer?),
        copied = copying => {
            if let Ok(read) = copied {
                read?;
            }
            ready(replies.next(output).await?)
        }
    }
}

/// What the agent said: a kind of `wire::reply` and its body.
type Answer = (u8, Vec<u8>);

/// The replies of an agent that no connection reads yet.
struct Replies {
    buffer: Vec<u8>,
}

impl Replies {
    async fn next(&mut self, output: &mut Output) -> Result<Answer, SandboxError> {
        loop {
            let frame = wire::split_frame(&self.buffer);
            if let Some(frame) = frame.map_err(|_| not_started(output))? {
                let (answer, length) = ((frame.kind, frame.body.to_vec()), frame.length);
                self.buffer.drain(..length);
                return Ok(answer);
            }
            match output.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(not_started(output)),
                Ok(_) => {}
                Err(error) => return Err(backend(PROVIDER, "speaking to a container", error)),
            }
        }
    }
}

fn not_started(output: &Output) -> SandboxError {
    let complaint = output.complaint();
    let said = if complaint.is_empty() { "it said nothing" } else { &complaint };
    unavailable(
        format!("the agent does not start in the container: {said}"),
        "use an image with /bin/sh, head and chmod, for this machine's processor".to_owned(),
    )
}

fn greeted((kind, body): Answer) -> Result<(), SandboxError> {
    match kind {
        reply::HELLO => Ok(()),
        reply::FAILED => Err(failed(&body)),
        _ => Err(SandboxError::Closed),
    }
}

/// What the agent said when the checkout was complete.
struct Ready {
    missing: Vec<String>,
    landlock_abi: u32,
}

fn ready((kind, body): Answer) -> Result<Ready, SandboxError> {
    match kind {
        reply::READY => {
            let mut body = Decoder::new(&body);
            let missing = body.list().unwrap_or_default();
            let missing = missing.iter().map(|line| String::from_utf8_lossy(line).into_owned());
            Ok(Ready { missing: missing.collect(), landlock_abi: body.u32().unwrap_or(0) })
        }
        reply::FAILED => Err(failed(&body)),
        _ => Err(SandboxError::Closed),
    }
}

fn failed(body: &[u8]) -> SandboxError {
    let mut body = Decoder::new(body);
    let step = body.bytes().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
    let errno = body.u32().and_then(|number| i32::try_from(number).ok()).filter(|number| *number != 0);
    let reason = match errno {
        Some(number) => {
            format!("the container refused to {step}: {}", std::io::Error::from_raw_os_error(number))
        }
        None => step,
    };
    let remedy =
        "use an engine and an image that allow the confinement; see the documentation of ContainerSandbox";
    unavailable(reason, remedy.to_owned())
}

fn configuration(options: &ContainerOptions, spec: &SandboxSpec, maker: Maker) -> Configuration {
    let limits = &spec.limits;
    Configuration {
        tier: tier::CONTAINER,
        landlock_most: options.landlock_most.unwrap_or(u32::MAX),
        directory: if maker == Maker::Podman { recipe::WORKSPACE.into() } else { Vec::new() },
        limits: Limits {
            data_bytes: limits.memory_bytes,
            // The engine bounds the container.
            pids: 0,
            cpu_seconds: limits.cpu_seconds,
            disk_bytes: limits.disk_bytes,
            tmp_bytes: options.tmp_bytes,
            open_files: options.open_files,
            silence_ms: options.silence_ms,
        },
        ..Configuration::default()
    }
}
