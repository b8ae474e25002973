//! A repository that keeps something of its own where the host puts its driver.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use staso_core::code::RepoPath;
use staso_core::diagnosis::{FailureOracle, RecordedCall};
use staso_core::run::CheckSubject;
use staso_core::sandbox::{SandboxError, SandboxSession, SandboxSpec, SessionChange};
use staso_core::verify::{Reproduction, TestBench, VerifyLimits};

use crate::host::Host;

const APP: &str = "def ask():\n    raise KeyError('order')\n";
const LIE: &str = "print('the repository ran')\nraise SystemExit(0)\n";

/// What the refusal says, and what causes it.
type Plant = (&'static str, fn(&Path));

/// A checkout with a function that fails and whatever `plant` puts into it.
async fn session(plant: impl FnOnce(&Path)) -> (Host, Box<dyn SandboxSession>) {
    let host = Host::new();
    let root = host.directory.path().join("project");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("app.py"), APP).unwrap();
    plant(&root);
    let session = host.open_with(&SandboxSpec::new(root)).await;
    (host, session)
}

async fn reproduces(host: &Host, session: &dyn SandboxSession) -> Result<bool, SandboxError> {
    let call = RecordedCall {
        path: RepoPath::new("app.py").unwrap(),
        function: "ask".to_owned(),
        arguments: std::collections::BTreeMap::new(),
        raised: Some("KeyError".to_owned()),
    };
    let oracle =
        FailureOracle::Raises { exception: "KeyError".to_owned(), message_contains: None, calls: vec![call] };
    let limits = VerifyLimits::default();
    let bench = TestBench::new(session, None, &limits, CheckSubject::FailingCommit);
    let (found, _) = bench.reproduce(&oracle, &host.ctx).await?;
    Ok(matches!(found, Some(Reproduction::Call { .. })))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_one_the_driver_runs_and_is_no_change() {
    let (host, session) = session(|_| {}).await;
    assert!(reproduces(&host, &*session).await.unwrap());
    assert!(session.changes(&host.ctx).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_or_file_in_the_way_ends_the_run_and_is_not_touched() {
    let file = |root: &Path| fs::write(root.join(".staso"), LIE).unwrap();
    let link = |root: &Path| {
        fs::create_dir(root.join("elsewhere")).unwrap();
        fs::write(root.join("elsewhere/replay.py"), LIE).unwrap();
        symlink("elsewhere", root.join(".staso")).unwrap();
    };
    let linked_driver = |root: &Path| {
        fs::create_dir(root.join(".staso")).unwrap();
        fs::write(root.join("victim.py"), LIE).unwrap();
        symlink("../victim.py", root.join(".staso/replay.py")).unwrap();
    };
    let directory = |root: &Path| fs::create_dir_all(root.join(".staso/replay.py")).unwrap();
    let plants: [Plant; 4] = [
        ("no directory", file),
        ("symbolic link", link),
        ("symbolic link", linked_driver),
        ("it is a directory", directory),
    ];
    for (reason, plant) in plants {
        let (host, session) = session(plant).await;
        let error = reproduces(&host, &*session).await.unwrap_err().to_string();
        assert!(error.starts_with("cannot place the replay driver: .staso/replay.py"), "{error}");
        assert!(error.contains(reason) && error.contains("the repository keeps something"), "{error}");
        assert!(session.changes(&host.ctx).await.unwrap().is_empty(), "{reason}: nothing was written");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_the_repository_are_not_run_in_the_drivers_place() {
    let (host, session) = session(|root| {
        fs::create_dir(root.join(".staso")).unwrap();
        for name in ["replay.py", "json.py", "importlib.py", "inspect.py", "os.py"] {
            fs::write(root.join(".staso").join(name), LIE).unwrap();
        }
    })
    .await;
    assert!(reproduces(&host, &*session).await.unwrap(), "the host's driver ran, with Python's own modules");
    let changes = session.changes(&host.ctx).await.unwrap();
    let names: Vec<&str> = changes.keys().map(RepoPath::as_str).collect();
    assert_eq!(names, [".staso/replay.py"], "what replaces a file of the repository is no secret");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_to_the_repositorys_own_are_listed() {
    let (host, session) = session(|root| {
        fs::create_dir(root.join(".staso")).unwrap();
        fs::write(root.join(".staso/settings"), "a\n").unwrap();
    })
    .await;
    host.run(&*session, &["sh", "-c", "rm .staso/settings; echo x > .staso/new"]).await;
    let changes = session.changes(&host.ctx).await.unwrap();
    let change = |name: &str| changes.get(&RepoPath::new(name).unwrap());
    assert_eq!(change(".staso/settings"), Some(&SessionChange::Deleted));
    assert!(matches!(change(".staso/new"), Some(SessionChange::Written { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_tests_make_does_not_spoil_the_list() {
    let (host, session) = session(|_| {}).await;
    let script =
        "mkdir -p .git/refs sub/.git/objects; echo x > .git/HEAD; echo x > sub/.git/HEAD; echo y > sub/a";
    host.run(&*session, &["sh", "-c", script]).await;
    let changes = session.changes(&host.ctx).await.unwrap();
    assert_eq!(changes.keys().map(RepoPath::as_str).collect::<Vec<_>>(), ["sub/a"]);
}
