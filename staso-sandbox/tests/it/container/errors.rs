//! What is refused, and what the user is told to do about it.

use std::os::unix::net::UnixListener;
use std::time::Duration;

use staso_core::sandbox::{IsolationTier, Sandbox as _, SandboxError, SandboxSpec};
use staso_sandbox::{ContainerOptions, ContainerSandbox};

use super::{Engine, variable};
use crate::host::Host;

/// Reason and remedy of a sandbox that is not there.
async fn refusal(options: ContainerOptions, host: &Host) -> String {
    let spec = host.spec().with_min_tier(IsolationTier::Container);
    match ContainerSandbox::new(options).open(&spec, &host.ctx).await.map(|_| ()) {
        Err(SandboxError::Unavailable { wanted: IsolationTier::Container, reason, remedy }) => {
            format!("{reason}; {remedy}")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_an_engine_there_is_no_session_and_a_sentence_that_helps() {
    let host = Host::new();
    let nowhere = host.directory.path().join("no.sock");
    let said = refusal(ContainerOptions::new("x").with_socket(&nowhere), &host).await;
    assert!(said.contains("no engine's socket") && said.contains("systemctl"), "{said}");
    let dead = host.directory.path().join("dead.sock");
    drop(UnixListener::bind(&dead).unwrap());
    let said = refusal(ContainerOptions::new("x").with_socket(&dead), &host).await;
    assert!(said.contains("nothing listens"), "{said}");
    let file = host.fixture.host_file.clone();
    let said = refusal(ContainerOptions::new("x").with_socket(file), &host).await;
    assert!(said.contains("nothing listens") || said.contains("does not answer"), "{said}");
}

#[tokio::test]
async fn something_that_is_no_engine_is_called_so() {
    let host = Host::new();
    let place = host.directory.path().join("other.sock");
    let listener = tokio::net::UnixListener::bind(&place).unwrap();
    let other = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        }
    });
    let said = refusal(ContainerOptions::new("x").with_socket(&place), &host).await;
    assert!(said.contains("does not answer as a container engine"), "{said}");
    other.abort();
}

/// The body of the next test, as another user; does nothing unless that started it.
#[tokio::test]
async fn a_user_without_rights() {
    let Some(socket) = variable("STASO_TEST_CLOSED_SOCKET") else { return };
    let said = refusal(ContainerOptions::new("x").with_socket(socket), &Host::new()).await;
    assert!(said.contains("may not use") && said.contains("usermod"), "{said}");
}

#[test]
fn a_socket_that_the_user_may_not_open_is_called_so() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let (socket, program) = (directory.path().join("engine.sock"), directory.path().join("it"));
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for (path, mode) in [(directory.path(), 0o755), (&program, 0o755), (&socket, 0o600)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let test = ["--exact", "container::errors::a_user_without_rights", "--nocapture"];
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0;
    let mut command = if is_root {
        let mut command = std::process::Command::new("/usr/bin/setpriv");
        command.args(["--reuid=12345", "--regid=12345", "--clear-groups"]).arg(&program);
        command
    } else {
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();
        std::process::Command::new(&program)
    };
    let output = command
        .args(test)
        .current_dir("/")
        .env_clear()
        .env("STASO_TEST_CLOSED_SOCKET", &socket)
        .output()
        .unwrap();
    let said = format!("{}{}", super::text(&output.stdout), super::text(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_are_never_pulled_and_runtimes_never_guessed() {
    let Some(engine) = Engine::found() else { return };
    let socket = engine.options.socket.clone();
    let image = |name: &str| ContainerOptions::new(name).with_socket(&socket);
    let said = refusal(image("staso-no-such-image"), &engine.host).await;
    assert!(said.contains("docker pull staso-no-such-image") && said.contains("never pulled"), "{said}");
    let said = refusal(engine.options.clone().with_runtime("no-such-runtime"), &engine.host).await;
    if engine.is_podman().await {
        assert!(said.contains("runtime no-such-runtime") && said.contains("containers.conf"), "{said}");
    } else {
        assert!(said.contains("no runtime no-such-runtime") && said.contains("daemon.json"), "{said}");
    }
    let said = refusal(image("staso-test-bare"), &engine.host).await;
    assert!(said.contains("/bin/sh"), "an image without a shell: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_make_no_sense_are_refused_before_anything_runs() {
    let Some(engine) = Engine::found() else { return };
    let (sandbox, ctx) = (engine.sandbox(), &engine.host.ctx);
    let strict = sandbox.open(&engine.host.spec(), ctx).await.map(|_| ());
    assert!(
        matches!(&strict, Err(SandboxError::Unavailable { wanted: IsolationTier::Full, remedy, .. })
            if remedy.contains("with_min_tier")),
        "a container is not the strongest tier: {strict:?}"
    );
    let mut unlimited = engine.spec();
    unlimited.limits.disk_bytes = 0;
    let accepting = |path: &str| SandboxSpec::new(path).with_min_tier(IsolationTier::Container);
    let root = ContainerSandbox::new(engine.options.clone().with_session_user(0, 0));
    let nameless = ContainerSandbox::new(ContainerOptions::new("").with_socket(&engine.options.socket));
    for (sandbox, spec) in [
        (&sandbox, accepting("/no/such/checkout")),
        (&sandbox, accepting("relative")),
        (&sandbox, accepting("")),
        (&sandbox, unlimited),
        (&sandbox, engine.spec().with_env("A=B", "x")),
        (&root, engine.spec()),
        (&nameless, engine.spec()),
    ] {
        let refused = sandbox.open(&spec, ctx).await.map(|_| ());
        assert!(matches!(refused, Err(SandboxError::InvalidRequest { .. })), "{refused:?}");
    }
    let pipe = engine.host.fixture.checkout.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let opened = tokio::time::timeout(Duration::from_secs(20), sandbox.open(&engine.spec(), ctx)).await;
    let refused = opened.unwrap().map(|_| ());
    assert!(
        matches!(&refused, Err(SandboxError::InvalidRequest { reason, .. }) if reason.contains("\"pipe\"")),
        "{refused:?}"
    );
    std::fs::remove_file(pipe).unwrap();
    std::fs::write(engine.host.fixture.checkout.join("large"), vec![b'x'; 2 << 20]).unwrap();
    let small = ContainerSandbox::new(engine.options.clone().with_checkout_bytes(1 << 20));
    let refused = small.open(&engine.spec(), ctx).await.map(|_| ());
    assert!(matches!(refused, Err(SandboxError::TooLarge { limit_bytes: 1_048_576, .. })), "{refused:?}");
}
