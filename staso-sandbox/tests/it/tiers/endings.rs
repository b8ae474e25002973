//! How commands, sessions and hosts end where no namespace ends with them.

use super::*;

/// A command with daemons that can be found from outside by their argument.
async fn start_daemons(host: &Host, session: &dyn SandboxSession, mark: &str) -> Vec<u32> {
    let script = format!("for i in 1 2 3; do (setsid sleep {mark} &) ; done; exec sleep {mark}");
    let stream = session.exec(&ExecRequest::new(["sh", "-c", &script]), &host.ctx).await.unwrap();
    assert!(eventually(SOON, || processes_with(mark).len() >= 4).await, "the daemons run");
    let found = processes_with(mark);
    tokio::spawn(async move {
        let mut stream = stream;
        while stream.next().await.is_some() {}
    });
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_namespaces_daemons_end_with_their_command_and_their_session() {
    let host = Host::new();
    for (number, tier) in WEAK.into_iter().enumerate() {
        let session = open(&host, tier).await;
        let mark = format!("81{}.{number}1", std::process::id());
        let script = format!("for i in 1 2 3; do (setsid sleep {mark} &) ; done");
        assert!(host.run(&*session, &["sh", "-c", &script]).await.exit.success());
        assert!(processes_with(&mark).is_empty(), "{tier:?}: a command's daemons ended with it");
        let endless = ExecRequest::new(["sh", "-c", &format!("{script}; sleep 600")]);
        let endless = endless.with_timeout(Duration::from_millis(300));
        assert!(session.run(&endless, &host.ctx).await.unwrap().exit.timed_out);
        assert!(processes_with(&mark).is_empty(), "{tier:?}: and when its time was over");
        start_daemons(&host, &*session, &mark).await;
        session.close().await.unwrap();
        assert!(processes_with(&mark).is_empty(), "{tier:?}: closed means gone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_namespaces_everything_dies_with_the_helper() {
    let host = Host::new();
    for victim in 0..3 {
        let session = open(&host, IsolationTier::LandlockOnly).await;
        let mark = format!("82{}.{victim}1", std::process::id());
        let found = start_daemons(&host, &*session, &mark).await;
        // From the host's child down: the first life, the helper, the keeper.
        let chains: Vec<Vec<u32>> = found.iter().map(|pid| ancestors(*pid)).collect();
        let chain = chains.iter().max_by_key(|chain| chain.len()).unwrap();
        let own = chain.iter().position(|pid| *pid == std::process::id()).unwrap();
        let target = chain[own - 1 - victim];
        assert!(
            Command::new("/bin/sh").args(["-c", &format!("kill -9 {target}")]).status().unwrap().success()
        );
        assert!(eventually(SOON, || processes_with(&mark).is_empty()).await, "{victim}: they outlive it");
        let closed = session.run(&ExecRequest::new(["true"]), &host.ctx).await;
        assert!(matches!(closed, Err(SandboxError::Closed)), "{victim}: {closed:?}");
        session.close().await.unwrap();
    }
}

const PLACE_MARK: &str = "STASO_TEST_PLACE";

/// The body of a host that is killed; does nothing unless the test below started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_waits_to_be_killed() {
    let Some(place) = own_variable(PLACE_MARK) else { return };
    let host = Host::new();
    let tier = IsolationTier::LandlockOnly;
    let session = open_as(&host, at_most(tier).with_directory(&place), tier).await;
    let mark = format!("83{}.1", std::process::id());
    start_daemons(&host, &*session, &mark).await;
    writeln!(std::io::stderr(), "mark {mark}").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_directory_of_a_killed_host_goes_with_the_next_session() {
    let host = Host::new();
    let place = tempfile::tempdir().unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let left = || fs::read_dir(place.path()).unwrap().count();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tiers::endings::a_host_that_waits_to_be_killed", "--nocapture"])
        .env(PLACE_MARK, place.path())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stderr.take().unwrap()).lines();
    let mark =
        lines.map_while(Result::ok).find_map(|line| line.strip_prefix("mark ").map(str::to_owned)).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(eventually(SOON, || processes_with(&mark).is_empty()).await, "processes outlive the host");
    assert_eq!(left(), 1, "nobody was there to remove it");
    let tier = IsolationTier::LandlockOnly;
    let session = open_as(&host, at_most(tier).with_directory(place.path()), tier).await;
    assert_eq!(left(), 1, "the new one");
    let hostile = "mkdir -p a/b/c; touch a/b/c/d; chmod 0 a/b; ln -s / root; mkfifo pipe";
    assert!(host.run(&*session, &["sh", "-c", hostile]).await.exit.success());
    session.close().await.unwrap();
    assert_eq!(left(), 0, "closed means gone");
}
