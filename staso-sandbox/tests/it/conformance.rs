//! The public suite of the trait, and the same suite for a host that is not root.

use staso_core::conformance::sandbox;
use staso_core::sandbox::{IsolationTier, Sandbox as _};
use staso_sandbox::{LocalSandbox, LocalSandboxOptions};

use crate::host::Host;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_sandbox_keeps_the_contract() {
    let host = Host::new();
    sandbox::run_all(&LocalSandbox::new(), &host.fixture, &host.ctx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_machine_gives_everything_or_says_what_is_missing() {
    let host = Host::new();
    let capabilities = LocalSandbox::new().capabilities(&host.ctx).await.unwrap();
    let session = host.open().await;
    assert_eq!(capabilities.missing, session.isolation().missing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn landlock_alone_keeps_the_contract() {
    let tier = IsolationTier::LandlockOnly;
    let host = Host::new();
    let sandbox = LocalSandbox::with_options(LocalSandboxOptions::new().with_strongest_tier(tier));
    let fixture = host.fixture.clone().with_min_tier(tier);
    sandbox::run_all(&sandbox, &fixture, &host.ctx).await;
}

/// As root this runs the suites again as another user; a host that is an ordinary user has done so above.
#[test]
fn an_ordinary_user_gets_the_same() {
    let is_root = host_uid() == 0;
    if !is_root {
        return;
    }
    let program = std::env::current_exe().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("it");
    std::fs::copy(program, &copy).unwrap();
    for path in [directory.path(), copy.as_path()] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).unwrap();
    }
    let output = std::process::Command::new("/usr/bin/setpriv")
        .args(["--reuid=12345", "--regid=12345", "--clear-groups"])
        .arg(&copy)
        .args(["--exact", "--nocapture", "conformance::the_local_sandbox_keeps_the_contract"])
        .arg("conformance::landlock_alone_keeps_the_contract")
        .current_dir("/")
        .env_clear()
        .env("TMPDIR", "/tmp")
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("2 passed"), "{text}");
}

fn host_uid() -> u32 {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap())
}
