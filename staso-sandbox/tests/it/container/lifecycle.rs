//! Births and deaths: whoever goes, no container is left.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    KillContainerOptions, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use staso_core::sandbox::{ExecRequest, Sandbox as _, SandboxError, SandboxSession};
use tokio_util::sync::CancellationToken;

use super::{Engine, text, variable};

const SOON: Duration = Duration::from_secs(10);
const LABEL: &str = "staso.sandbox.host";
/// Three times this is waited for.
const SILENCE_MS: u64 = 1_000;
/// An image for hosts that are killed, so that other tests do not count.
const KILLED: &str = "staso-test-killed";

/// The id of a session's container: of those of this process the one whose processes are the session's own.
pub(super) async fn container_of(engine: &Engine, session: &dyn SandboxSession) -> String {
    // The engine mounts its own files over some of `/etc`, from a directory that has the container's name.
    let mounts = engine.shell(session, "cat /proc/self/mountinfo").await;
    let mounts = text(&mounts.stdout);
    let parts = mounts.split(|letter: char| !letter.is_ascii_hexdigit());
    let ids: Vec<&str> = parts.filter(|part| part.len() == 64).collect();
    let client = engine.client();
    for id in ids {
        if exists(&client, id).await {
            return id.to_owned();
        }
    }
    panic!("the container of the session is not to be found: {mounts}")
}

async fn exists(client: &Docker, id: &str) -> bool {
    client.inspect_container(id, None).await.is_ok()
}

async fn goes(client: &Docker, id: &str) -> bool {
    let deadline = Instant::now() + SOON;
    while exists(client, id).await {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_dropped_and_killed_sessions_leave_nothing() {
    let Some(engine) = Engine::found() else { return };
    let client = engine.client();
    let session = engine.open().await;
    let id = container_of(&engine, &*session).await;
    session.close().await.unwrap();
    assert!(!exists(&client, &id).await, "closed means gone");
    let session = engine.open().await;
    let id = container_of(&engine, &*session).await;
    drop(session);
    assert!(goes(&client, &id).await, "dropped means gone soon");
    let session = engine.open().await;
    let id = container_of(&engine, &*session).await;
    let mut stream = session.exec(&ExecRequest::new(["sleep", "600"]), &engine.host.ctx).await.unwrap();
    client.kill_container(&id, None::<KillContainerOptions>).await.unwrap();
    assert!(
        matches!(stream.next().await, Some(Err(SandboxError::Closed))),
        "a command of a killed container"
    );
    let refused = session.changes(&engine.host.ctx).await;
    assert!(matches!(refused, Err(SandboxError::Closed)), "the session says that it is closed: {refused:?}");
    session.close().await.unwrap();
    assert!(goes(&client, &id).await);
}

/// The body of a host that is killed; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_waits_to_be_killed() {
    if variable("STASO_TEST_VICTIM").is_none() {
        return;
    }
    let engine = Engine::found().unwrap();
    let session = engine.open().await;
    let daemons = "setsid sleep 600 & setsid sleep 600 & exec sleep 600";
    let _stream = session.exec(&ExecRequest::new(["sh", "-c", daemons]), &engine.host.ctx).await.unwrap();
    writeln!(std::io::stderr(), "container {}", container_of(&engine, &*session).await).unwrap();
    std::future::pending::<()>().await;
}

/// Starts a test of this file as a host of its own, and waits until it says what begins so; the rest of that.
fn host(body: &str, switch: &str, says: &str) -> (Child, String) {
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("container::lifecycle::{body}"), "--nocapture"])
        .env(switch, "1")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said = lines.find_map(|line| line.strip_prefix(says).map(str::to_owned));
    (host, said.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_host_ends_its_containers() {
    let Some(engine) = Engine::found() else { return };
    let (mut victim, id) = host("a_host_that_waits_to_be_killed", "STASO_TEST_VICTIM", "container ");
    let client = engine.client();
    assert!(exists(&client, &id).await);
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(goes(&client, &id).await, "the container outlives its host");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_host_made_and_never_started_is_removed_by_the_next() {
    let Some(engine) = Engine::found() else { return };
    let client = engine.client();
    let session = engine.open().await;
    let own = container_of(&engine, &*session).await;
    let label = client.inspect_container(&own, None).await.unwrap().config.unwrap().labels.unwrap();
    let label = label.get(LABEL).unwrap();
    let (machine, started) = label.rsplit_once('/').unwrap();
    let (place, _) = machine.rsplit_once('/').unwrap();
    // The same process number at another time; this process; a host of another boot.
    let labels = [
        format!("{machine}/{}", started.parse::<u64>().unwrap() + 1),
        label.clone(),
        format!("x{place}/1/1"),
    ];
    let mut made = Vec::new();
    for label in labels {
        let body = ContainerCreateBody {
            image: Some(engine.options.image.clone()),
            cmd: Some(vec!["true".to_owned()]),
            labels: Some(HashMap::from([(LABEL.to_owned(), label)])),
            ..ContainerCreateBody::default()
        };
        made.push(client.create_container(None, body).await.unwrap().id);
    }
    engine.open().await.close().await.unwrap();
    assert!(goes(&client, &made[0]).await, "what is known to be nobody's is removed");
    let mut left = Vec::new();
    for id in &made[1..] {
        left.push(exists(&client, id).await);
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        drop(client.remove_container(id, Some(options)).await);
    }
    assert_eq!(left, [true, true], "nothing else is");
    session.close().await.unwrap();
}

/// The body of a host that is stopped; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_falls_silent() {
    if variable("STASO_TEST_SILENT").is_none() {
        return;
    }
    let mut engine = Engine::found().unwrap();
    engine.options = engine.options.with_silence_ms(SILENCE_MS);
    let session = engine.open().await;
    let id = container_of(&engine, &*session).await;
    // Longer than it may be silent: what it says by itself keeps the session.
    tokio::time::sleep(Duration::from_millis(3 * SILENCE_MS)).await;
    assert!(engine.shell(&*session, "true").await.exit.success());
    let _stream = session.exec(&ExecRequest::new(["sleep", "600"]), &engine.host.ctx).await.unwrap();
    writeln!(std::io::stderr(), "container {id}").unwrap();
    std::future::pending::<()>().await;
}

/// A host that is stopped keeps all its connections: nothing but its silence tells that it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_host_is_silent_ends_itself() {
    let Some(engine) = Engine::found() else { return };
    let (mut victim, id) = host("a_host_that_falls_silent", "STASO_TEST_SILENT", "container ");
    let client = engine.client();
    assert!(exists(&client, &id).await);
    let stopped = Command::new("kill").args(["-STOP", &victim.id().to_string()]).status();
    assert!(stopped.unwrap().success());
    let ended = goes(&client, &id).await;
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(ended, "the container outlives the silence of its host");
}

/// The body of a host that is always in the middle of something; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_never_rests() {
    if variable("STASO_TEST_RESTLESS").is_none() {
        return;
    }
    let mut engine = Engine::found().unwrap();
    engine.options.image = KILLED.to_owned();
    let sandbox = engine.sandbox();
    writeln!(std::io::stderr(), "begins").unwrap();
    loop {
        let session = sandbox.open(&engine.spec(), &engine.host.ctx).await.unwrap();
        let daemons = "setsid sleep 600 & sleep 0.1";
        engine.shell(&*session, daemons).await;
        session.close().await.unwrap();
    }
}

/// `STASO_TEST_KILLS` says how many hosts are killed; a dozen by default.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_host_is_killed_nothing_is_left_after_the_next_session() {
    let Some(mut engine) = Engine::found() else { return };
    engine.options.image = KILLED.to_owned();
    let client = engine.client();
    let kills = variable("STASO_TEST_KILLS").map_or(12, |count| count.parse::<u64>().unwrap());
    for kill in 0..kills {
        let (mut victim, _) = host("a_host_that_never_rests", "STASO_TEST_RESTLESS", "begins");
        // Spread over the time that a session takes, in steps that are no parts of each other.
        std::thread::sleep(Duration::from_millis(kill * 61 % 1_201));
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
    engine.open().await.close().await.unwrap();
    let deadline = Instant::now() + SOON;
    while containers(&client, KILLED).await > 0 {
        assert!(Instant::now() < deadline, "a container of a host that was killed is left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Containers of this process and an image of its own, so that other tests do not count.
async fn containers(client: &Docker, image: &str) -> usize {
    let filters = HashMap::from([("ancestor", vec![image])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    client.list_containers(Some(options)).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opening_may_be_cancelled_at_any_moment() {
    let Some(mut engine) = Engine::found() else { return };
    engine.options.image = "staso-test-cancel".to_owned();
    let (client, sandbox) = (engine.client(), engine.sandbox());
    let mut cancelled = 0;
    for step in 0..12 {
        let token = CancellationToken::new();
        let ctx = engine.host.ctx.clone().with_cancellation(token.clone());
        let timer = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(30 * step)).await;
            token.cancel();
            Instant::now()
        });
        let opened = sandbox.open(&engine.spec(), &ctx).await;
        let ended = Instant::now();
        if let Err(error) = opened {
            assert!(matches!(error, SandboxError::Cancelled), "{error}");
            let late = ended.saturating_duration_since(timer.await.unwrap());
            assert!(late < Duration::from_secs(2), "cancellation took {late:?}");
            cancelled += 1;
        }
    }
    assert!(cancelled > 0, "some were cancelled");
    let deadline = Instant::now() + SOON;
    while containers(&client, "staso-test-cancel").await > 0 {
        assert!(Instant::now() < deadline, "a container of a session that was never opened is left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_run_at_the_same_time() {
    let Some(engine) = Engine::found() else { return };
    let engine = std::sync::Arc::new(engine);
    let tasks = (0..8).map(|number| {
        let engine = std::sync::Arc::clone(&engine);
        tokio::spawn(async move {
            let session = engine.open().await;
            let script = format!("echo {number} > mine; cat mine; ls /tmp");
            let (one, two) =
                tokio::join!(engine.shell(&*session, &script), engine.shell(&*session, "sleep 0.1; echo b"));
            session.close().await.unwrap();
            (text(&one.stdout), text(&two.stdout), number)
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        let (one, two, number) = task.await.unwrap();
        assert_eq!((one, two), (format!("{number}\nhome\n"), "b\n".to_owned()));
    }
}
