//! Engines that take too long, or forever: one that is made up, because a real one cannot be asked to be slow.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use staso_core::run::RunContext;
use staso_core::sandbox::{IsolationTier, Sandbox as _, SandboxError, SandboxSpec};
use staso_core::testing::test_context;
use staso_sandbox::{ContainerOptions, ContainerSandbox};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

const SOON: Duration = Duration::from_secs(10);
const NAME: &str = "0123456789abcdef";

/// What an engine was asked for, and what it does not answer.
struct State {
    asked: Mutex<Vec<String>>,
    arrived: Notify,
    /// Requests with this in their line wait.
    stalls: &'static str,
    go_on: Notify,
    containers: String,
}

struct Slow {
    state: Arc<State>,
    directory: TempDir,
    ctx: RunContext,
}

impl Slow {
    fn at(stalls: &'static str, containers: String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("checkout")).unwrap();
        let listener = UnixListener::bind(directory.path().join("sock")).unwrap();
        let (asked, arrived, go_on) = (Mutex::default(), Notify::new(), Notify::new());
        let state = Arc::new(State { asked, arrived, stalls, go_on, containers });
        let engine = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&engine)));
            }
        });
        Self { state, directory, ctx: test_context() }
    }

    fn open(&self) -> tokio::task::JoinHandle<Result<(), SandboxError>> {
        let options = ContainerOptions::new("image").with_socket(self.directory.path().join("sock"));
        let spec = SandboxSpec::new(self.directory.path().join("checkout"));
        let (spec, ctx) = (spec.with_min_tier(IsolationTier::Container), self.ctx.clone());
        tokio::spawn(async move { ContainerSandbox::new(options).open(&spec, &ctx).await.map(|_| ()) })
    }

    /// Waits until something was asked for.
    async fn is_asked(&self, what: &str) -> bool {
        let asked = async {
            loop {
                let arrived = self.state.arrived.notified();
                if self.state.asked.lock().unwrap().iter().any(|line| line.contains(what)) {
                    return;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(SOON, asked).await.is_ok()
    }
}

/// Answers what is asked over one connection.
async fn serve(mut stream: UnixStream, engine: Arc<State>) {
    let mut received = Vec::new();
    while let Some(line) = next_request(&mut stream, &mut received).await {
        engine.asked.lock().unwrap().push(line.clone());
        engine.arrived.notify_waiters();
        if line.contains(engine.stalls) {
            engine.go_on.notified().await;
        }
        let (status, body) = answer(&line, &engine);
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n");
        let rest = match status {
            "101 UPGRADED" => "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n".to_owned(),
            _ => format!("Content-Length: {length}\r\n\r\n{body}"),
        };
        if stream.write_all(format!("{head}{rest}").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn answer(line: &str, engine: &State) -> (&'static str, String) {
    if line.contains("/version") {
        ("200 OK", r#"{"ApiVersion":"1.41","Version":"1"}"#.to_owned())
    } else if line.contains("/images/") {
        ("200 OK", r#"{"Id":"sha256:1","Config":{}}"#.to_owned())
    } else if line.contains("/containers/json") {
        ("200 OK", engine.containers.clone())
    } else if line.contains("/create") {
        ("201 Created", format!(r#"{{"Id":"{NAME}","Warnings":[]}}"#))
    } else if line.contains("/attach") {
        ("101 UPGRADED", String::new())
    } else if line.contains("/start") {
        ("204 No Content", String::new())
    } else {
        ("404 Not Found", r#"{"message":"no such container"}"#.to_owned())
    }
}

/// The first line of the next request; its body is passed over.
async fn next_request(stream: &mut UnixStream, received: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(received).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let head = text[..end].to_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if received.len() >= end + 4 + length {
                received.drain(..end + 4 + length);
                return text.lines().next().map(str::to_owned);
            }
        }
        if stream.read_buf(received).await.ok()? == 0 {
            return None;
        }
    }
}

/// Time passes, all at once.
async fn wait_a_little_more_than_a_minute() {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(70)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn an_engine_that_stops_answering_is_waited_for_a_minute() {
    for (stalls, made) in
        [("/version", false), ("/images/", false), ("/create", false), ("/attach", true), ("/start", true)]
    {
        let engine = Slow::at(stalls, "[]".to_owned());
        let opened = engine.open();
        assert!(engine.is_asked(stalls).await, "{stalls} is asked for");
        wait_a_little_more_than_a_minute().await;
        let ended = tokio::time::timeout(SOON, opened).await.unwrap().unwrap();
        // Whether the engine's client or the opening gives up first makes no difference to anyone.
        assert!(
            matches!(
                ended,
                Err(SandboxError::Timeout { .. }
                    | SandboxError::Unavailable { .. }
                    | SandboxError::Backend { .. })
            ),
            "{stalls}: {ended:?}"
        );
        if made {
            assert!(
                engine.is_asked(&format!("DELETE /containers/{NAME}")).await,
                "{stalls}: what was made is removed"
            );
        }
    }
}

#[tokio::test]
async fn a_container_whose_name_comes_too_late_is_removed() {
    let engine = Slow::at("/create", "[]".to_owned());
    let opened = engine.open();
    assert!(engine.is_asked("/create").await);
    wait_a_little_more_than_a_minute().await;
    let ended = tokio::time::timeout(SOON, opened).await.unwrap().unwrap();
    assert!(matches!(ended, Err(SandboxError::Timeout { .. })), "{ended:?}");
    engine.state.go_on.notify_one();
    assert!(engine.is_asked(&format!("DELETE /containers/{NAME}")).await, "it would be left");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_engine_that_cannot_remove_what_a_dead_host_left_opens_sessions_all_the_same() {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap();
    let host = format!("{}/{}/4294967295/1", boot.trim(), namespace.display());
    let left = format!(r#"[{{"Id":"feed","Labels":{{"staso.sandbox.host":"{host}"}}}}]"#);
    let engine = Slow::at("DELETE", left);
    let _opened = engine.open();
    assert!(engine.is_asked("DELETE /containers/feed").await, "it is tried");
    assert!(engine.is_asked("/create").await, "nobody waits for it");
}
